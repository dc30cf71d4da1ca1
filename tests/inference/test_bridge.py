"""Bridges: the estimate of the likelihood stays unbiased whatever they foretell, and where tracks are smooth they help."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from tests.inference.test_particles import repeat
from tests.models.test_linear_gaussian import CONFIGS, make_world
from torch import nn

from vrnn.data.batch import Batch
from vrnn.inference.noise import draw_noise, seeded
from vrnn.inference.particle_filter import filter_steps, first_belief
from vrnn.inference.resampling import effective_size
from vrnn.inference.rollout import condition, rollout
from vrnn.inference.smoother import smooth
from vrnn.inference.step import embed
from vrnn.inference.twisting import (
    FREEDOM,
    Guided,
    build_bridge,
    fit_student,
    masked_inverse,
    missing_inside,
)
from vrnn.models.registry import make_model
from vrnn.models.vrnn import VRNNConfig

UNCONDITIONAL = [name for name in CONFIGS if "forecasting" not in name]


def run(model, batch, particles: int, seed: int, bridge=None, draws: int = 4):
    """Give the steps of a filter and its noise."""
    noise = draw_noise(
        model, particles, len(batch.x), batch.x.shape[1], seeded(seed), resampling=True
    )
    embedded = embed(model, batch)
    start = first_belief(model, batch, noise, embedded)[0]
    guide = None if bridge is None else Guided(bridge, seeded(seed, 1), draws)
    return noise, filter_steps(model, batch, noise, embedded, start, threshold=0.9, guide=guide)


def learnt(model, batch, particles: int = 50, seed: int = 1):
    noise, steps = run(model, batch, particles, seed)
    return build_bridge(model, batch, noise, model.embed_inputs(batch.u), steps)


@pytest.mark.parametrize("name", UNCONDITIONAL)
@pytest.mark.parametrize("gaps", ["gaps", "is_increment"])
@torch.no_grad()
def test_estimate_stays_unbiased(name, gaps):
    world, runs = make_world(name, gaps), 2000
    batch = repeat(world.batch, runs)
    bridge = learnt(world.model, batch)
    _, steps = run(world.model, batch, 6, 2, bridge)
    ratio = (torch.stack([s.log_prob for s in steps]).sum(0) - world.exact()).exp()
    error = float(ratio.std() / math.sqrt(runs))
    assert float(ratio.mean()) == pytest.approx(1.0, abs=4 * error + 1e-9)


def velocities(by_latent: bool = True) -> nn.Module:
    """Make a VRNN of displacements that are the one before plus an innovation: carried by the latent and seen sharply, or all in the emission."""
    model = make_model(VRNNConfig(1, hidden=1, latent_dim=1, depth=0, emission="gaussian")).double()

    class Keep(nn.Module):
        """h_t = x_t: the cell remembers the last displacement."""

        hidden = carry_dim = gates = 1

        def project(self, inputs):
            return inputs[..., :1]

        def output(self, carry):
            return carry

        def step(self, projected, carry):
            return projected.expand(carry.shape)

    model.cell = Keep()
    model.of_latent = nn.Linear(1, 1, bias=False).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        narrow = math.log(math.expm1(0.03 - 1e-3))
        wide = math.log(math.expm1(0.3 - 1e-3))
        model.prior_head.net[-1].bias[1] = wide
        joint = model.posterior_head  # q(z | x_t, x_{t-1}) = N(x_t - x_{t-1}, 0.1)
        joint.of_fixed.weight[0, 0], joint.of_state.weight[0, 0] = (
            float(by_latent),
            -float(by_latent),
        )
        joint.of_fixed.bias[1] = math.log(math.expm1(0.1 - 1e-3)) if by_latent else wide
        model.head[-1].weight[0, 0] = float(by_latent)  # x_t = z_t + x_{t-1}
        model.head[-1].weight[0, 1] = 1.0
        model.head[-1].bias[1] = narrow if by_latent else wide
    return model


def drawn_with_gaps(model: nn.Module, time: int, starts: list[int], count: int = 40):
    """Draw sequences of the model, of which four rows are missing from every start on; what is seen after them is the whole way."""
    empty = Batch.of(torch.zeros(count, time, 1).double())
    noise = draw_noise(model, 1, count, time, seeded(3))
    x = rollout(model, condition(model, empty.split(0)[0], noise), empty.u, noise).x[0]
    for start in starts:
        x[:, start + 4] = x[:, start : start + 5].sum(1)
        x[:, start : start + 4] = torch.nan
    return Batch.of(x, is_increment=torch.tensor([True]))


@torch.no_grad()
def test_bridges_carry_particles_over_a_gap_though_the_posterior_is_told_what_comes():
    model = velocities()
    batch = drawn_with_gaps(model, 12, [3])
    assert missing_inside(batch).sum(1).eq(4).all()
    bridge, kept = learnt(model, batch, 200), []
    for led in (None, bridge):
        _, steps = run(model, batch, 300, 4, led)
        sizes = [effective_size(s.belief.log_weight) for s in steps]
        kept.append(float(sizes[7].median()))
    assert kept[1] > 3 * kept[0], kept


@torch.no_grad()
def test_particles_that_choose_among_draws_lose_fewer():
    model = velocities(by_latent=False)
    batch, least = drawn_with_gaps(model, 12, [3]), []
    bridge = learnt(model, batch, 200)
    for draws in (1, 32):
        _, steps = run(model, batch, 300, 4, bridge, draws)
        sizes = torch.stack([effective_size(s.belief.log_weight) for s in steps])
        least.append(float(sizes[3:7].min(0).values.median()))
    assert least[1] > 1.5 * least[0], least


@torch.no_grad()
def test_paths_through_many_gaps_are_those_of_an_exact_smoother():
    model = velocities(by_latent=False)
    batch = drawn_with_gaps(model, 60, [3, 11, 19, 27, 35, 43, 51], count=12)
    found = smooth(model, batch, 50, seeded(5), particles=1000).x[..., 0]
    exact_mean, exact_sd = exact_smoother(batch)
    gaps = missing_inside(batch)
    off = ((found.mean(0) - exact_mean) / exact_sd)[gaps]
    spread = (found.std(0) / exact_sd)[gaps]
    assert float(off.square().mean()) < 2 / 50 and float(spread.mean()) == pytest.approx(
        1.0, abs=0.05
    )


@torch.no_grad()
def test_lineages_that_ran_together_begin_anew_at_an_earlier_row(monkeypatch):
    """Forced at every gap: paths still come back to what is seen, are near those of an exact smoother, and of few particles differ more."""
    model = velocities(by_latent=False)
    batch, distinct = drawn_with_gaps(model, 60, [3, 11, 19, 27, 35, 43, 51], count=12), []
    for share in (1000, 1):
        monkeypatch.setattr("vrnn.inference.smoother.SHARE", share)
        found = smooth(model, batch, 50, seeded(5), particles=30).x[..., 0]
        distinct.append(np.mean([len(found[:, i, 3].unique()) for i in range(12)]))
    assert distinct[1] > 2 * distinct[0], distinct
    found = smooth(model, batch, 50, seeded(5), particles=1000).x[..., 0]
    for start in (3, 27, 51):  # what is seen after a gap is the whole way
        way = found[:, :, start : start + 5].sum(-1)
        torch.testing.assert_close(way, batch.x[:, start + 4, 0].expand_as(way))
    exact_mean, exact_sd = exact_smoother(batch)
    gaps = missing_inside(batch)
    off = ((found.mean(0) - exact_mean) / exact_sd)[gaps]
    assert float(off.square().mean()) < 3 / 50
    assert float((found.std(0) / exact_sd)[gaps].mean()) == pytest.approx(1.0, abs=0.05)


def exact_smoother(batch):
    """Mean and deviation of every displacement given what is seen: all are jointly Gaussian, x_t = x_{t-1} + 0.3 e_t, x_0 = 0.3 e_0."""
    count, time, _ = batch.x.shape
    law = (
        0.09
        * torch.minimum(*torch.meshgrid(*[torch.arange(1, time + 1)] * 2, indexing="ij")).double()
    )
    means, deviations = [], []
    for i in range(count):
        seen, since, rows = [], 0, []
        for t in range(time):
            if bool(batch.mask[i, t]):
                row = torch.zeros(time).double()
                row[since : t + 1] = 1.0
                seen.append(row)
                rows.append(batch.x[i, t, 0])
                since = t + 1
        a, y = torch.stack(seen), torch.stack(rows)
        gain = law @ a.T @ torch.linalg.inv(a @ law @ a.T + 1e-9 * torch.eye(len(a)).double())
        means.append(gain @ y)
        deviations.append((law - gain @ a @ law).diagonal().clamp(min=0).sqrt())
    return torch.stack(means), torch.stack(deviations)


def test_bridges_fit_heavy_tails_by_likelihood():
    """The fit is a maximum of the Student-t likelihood, which scipy agrees on in one dimension."""
    random = np.random.default_rng(0)
    y = 2.0 + 0.5 * scipy.stats.t.rvs(FREEDOM, size=4000, random_state=random)
    phi, weight = torch.ones(4000, 1, 1, 1).double(), torch.full((4000, 1, 1), 1 / 4000).double()
    solved, spread = fit_student(phi, torch.from_numpy(y).view(-1, 1, 1, 1), weight)
    _, place, scale = scipy.stats.t.fit(y, fdf=FREEDOM)
    assert float(solved) == pytest.approx(place, abs=2e-3)
    assert float(spread.sqrt()) == pytest.approx(scale, rel=0.02)


def test_a_column_that_is_not_there_says_nothing():
    spread = torch.tensor([[2.0, 0.5, 0.1], [0.5, 1.0, 0.2], [0.1, 0.2, 3.0]]).double()
    there = torch.tensor([True, False, True])
    found = masked_inverse(spread, there)
    part = torch.linalg.inv(spread[there][:, there])
    torch.testing.assert_close(found[there][:, there], part)
    assert not found[1].any() and not found[:, 1].any()
