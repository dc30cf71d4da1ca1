"""The plans of models in which no latent depends on an earlier one, against the loop."""

import pytest
from tests.helpers.fast_paths import (
    KINDS,
    check_embedded,
    check_particles,
    check_plan,
    check_short,
    settings_of,
)

NAMES = settings_of("rnn", "seq2seq", "rollout", "storn")


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
def test_latents_from_the_prior_are_drawn_at_once_too(name, kind, monkeypatch):
    check_plan(name, kind, monkeypatch, proposal="prior")


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_short_sequences(name, steps, monkeypatch):
    check_short(name, steps, monkeypatch)


@pytest.mark.parametrize("name", NAMES)
def test_features_equal_those_of_the_reference(name):
    check_embedded(name)


@pytest.mark.parametrize("name", ["rnn", "seq2seq-same", "rollout-autoencoding-step", "storn"])
def test_a_particle_bound_reads_the_same(name):
    check_particles(name)
