"""The plan of every model against the loop."""

import pytest
from tests.helpers.fast_paths import (
    KINDS,
    WITHOUT_A_PLAN,
    check_embedded,
    check_particles,
    check_plan,
    check_short,
    needs_compiler,
    settings_of,
)
from tests.models.settings import ESSENTIAL

from vrnn.models.registry import REGISTRY

COMPILED = settings_of("vrnn")
PLANNED = settings_of(*(name for name in REGISTRY if name not in WITHOUT_A_PLAN))
NAMES = [
    pytest.param(
        name,
        marks=[
            *([needs_compiler] if name in COMPILED else []),
            *([] if name in ESSENTIAL else [pytest.mark.matrix]),
        ],
    )
    for name in PLANNED
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_the_plan_equals_the_loop(name, kind, monkeypatch):
    check_plan(name, kind, monkeypatch)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_the_plan_equals_the_loop_with_any_number_of_samples(name, samples, monkeypatch):
    check_plan(name, "unequal", monkeypatch, samples)


@pytest.mark.parametrize("kind", ["unequal", "gaps"])
@pytest.mark.parametrize("name", NAMES)
def test_latents_from_the_prior_are_drawn_at_once_or_left_to_the_loop(name, kind, monkeypatch):
    check_plan(name, kind, monkeypatch, proposal="prior")


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_short_sequences(name, steps, monkeypatch):
    check_short(name, steps, monkeypatch)


@pytest.mark.parametrize("name", NAMES)
def test_features_equal_those_of_the_reference(name):
    check_embedded(name)


@pytest.mark.parametrize(
    "name",
    [
        *("rnn", "seq2seq-same", "rollout-autoencoding-step", "storn", "srnn", "dmm"),
        pytest.param("vrnn", marks=needs_compiler),
    ],
)
def test_a_particle_bound_reads_the_same(name):
    check_particles(name)
