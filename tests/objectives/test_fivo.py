"""The filtering bound: unbiased, tight under the exact posterior, and with the gradient that it says."""

import math

import numpy as np
import pytest
import torch
from tests.helpers import enumeration, kalman_worlds
from tests.helpers.enumeration import CASES, make_chain_world
from tests.helpers.filters import filtered, particle_case
from tests.helpers.kalman_worlds import SEEDS, make_exact_posterior, make_kalman_world
from tests.helpers.linear_models import make_linear_world
from tests.helpers.monte_carlo import assert_mean, repeat

from vrnn.inference.noise import draw_noise
from vrnn.inference.particle_filter import FilterConfig, particle_filter
from vrnn.inference.random_numbers import seeded
from vrnn.objectives.bound import BoundConfig
from vrnn.objectives.fivo import fivo, resampling_term

ALWAYS = BoundConfig(resample_below=1.0)


@pytest.mark.parametrize(("emission", "gaps", "latent"), CASES)
@pytest.mark.parametrize("samples", [3, 25])
@torch.no_grad()
def test_estimates_of_a_chain_are_unbiased(emission, gaps, latent, samples):
    world, runs = make_chain_world(emission, gaps, latent), 2000
    noise = draw_noise(world.model, samples, runs, enumeration.TIME, seeded(1), resampling=True)
    found = fivo(world.model, repeat(world.batch, runs), noise, ALWAYS).bound.numpy()
    found = found - math.log(world.paths.p.sum())
    assert_mean(np.exp(found), 1.0, resolution=0.2)
    assert found.mean() < 4 * found.std() / math.sqrt(runs)


@pytest.mark.parametrize("name", kalman_worlds.CONFIGS)
@pytest.mark.parametrize("seed", SEEDS)
@torch.no_grad()
def test_estimates_of_a_state_space_model(name, seed):
    """exp(estimate) is unbiased; the estimate itself lies low by its bias, half its variance."""
    world = make_kalman_world(name, seed)

    def estimates(samples: int, runs: int, config: BoundConfig) -> np.ndarray:
        noise = draw_noise(
            world.model, samples, runs, kalman_worlds.TIME, seeded(1), resampling=True
        )
        found = fivo(world.model, repeat(world.batch, runs), noise, config).bound.numpy()
        return found - world.exact.log_prob.sum()

    assert_mean(np.exp(estimates(8, 2000, ALWAYS)), 1.0, resolution=0.25)
    found = estimates(400, 60, BoundConfig())
    assert_mean(np.exp(found), 1.0, resolution=0.15)
    assert_mean(found + found.var() / 2, 0.0, resolution=0.15)


@pytest.mark.parametrize("seed", SEEDS)
@torch.no_grad()
def test_under_the_exact_posterior_every_step_is_exact(seed):
    model, batch, exact = make_exact_posterior(seed)
    noise = draw_noise(model, 5, 1, 5, seeded(1), resampling=True)
    np.testing.assert_allclose(particle_filter(model, batch, noise).log_prob[0], exact, atol=1e-9)
    assert float(fivo(model, batch, noise).bound) == pytest.approx(exact.sum(), abs=1e-9)


@torch.no_grad()
def test_settings_are_those_of_the_filter():
    """The scheme is multinomial with the term of the choices, whose value is 0."""
    model, case = particle_case("vrnn")
    config = BoundConfig(resample_below=0.9, kl_weight=0.4, first_scored=2)
    expected = filtered(model, case, FilterConfig(threshold=0.9, ratio_weight=0.4, unscored=2))
    found = fivo(model, case.batch, case.noise, config)
    torch.testing.assert_close(found.bound, expected.log_prob.sum(-1))
    torch.testing.assert_close(found.nll, -found.bound)
    with_term = fivo(
        model, case.batch, case.noise, BoundConfig(resample_below=0.9, resampling_term=True)
    )
    expected = filtered(model, case, FilterConfig(threshold=0.9, scheme="multinomial"))
    torch.testing.assert_close(with_term.bound, expected.log_prob.sum(-1))
    torch.testing.assert_close(with_term.nll, -with_term.bound)
    assert bool((expected.log_choice != 0).any())


@pytest.mark.parametrize(("world", "step"), [("linear", 0.2), ("kalman", 0.1)])
def test_gradient_with_the_resampling_term_is_that_of_the_expected_bound(world, step):
    """By common random numbers against central differences; the gradient without the term is off."""
    if world == "linear":
        model, _, batch, *_ = make_linear_world("vrnn", "complete")
        parameter = model.head[-1].bias
    else:
        model, _, _, batch, *_ = make_kalman_world("vrnn", 1)
        parameter = model.prior_head.net[-1].bias
    runs, particles = 60000, 2
    batch = repeat(batch, runs)
    noise = draw_noise(model, particles, runs, 5, seeded(3), resampling=True)
    direction = torch.zeros_like(parameter)
    direction[:2] = 1.0
    config = FilterConfig(threshold=1.0, scheme="multinomial")

    filtered_once = particle_filter(model, batch, noise, config)
    slopes = []
    for value in (filtered_once.log_prob.sum(-1), resampling_term(filtered_once)):
        (gradient,) = torch.autograd.grad(value.mean(), parameter, retain_graph=True)
        slopes.append(float(gradient @ direction))
    plain, term = slopes
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            parameter += sign * step * direction
            values.append(particle_filter(model, batch, noise, config).log_prob.sum(-1))
            parameter -= sign * step * direction
    slope = (values[0] - values[1]) / (2 * step)
    error = 5 * float(slope.std() / math.sqrt(runs))
    assert plain + term == pytest.approx(float(slope.mean()), abs=error)
    assert abs(plain - float(slope.mean())) > error
    assert not resampling_term(filtered_once).any()  # a value of 0: the bound stays what it is
