"""The plans of models in which a latent depends on the one before it, against the loop."""

import pytest
import torch
from tests.helpers.fast_paths import (
    CONFIGS,
    KINDS,
    check_embedded,
    check_particles,
    check_plan,
    check_short,
    make_case,
    settings_of,
)
from tests.models.settings import build

from vrnn.distributions import positive
from vrnn.fastpath.markov import chain_of_srnn
from vrnn.inference.embed import embed

NAMES = settings_of("srnn", "dmm")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_the_plan_equals_the_loop(name, kind, monkeypatch):
    check_plan(name, kind, monkeypatch)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_the_plan_equals_the_loop_with_any_number_of_samples(name, samples, monkeypatch):
    check_plan(name, "unequal", monkeypatch, samples)


@pytest.mark.parametrize("name", NAMES)
def test_latents_from_the_prior_are_left_to_the_loop(name, monkeypatch):
    check_plan(name, "unequal", monkeypatch, proposal="prior")


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_short_sequences(name, steps, monkeypatch):
    check_short(name, steps, monkeypatch)


@pytest.mark.parametrize("name", NAMES)
def test_features_equal_those_of_the_reference(name):
    check_embedded(name)


@pytest.mark.parametrize("name", ["srnn", "dmm"])
def test_a_particle_bound_reads_the_same(name):
    check_particles(name)


@pytest.mark.parametrize("name", ["srnn", "srnn-lstm-u", "srnn-pen"])
def test_the_chain_of_an_srnn_is_its_posterior(name):
    """At one step, from any latent: mean and raw scale of the chain are the posterior's."""
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], "even")
    embedded = embed(model, case.batch)
    d = torch.randn(len(case.batch.x), case.batch.x.shape[1], model.cell.carry_dim).double()
    z = torch.randn(*d.shape[:2], model.latent.dim).double()
    chain = chain_of_srnn(model, model.cell.output(d), embedded)
    layer = torch.relu(z @ chain.weight_z.T + chain.inside)
    mean, raw = (layer @ chain.out.T + chain.outside)[0].chunk(2, -1)
    state = model.initial_state()._replace(d=d, z=z, u=embedded.inputs)
    expected = model.posterior(state, embedded.evidence)
    torch.testing.assert_close(mean, expected.mean, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(positive(raw), expected.scale, rtol=1e-10, atol=1e-10)
