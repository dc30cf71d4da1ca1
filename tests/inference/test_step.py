"""One step: beliefs, the global latent, steps put on one axis, and which steps are complete."""

import math
from typing import NamedTuple

import pytest
import torch
from tests.models.settings import CONFIGS, build, each, make_case
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian
from vrnn.distributions.tree import tensors_of
from vrnn.inference.embed import embed
from vrnn.inference.noise import draw_noise
from vrnn.inference.random_numbers import seeded
from vrnn.inference.step import (
    Belief,
    SamplePath,
    StepNoise,
    advance,
    complete_steps,
    draw_global,
    stack_steps,
    start_belief,
    time_steps,
)
from vrnn.inference.traits import has_global_latent
from vrnn.inference.unroll import unroll


class Pair(NamedTuple):
    """A state of two parts."""

    a: Tensor
    b: Tensor


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed)).double()


def test_steps_are_stacked_on_a_new_axis():
    steps = [Pair(draw(4, 2, seed=t), draw(4, 1, seed=10 + t)) for t in range(3)]
    found = stack_steps(steps, 1)
    assert found.a.shape == (4, 3, 2) and found.b.shape == (4, 3, 1)
    assert all(torch.equal(found.a[:, t], steps[t].a) for t in range(3))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_constants_are_expanded_and_not_copied(axis):
    """A part that is one tensor at every step has a stride of 0 along the new axis."""
    constant = draw(4, 2)
    found = stack_steps([Pair(constant, draw(4, 2, seed=t)) for t in range(3)], axis)
    expected = torch.stack([constant] * 3, axis)
    assert torch.equal(found.a, expected) and found.a.stride(axis) == 0
    assert found.a.data_ptr() == constant.data_ptr() and found.b.stride(axis) != 0


def test_steps_of_other_shapes_are_broadcast():
    """A first state that all samples share stacks with states of each sample."""
    first, later = draw(1, 4, 2), draw(3, 4, 2, seed=1)
    found = stack_steps([DiagonalGaussian(t, t.exp()) for t in (first, later)], 2)
    assert found.mean.shape == (3, 4, 2, 2)
    assert torch.equal(found.mean[:, :, 0], first.expand(3, 4, 2))


def belief(seed: int, count: int = 3) -> Belief:
    state = Pair(draw(2, count, 4, seed=seed), draw(2, count, 0))
    return Belief(state, draw(2, count, 1, seed=seed + 1), draw(2, count, seed=seed + 2))


def test_belief_of_the_sequences_that_moved():
    """All of a belief is chosen sequence by sequence: state, pending, weights."""
    new, old = belief(0), belief(10)
    moved = torch.tensor([True, False, True])
    for part, a, b in zip(*map(tensors_of, (new.where(moved, old), new, old)), strict=True):
        assert torch.equal(part[:, moved], a[:, moved]) and torch.equal(part[:, 1], b[:, 1])
    assert new.where(torch.ones(3, dtype=torch.bool), old) is new
    halved = new.map(lambda t: t[:1])
    assert halved.log_weight.shape == (1, 3) and halved.state.a.shape == (1, 3, 4)


@pytest.mark.parametrize("name", each(CONFIGS))
@torch.no_grad()
def test_first_belief_has_equal_weights_and_nothing_pending(name):
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name])
    embedded = embed(model, case.batch, case.prefix)
    once = draw_global(model, case.noise.global_latent, embedded.context)
    found = start_belief(model, once.z, embedded.context, model.observation.dim)
    assert found.pending.shape == (2, 4, model.observation.dim) and not found.pending.any()
    torch.testing.assert_close(found.log_weight, torch.full((2, 4), -math.log(2)).double())
    assert all(t.shape[:2] == (2, 4) for t in tensors_of(found.state))
    if not has_global_latent(model):
        for a, b in zip(found.state, model.initial_state(), strict=True):
            assert torch.equal(a, b.expand_as(a))


