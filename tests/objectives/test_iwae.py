"""The importance-weighted bound: unbiased weights, a bound that rises, and the steps that count."""

import math

import numpy as np
import pytest
import torch
from tests.helpers import enumeration, kalman_worlds
from tests.helpers.enumeration import CASES, make_chain_world
from tests.helpers.kalman_worlds import SEEDS, make_exact_posterior, make_kalman_world
from tests.helpers.linear_models import CONFIGS as LINEAR
from tests.helpers.linear_models import make_linear_world
from tests.helpers.monte_carlo import assert_mean, repeat
from tests.models.settings import CONFIGS, build, each, make_case, run

from vrnn.inference.noise import Noise, draw_noise
from vrnn.inference.random_numbers import seeded
from vrnn.inference.unroll import unroll
from vrnn.objectives import BOUNDS
from vrnn.objectives.bound import BoundConfig
from vrnn.objectives.iwae import importance_bound, iwae, log_weights


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("gaps", ["complete", "gaps", "increments"])
@pytest.mark.parametrize("proposal", ["posterior", "prior"])
@torch.no_grad()
def test_importance_weights_average_to_the_exact_density(name, gaps, proposal):
    world, samples = make_linear_world(name, gaps), 10000
    log_weight = world.run(samples, proposal, seed=1).log_weight[:, 0]
    ratio = (log_weight - world.exact()).exp()
    error = float(ratio.std() / math.sqrt(samples))
    effective = float(ratio.sum() ** 2 / ratio.square().sum()) / samples
    assert effective > 0.05, f"the weights are too uneven to prove anything ({effective:.3f})"
    assert float(ratio.mean()) == pytest.approx(1.0, abs=4 * error + 1e-9)


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("gaps", ["complete", "gaps", "increments"])
@torch.no_grad()
def test_it_lies_between_the_elbo_and_the_exact_density(name, gaps):
    world, samples = make_linear_world(name, gaps), 10000
    weights = world.run(samples, "posterior", seed=2).log_weight[:, 0]
    error = float(weights.std() / math.sqrt(samples))
    by_ten = importance_bound(weights.view(-1, 10).T)
    ten, ten_error = float(by_ten.mean()), float(by_ten.std() / math.sqrt(len(by_ten)))
    assert float(weights.mean()) <= ten + 4 * (error + ten_error) + 1e-9
    assert ten <= world.exact() + 4 * ten_error + 1e-9


@pytest.mark.parametrize(("emission", "gaps", "latent"), CASES)
@torch.no_grad()
def test_estimates_of_a_chain_are_unbiased_and_bounds_in_order(emission, gaps, latent):
    world, runs, time = make_chain_world(emission, gaps, latent), 2000, enumeration.TIME
    exact = math.log(world.paths.p.sum())

    def log_ratio(name: str, samples: int) -> np.ndarray:
        noise = draw_noise(world.model, samples, runs, time, seeded(1))
        return BOUNDS[name](world.model, repeat(world.batch, runs), noise).bound.numpy() - exact

    for samples in (5, 25):
        found = log_ratio("iwae", samples)
        assert_mean(np.exp(found), 1.0, resolution=0.2)
        assert found.mean() < 4 * found.std() / math.sqrt(runs)
    settings = (("elbo", 1), ("iwae", 5), ("iwae", 25), ("iwae", 125))
    below = [log_ratio(name, k).mean() for name, k in settings]
    if latent == "gaussian":
        assert below == sorted(below) and below[0] < -0.2 and -0.06 < below[-1] < 0
    else:  # exact at every observed step, all of them lie close but for draws within a gap
        assert (np.diff(below) > -1e-3).all() and -0.01 < below[-1] < 1e-3
        assert gaps == "inside" or below[0] > -0.2


@pytest.mark.parametrize("name", kalman_worlds.CONFIGS)
@pytest.mark.parametrize("seed", SEEDS)
@torch.no_grad()
def test_bounds_rise_to_the_likelihood(name, seed):
    """ELBO <= IWAE-K, rising in K, <= log p(x), by the same samples in groups of K."""
    world, runs, samples = make_kalman_world(name, seed), 200, 64
    exact = world.exact.log_prob.sum()
    noise = draw_noise(world.model, samples, runs, kalman_worlds.TIME, seeded(1))

    def by(count: int, name: str = "iwae") -> np.ndarray:
        size = runs * samples // count
        grouped = Noise(*(part.reshape(count, size, *part.shape[2:]) for part in noise))
        found = BOUNDS[name](world.model, repeat(world.batch, size), grouped).bound.numpy()
        return found.reshape(-1, runs).mean(0)  # of each run

    each = [by(1, "elbo"), *(by(count) for count in (1, 4, 16, 64))]
    assert_mean(each[0] - each[1], 0.0, resolution=1.5)  # the KL in closed form, and by the samples
    steps = np.diff([one.mean() for one in each[1:]])
    assert (steps > 0.02).all() and each[-1].mean() < exact
    assert exact - each[-1].mean() < 0.5 * (exact - each[1].mean())


@pytest.mark.parametrize("name", kalman_worlds.CONFIGS)
@pytest.mark.parametrize("seed", SEEDS)
@torch.no_grad()
def test_estimates_of_a_state_space_model_are_unbiased(name, seed):
    world, runs = make_kalman_world(name, seed), 300
    noise = draw_noise(world.model, 100, runs, kalman_worlds.TIME, seeded(1))
    found = iwae(world.model, repeat(world.batch, runs), noise).bound.numpy()
    assert_mean(np.exp(found - world.exact.log_prob.sum()), 1.0, resolution=0.25)


@pytest.mark.parametrize("seed", SEEDS)
@torch.no_grad()
def test_under_the_exact_posterior_every_weight_is_the_density(seed):
    model, batch, log_prob = make_exact_posterior(seed)
    exact = log_prob.sum()
    noise = draw_noise(model, 5, 1, 5, seeded(1))
    np.testing.assert_allclose(unroll(model, batch, noise).log_weight[:, 0], exact, atol=1e-9)
    assert float(iwae(model, batch, noise).bound) == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("name", each(CONFIGS))
@torch.no_grad()
def test_weights_of_the_steps_that_count(name):
    model = build(CONFIGS[name])
    unrolled = run(model, make_case(model, CONFIGS[name]))
    torch.testing.assert_close(log_weights(unrolled), unrolled.log_weight)
    later = log_weights(unrolled, start=2, ratio_start=0)
    torch.testing.assert_close(later, unrolled.log_weight - unrolled.log_prob[..., :2].sum(-1))
    half = log_weights(unrolled, ratio_weight=0.5, ratio_start=3)
    ratio = unrolled.log_ratio[..., 3:].sum(-1) + unrolled.global_log_ratio
    torch.testing.assert_close(half, unrolled.log_prob.sum(-1) + 0.5 * ratio)


@torch.no_grad()
def test_weight_of_the_kl_is_in_what_is_minimised_alone():
    model = build(CONFIGS["vrnn"])
    case = make_case(model, CONFIGS["vrnn"], samples=6)
    plain = iwae(model, case.batch, case.noise)
    warm = iwae(model, case.batch, case.noise, BoundConfig(kl_weight=0.3))
    torch.testing.assert_close(warm.bound, plain.bound)
    expected = importance_bound(log_weights(run(model, case), ratio_weight=0.3))
    torch.testing.assert_close(warm.nll, -expected)
