"""Twisting functions: whatever they foretell, the estimate stays unbiased, and on smooth tracks they help."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from tests.helpers.few import few
from tests.helpers.linear_models import CONFIGS, make_linear_world
from tests.helpers.monte_carlo import repeat
from tests.helpers.smooth_walks import drawn_with_gaps, velocity_model

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian
from vrnn.inference.embed import embed
from vrnn.inference.noise import draw_noise
from vrnn.inference.particle_filter import FilterConfig, filter_steps, first_belief
from vrnn.inference.random_numbers import seeded
from vrnn.inference.resampling import effective_size
from vrnn.inference.twisting import (
    FREEDOM,
    TwistedProposal,
    TwistingFunction,
    fit_student,
    fit_twisting_function,
    masked_inverse,
    missing_inside,
    next_ancestors,
)

UNCONDITIONAL = [name for name in CONFIGS if "forecasting" not in name]


def run(model, batch, particles: int, seed: int, function=None, draws: int = 4):
    """Return the steps of a filter, twisted by a function where there is one, and its noise."""
    count, time = batch.x.shape[:2]
    noise = draw_noise(model, particles, count, time, seeded(seed), resampling=True)
    embedded, config = embed(model, batch), FilterConfig(threshold=0.9)
    start, _ = first_belief(model, batch, noise, embedded, config)
    twist = None if function is None else TwistedProposal(function, seeded(seed, 1), draws)
    return noise, filter_steps(model, batch, noise, embedded, start, config, twist=twist)


def fitted(model, batch, particles: int = 50, seed: int = 1) -> TwistingFunction:
    noise, steps = run(model, batch, particles, seed)
    return fit_twisting_function(model, batch, noise, steps)


@pytest.mark.parametrize("name", few(UNCONDITIONAL[::-1], 3))
@pytest.mark.parametrize("gaps", ["gaps", "increments"])
@torch.no_grad()
def test_estimate_stays_unbiased(name, gaps):
    world, runs = make_linear_world(name, gaps), 2000
    batch = repeat(world.batch, runs)
    function = fitted(world.model, batch)
    _, steps = run(world.model, batch, 6, 2, function)
    ratio = (torch.stack([s.log_prob for s in steps]).sum(0) - world.exact()).exp()
    error = float(ratio.std() / math.sqrt(runs))
    assert float(ratio.mean()) == pytest.approx(1.0, abs=4 * error + 1e-9)


@torch.no_grad()
def test_estimate_stays_unbiased_under_a_function_that_misleads():
    """The function may say anything: here it sends particles away from where they have to be."""
    world, runs = make_linear_world("vrnn", "increments"), 4000
    batch = repeat(world.batch, runs)
    function = fitted(world.model, batch)
    away = function._replace(target=function.target + 1.5)
    _, steps = run(world.model, batch, 6, 2, away)
    ratio = (torch.stack([s.log_prob for s in steps]).sum(0) - world.exact()).exp()
    error = float(ratio.std() / math.sqrt(runs))
    assert error < 0.1
    assert float(ratio.mean()) == pytest.approx(1.0, abs=4 * error + 1e-9)


@torch.no_grad()
def test_particles_are_carried_over_a_gap_though_the_posterior_is_told_what_comes():
    model = velocity_model()
    batch = drawn_with_gaps(model, 12, [3])
    assert missing_inside(batch).sum(1).eq(4).all()
    function, kept = fitted(model, batch, 200), []
    for by in (None, function):
        _, steps = run(model, batch, 300, 4, by)
        sizes = [effective_size(s.belief.log_weight) for s in steps]
        kept.append(float(sizes[7].median()))
    assert kept[1] > 3 * kept[0], kept


@torch.no_grad()
def test_particles_that_choose_among_draws_lose_fewer():
    model = velocity_model(by_latent=False)
    batch, least = drawn_with_gaps(model, 12, [3]), []
    function = fitted(model, batch, 200)
    for draws in (1, 32):
        _, steps = run(model, batch, 300, 4, function, draws)
        sizes = torch.stack([effective_size(s.belief.log_weight) for s in steps])
        least.append(float(sizes[3:7].min(0).values.median()))
    assert least[1] > 1.5 * least[0], least


def one_step_function(inside: bool = True) -> TwistingFunction:
    """Return a function of one sequence that predicts x_next = 2 x_t - x_{t-1} + 0.5."""
    return TwistingFunction(
        weight=torch.tensor([2.0, -1.0, 0.5]).double().view(1, 1, 3, 1),
        precision=torch.tensor(4.0).double().view(1, 1, 1, 1),
        target=torch.tensor(3.0).double().view(1, 1, 1),
        there=torch.ones(1, 1, dtype=torch.long),
        inside=torch.tensor([[inside]]),
        columns=[0],
    )


def test_log_twist_is_a_students_t_of_the_next_point():
    """Up to a constant, with the increments drawn since the last point taken off."""
    x = torch.linspace(-1, 3, 9).double().view(9, 1, 1)
    before, pending = torch.full_like(x, 0.3), 0.2 * x
    found = one_step_function().log_twist(0, x, before, pending)[:, 0]
    away = 3.0 - pending - (2 * x - before + 0.5)
    exact = scipy.stats.t.logpdf(away[:, 0, 0].numpy(), FREEDOM, scale=0.5)
    difference = exact - found.numpy()
    np.testing.assert_allclose(difference, difference[0], atol=1e-12)
    assert not one_step_function(inside=False).log_twist(0, x, before, pending).any()


@torch.no_grad()
def test_choice_among_draws_is_properly_weighted():
    """E[psi(x^c) w g(x^c)] = E[psi(x) g(x)]: with the log-weight of the choice nothing is lost."""
    count, function = 200_000, one_step_function()
    proposal = TwistedProposal(function, seeded(0), draws=3)
    emission = DiagonalGaussian(
        torch.full((count, 1, 1), 0.4).double(), torch.ones(count, 1, 1).double()
    )
    nothing = torch.zeros(count, 1, 1).double()
    normals = torch.randn(count, 1, 1, generator=seeded(1)).double()
    step = {"t": 0, "before": nothing, "pending": nothing, "unseen": torch.tensor([[False]])}
    x, log_chosen = proposal.draw(emission, normals, None, **step)
    weight = (function.log_twist(0, x, nothing, nothing) + log_chosen).exp()[:, 0]
    plain = emission.sample(torch.randn(count, 1, 1, generator=seeded(2)).double())
    expected = function.log_twist(0, plain, nothing, nothing).exp()[:, 0]
    for power in (0, 1, 2):
        found, exact = weight * x[:, 0, 0] ** power, expected * plain[:, 0, 0] ** power
        error = float((found.var() + exact.var()).sqrt()) / math.sqrt(count)
        assert float(found.mean()) == pytest.approx(float(exact.mean()), abs=4.5 * error)
    fixed = torch.tensor([[7.0]]).double()
    x, _ = proposal.draw(emission, normals, fixed, **step)
    assert float(x[0]) == 7.0  # the path of a conditional filter stays


def test_fit_to_heavy_tails_is_by_likelihood():
    """The fit is a maximum of the Student-t likelihood, which scipy agrees on in one dimension."""
    random = np.random.default_rng(0)
    y = 2.0 + 0.5 * scipy.stats.t.rvs(FREEDOM, size=4000, random_state=random)
    phi, weight = torch.ones(4000, 1, 1, 1).double(), torch.full((4000, 1, 1), 1 / 4000).double()
    solved, spread = fit_student(phi, torch.from_numpy(y).view(-1, 1, 1, 1), weight)
    _, place, scale = scipy.stats.t.fit(y, fdf=FREEDOM)
    assert float(solved) == pytest.approx(place, abs=2e-3)
    assert float(spread.sqrt()) == pytest.approx(scale, rel=0.02)


def test_a_dimension_that_is_not_there_says_nothing():
    spread = torch.tensor([[2.0, 0.5, 0.1], [0.5, 1.0, 0.2], [0.1, 0.2, 3.0]]).double()
    there = torch.tensor([True, False, True])
    found = masked_inverse(spread, there)
    part = torch.linalg.inv(spread[there][:, there])
    torch.testing.assert_close(found[there][:, there], part)
    assert not found[1].any() and not found[:, 1].any()


def test_steps_inside_a_gap_have_a_point_to_come():
    x = torch.zeros(3, 6, 2)
    x[0, 1:3], x[1, 4:], x[2, 2:4] = torch.nan, torch.nan, torch.nan
    x[0, 5, 0] = torch.nan
    batch = Batch.of(x, length=torch.tensor([6, 6, 4]), factorises=True)
    assert missing_inside(batch).nonzero().tolist() == [[0, 1], [0, 2]]


def test_next_ancestors_are_those_of_the_next_observed_step():
    """Ancestor by ancestor, from the next observed step back."""
    ancestor = torch.randint(4, (4, 2, 6), generator=seeded(0))
    observed = torch.tensor([[1, 0, 0, 1, 0, 0], [0, 1, 0, 0, 0, 1]], dtype=torch.bool)
    found = next_ancestors(ancestor, observed)
    for b in range(2):
        for t in range(6):
            later = [s for s in range(t, 6) if observed[b, s]]
            place = torch.arange(4)
            for s in range(later[0] if later else 5, t, -1):
                place = ancestor[:, b, s][place]
            assert torch.equal(found[:, b, t], place)


def test_function_of_some_sequences():
    world = make_linear_world("vrnn", "gaps")
    with torch.no_grad():
        function = fitted(world.model, repeat(world.batch, 3))
    index = torch.tensor([2, 0, 2])
    found = function.sequences(index)
    assert found.columns == function.columns
    for a, b in zip(found[:-1], function[:-1], strict=True):
        assert torch.equal(a, b[index])
