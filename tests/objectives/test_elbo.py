"""The evidence lower bound against exact densities, and as it goes on from a belief."""

import math

import pytest
import torch
from tests.helpers import kalman_worlds
from tests.helpers.kalman_worlds import make_exact_posterior
from tests.helpers.linear_models import CONFIGS as LINEAR
from tests.helpers.linear_models import make_linear_world
from tests.helpers.monte_carlo import assert_mean, repeat
from tests.models.settings import CONFIGS, build, make_case, run

import vrnn
from vrnn.data.batch import Batch
from vrnn.inference.noise import draw_noise
from vrnn.inference.random_numbers import seeded
from vrnn.objectives.bound import BoundConfig
from vrnn.objectives.elbo import elbo
from vrnn.objectives.terms import elbo_terms


@pytest.mark.parametrize("name", [n for n in LINEAR if n.startswith("rnn")])
@torch.no_grad()
def test_it_is_exact_for_an_rnn_without_gaps(name):
    world = make_linear_world(name, "complete")
    noise = draw_noise(world.model, 1, 1, 5, seeded(0))
    found = elbo(world.model, world.batch, noise).bound
    assert float(found) == pytest.approx(world.exact(), abs=1e-9)


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("gaps", ["complete", "gaps", "increments"])
@torch.no_grad()
def test_it_lies_below_the_exact_density(name, gaps):
    """It is the mean of the sampled log-weights, with the KL in closed form."""
    world, samples = make_linear_world(name, gaps), 4000
    unrolled = world.run(samples, "posterior", seed=2)
    values = elbo_terms(world.model, unrolled).bound[:, 0]
    error = float(values.std() / math.sqrt(samples))
    assert float(values.mean()) <= world.exact() + 4 * error + 1e-9
    difference = values - unrolled.log_weight[:, 0]
    tolerance = 5 * float(difference.std()) / math.sqrt(samples) + 1e-9
    assert float(difference.mean()) == pytest.approx(0.0, abs=tolerance)


@pytest.mark.parametrize("seed", kalman_worlds.SEEDS)
@torch.no_grad()
def test_the_exact_posterior_leaves_no_gap(seed):
    model, batch, log_prob = make_exact_posterior(seed)
    noise = draw_noise(model, 1, 2000, 5, seeded(2))
    found = elbo(model, repeat(batch, 2000), noise).bound.numpy()
    # A KL in closed form leaves the noise of log p(x | z).
    assert_mean(found, log_prob.sum(), resolution=0.5)


@torch.no_grad()
def test_bound_is_the_mean_over_samples():
    model = build(CONFIGS["vrnn"])
    case = make_case(model, CONFIGS["vrnn"], samples=5)
    expected = elbo_terms(model, run(model, case)).bound
    found = elbo(model, case.batch, case.noise)
    torch.testing.assert_close(found.bound, expected.mean(0))
    warm = elbo(model, case.batch, case.noise, BoundConfig(kl_weight=0.3))
    torch.testing.assert_close(warm.bound, found.bound)
    torch.testing.assert_close(warm.penalty, 0.3 * found.penalty)


def test_certain_bernoulli_has_a_finite_loss_and_gradient():
    """In published code log(1 - p - eps) gives NaN where p is rounded to 1."""
    model = build(vrnn.VRNNConfig(3, hidden=5, latent_dim=3, emission="bernoulli")).float()
    with torch.no_grad():
        model.head[-1].bias.copy_(torch.tensor([1e4, -1e4, 200.0]))
    batch = Batch.of(torch.tensor([[[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]]))
    bound = elbo(model, batch, generator=seeded(0)).bound
    bound.sum().backward()
    assert bool(bound.isfinite())
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in model.parameters())


def test_gradient_is_that_of_finite_differences():
    """Of every kind of model, in the direction of each weight that matters most."""
    for name in ("vrnn", "srnn", "dmm", "storn", "seq2seq-same", "rollout-autoencoding-carried"):
        model = build(CONFIGS[name])
        case = make_case(model, CONFIGS[name])
        loss = lambda m=model, c=case: elbo(m, c.batch, c.noise).bound.sum()  # noqa: E731
        loss().backward()
        for parameter in model.parameters():
            if parameter.grad is None or not parameter.grad.numel():
                continue
            at, values = int(parameter.grad.abs().argmax()), []
            with torch.no_grad():
                for step in (1e-5, -1e-5):
                    parameter.view(-1)[at] += step
                    values.append(float(loss()))
                    parameter.view(-1)[at] -= step
            found = float(parameter.grad.view(-1)[at])
            assert (values[0] - values[1]) / 2e-5 == pytest.approx(found, rel=1e-4, abs=1e-5)
