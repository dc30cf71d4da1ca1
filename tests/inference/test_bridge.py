"""Bridges: the estimate of the likelihood stays unbiased whatever they foretell, and where tracks are smooth they help."""

import math

import pytest
import torch
from tests.inference.test_particles import repeat
from tests.models.test_linear_gaussian import CONFIGS, make_world
from torch import nn

from vrnn.data.batch import make_batch
from vrnn.inference.begin import begin
from vrnn.inference.bridge import build_bridge, masked_inverse, missing_inside
from vrnn.inference.imagine import imagine
from vrnn.inference.noise import draw_noise, seeded
from vrnn.inference.particles import filter_steps, first_belief
from vrnn.inference.resampling import effective_size
from vrnn.inference.step import embed
from vrnn.models import VRNNConfig, make_model

UNCONDITIONAL = [name for name in CONFIGS if "forecasting" not in name]


def run(model, batch, particles: int, seed: int, bridge=None):
    """Give the steps of a filter and its noise."""
    noise = draw_noise(model, particles, len(batch.x), batch.x.shape[1], seeded(seed), resampling=True)
    embedded = embed(model, batch)
    start = first_belief(model, batch, noise, embedded)[0]
    potential = None if bridge is None else bridge.log_potential
    return noise, filter_steps(model, batch, noise, embedded, start, threshold=0.9, potential=potential)


def learnt(model, batch, particles: int = 50, seed: int = 1):
    noise, steps = run(model, batch, particles, seed)
    return build_bridge(model, batch, noise, model.embed_inputs(batch.u), steps)


@pytest.mark.parametrize("name", UNCONDITIONAL)
@pytest.mark.parametrize("gaps", ["gaps", "summed"])
@torch.no_grad()
def test_estimate_stays_unbiased(name, gaps):
    world, runs = make_world(name, gaps), 2000
    batch = repeat(world.batch, runs)
    bridge = learnt(world.model, batch)
    _, steps = run(world.model, batch, 6, 2, bridge)
    ratio = (torch.stack([s.log_prob for s in steps]).sum(0) - world.exact()).exp()
    error = float(ratio.std() / math.sqrt(runs))
    assert float(ratio.mean()) == pytest.approx(1.0, abs=4 * error + 1e-9)


def velocities() -> nn.Module:
    """Make a VRNN of displacements that are the one before plus an innovation carried by the latent, seen sharply."""
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
        model.prior_head.net[-1].bias[1] = math.log(math.expm1(0.3 - 1e-3))
        joint = model.posterior_head  # q(z | x_t, x_{t-1}) = N(x_t - x_{t-1}, 0.1)
        joint.of_fixed.weight[0, 0], joint.of_state.weight[0, 0] = 1.0, -1.0
        joint.of_fixed.bias[1] = math.log(math.expm1(0.1 - 1e-3))
        model.head[-1].weight[0, 0] = model.head[-1].weight[0, 1] = 1.0  # x_t = x_{t-1} + z_t
        model.head[-1].bias[1] = narrow
    return model


@torch.no_grad()
def test_bridges_carry_particles_over_a_gap_though_the_posterior_is_told_what_comes():
    model, time = velocities(), 12
    empty = make_batch(torch.zeros(40, time, 1).double())
    noise = draw_noise(model, 1, 40, time, seeded(3))
    x = imagine(model, begin(model, empty.split(0)[0], noise), empty.u, noise).x[0]
    x[:, 7] = x[:, 3:8].sum(1)  # what is seen after a gap of four is the whole way
    x[:, 3:7] = torch.nan
    batch = make_batch(x, summed=torch.tensor([True]))
    assert missing_inside(batch).sum(1).eq(4).all()
    bridge, kept = learnt(model, batch, 200), []
    for led in (None, bridge):
        _, steps = run(model, batch, 300, 4, led)
        sizes = [effective_size(s.belief.log_weight) for s in steps]
        kept.append(float(sizes[7].median()))
    assert kept[1] > 3 * kept[0], kept


def test_a_column_that_is_not_there_says_nothing():
    spread = torch.tensor([[2.0, 0.5, 0.1], [0.5, 1.0, 0.2], [0.1, 0.2, 3.0]]).double()
    there = torch.tensor([True, False, True])
    found = masked_inverse(spread, there)
    part = torch.linalg.inv(spread[there][:, there])
    torch.testing.assert_close(found[there][:, there], part)
    assert not found[1].any() and not found[:, 1].any()