@pytest.mark.parametrize("name", each([n for n in CONFIGS if n.startswith("rollout-autoencoding")]))
@torch.no_grad()
def test_global_latent_is_of_the_posterior_where_anything_is_observed(name):
    """It is of the prior without evidence, and for a sequence without a point."""
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name])
    present = case.batch.present.clone()
    present[1] = False
    batch = case.batch._replace(present=present)
    embedded, normals = embed(model, batch), case.noise.global_latent
    blind = draw_global(model, normals, embedded.context)
    assert blind.prior is blind.posterior
    torch.testing.assert_close(blind.z, blind.prior.sample(normals))
    found = draw_global(model, normals, embedded.context, batch=batch, evidence=embedded.evidence)
    torch.testing.assert_close(found.z, found.posterior.sample(normals))
    own = model.global_posterior(embedded.context, embedded.evidence)
    if own is None:  # the latent is drawn at every step; only noise is drawn once
        assert found.posterior is found.prior
        return
    assert found.posterior is not found.prior
    torch.testing.assert_close(found.z[:, 1], blind.z[:, 1])
    torch.testing.assert_close(found.z[:, 0], own.sample(normals)[:, 0])
    assert not torch.allclose(found.posterior.mean[0], blind.posterior.mean[0])


def test_a_model_without_a_global_latent_draws_one_of_width_0():
    model = build(CONFIGS["vrnn"])
    found = draw_global(model, torch.zeros(2, 4, 0), torch.zeros(4, 0))
    assert found.z.shape == (2, 4, 0) and found.prior is found.posterior
    assert found.prior.log_prob(found.z).shape[-1] == 4


def test_a_step_is_complete_where_nothing_is_drawn_now_or_was_before():
    x = torch.zeros(2, 6, 2)
    x[0, 2] = torch.nan
    x[1, 4:] = torch.nan  # past its length, so it is padding
    batch = Batch.of(x, length=torch.tensor([6, 4]))
    start = Belief(Pair(x[None, :, 0], x[None, :, 0]), torch.zeros(1, 2, 2), torch.zeros(1, 2))
    assert complete_steps(batch, start) == [True, True, False, False, True, True]
    drawn = start._replace(pending=torch.ones(1, 2, 2))
    assert complete_steps(batch, drawn) == [False, True, False, False, True, True]


@torch.no_grad()
def test_prior_as_the_proposal_reads_no_evidence():
    model = build(CONFIGS["vrnn"])
    case = make_case(model, CONFIGS["vrnn"])
    embedded = embed(model, case.batch)
    spoilt = embedded._replace(evidence=torch.full_like(embedded.evidence, torch.nan))
    found = unroll(model, case.batch, case.noise, proposal="prior", embedded=spoilt)
    expected = unroll(model, case.batch, case.noise, proposal="prior", embedded=embedded)
    torch.testing.assert_close(found.log_weight, expected.log_weight)
    assert found.log_weight.isfinite().all() and not found.log_ratio.any()


@torch.no_grad()
def test_a_step_without_a_needed_emission_has_none():
    """Only where something is missing does a step draw from the emission."""
    model = build(CONFIGS["vrnn"])
    case = make_case(model, CONFIGS["vrnn"], gaps=False)
    x = case.batch.x.clone()
    x[0, 1] = torch.nan
    batch = Batch.of(x)
    noise = draw_noise(model, 2, 4, 9, seeded(0))
    embedded = embed(model, batch)
    start = start_belief(model, noise.global_latent, embedded.context, 2)
    steps = [*time_steps(batch, embedded, start)]
    records = []
    for t in range(2):
        normals = StepNoise(noise.latent[:, :, t], noise.observation[:, :, t])
        records.append(advance(model, start, steps[t], normals, batch))
        start = Belief(records[-1].state, records[-1].pending, start.log_weight)
    assert records[0].emission is None and records[0].x.shape == (4, 2)
    assert records[1].emission is not None and records[1].x.shape == (2, 4, 2)
    assert torch.equal(records[1].x[:, 1:], batch.x[1:, 1].expand(2, 3, 2))


@pytest.mark.parametrize("name", ["vrnn", "rnn", "srnn"])
@torch.no_grad()
def test_first_particle_follows_a_given_path(name):
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name])
    embedded = embed(model, case.batch)
    start = start_belief(model, case.noise.global_latent, embedded.context, 2)
    step = next(time_steps(case.batch, embedded, start))  # the second sequence misses its first
    given = SamplePath(draw(4, 0), draw(4, model.latent.dim, seed=7), draw(4, 2, seed=8))
    normals = StepNoise(case.noise.latent[:, :, 0], case.noise.observation[:, :, 0])
    found = advance(model, start, step, normals, case.batch, path=given)
    free = advance(model, start, step, normals, case.batch)
    assert torch.equal(found.latent[0], given.latent)
    assert torch.equal(found.x[0, 1], given.x[1]) and torch.equal(found.x[0, 0], step.x[0])
    assert torch.equal(found.latent[1], free.latent[1]) and torch.equal(found.x[1], free.x[1])
