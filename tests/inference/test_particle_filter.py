"""The particle filter against importance sampling, enumeration, Kalman and its own definition."""

import math

import numpy as np
import pytest
import torch
from tests.helpers import enumeration, kalman_worlds, linear_models
from tests.helpers.enumeration import CASES, enumerate_paths, make_chain_world
from tests.helpers.filters import filtered, particle_case
from tests.helpers.kalman_worlds import SEEDS, make_kalman_world
from tests.helpers.linear_models import make_linear_world
from tests.helpers.monte_carlo import assert_mean, assert_moments, repeat
from tests.models.settings import CONFIGS, alone, each, run

from vrnn.distributions.tree import tensors_of
from vrnn.inference.embed import embed
from vrnn.inference.noise import draw_noise
from vrnn.inference.particle_filter import FilterConfig, particle_filter
from vrnn.inference.random_numbers import seeded
from vrnn.inference.step import SamplePath
from vrnn.objectives.iwae import importance_bound
from vrnn.ops.backend import backend

ALL = pytest.mark.parametrize("name", each(CONFIGS))


@ALL
@pytest.mark.parametrize("proposal", ["posterior", "prior"])
def test_without_resampling_it_is_importance_sampling(name, proposal):
    model, case = particle_case(name)
    expected = importance_bound(run(model, case, proposal).log_weight)
    found = filtered(model, case, FilterConfig(threshold=0.0, proposal=proposal))
    torch.testing.assert_close(found.log_prob.sum(-1), expected, rtol=1e-9, atol=1e-10)
    same = torch.arange(4)[:, None, None].expand_as(found.ancestor)
    assert torch.equal(found.ancestor, same) and not found.log_choice.any()
    gradients = [
        torch.autograd.grad(value.sum(), list(model.parameters()), allow_unused=True)
        for value in (found.log_prob.sum(-1), expected)
    ]
    for parameter, a, b in zip(model.parameters(), *gradients, strict=True):
        a, b = (torch.zeros_like(parameter) if g is None else g for g in (a, b))
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9)


@ALL
@torch.no_grad()
def test_sequence_alone_gives_the_numbers_it_gives_in_a_batch(name):
    model, case = particle_case(name)
    config = FilterConfig(threshold=0.9)
    together = filtered(model, case, config)
    for i in range(4):
        one = alone(case, i)
        one = one._replace(noise=one.noise._replace(resampling=case.noise.resampling[:, i : i + 1]))
        found = filtered(model, one, config)
        length = int(case.batch.length[i])
        torch.testing.assert_close(found.log_prob[0], together.log_prob[i, :length])
        assert float(together.log_prob[i, length:].abs().sum()) < 1e-12
        assert torch.equal(found.ancestor[:, 0], together.ancestor[:, i, :length])
        for a, b in zip(tensors_of(found.belief), tensors_of(together.belief), strict=True):
            torch.testing.assert_close(a[:, 0], b[:, i].expand(a[:, 0].shape))


@ALL
@torch.no_grad()
def test_fast_steps_are_the_plain_ones(name):
    model, case = particle_case(name)
    config = FilterConfig(threshold=0.9)
    found = filtered(model, case, config)
    with backend("reference"):
        expected = filtered(model, case, config)
    assert torch.equal(found.ancestor, expected.ancestor)
    for a, b in zip(tensors_of(found), tensors_of(expected), strict=True):
        torch.testing.assert_close(a, b.expand(a.shape), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    "name", ["vrnn", "vrnn-pen", "dmm", "srnn", "rssm", "rnn", "position-vrnn-lstm-u"]
)
@torch.no_grad()
def test_filter_in_pieces_is_one_filter(name):
    """A filter goes on from the belief of another one, its weights included."""
    model, case = particle_case(name)
    config = FilterConfig(threshold=0.9)
    batch, noise, embedded = case.batch, case.noise, embed(model, case.batch)
    whole = particle_filter(model, batch, noise, config, embedded=embedded)
    for cut in (1, 4, 6):
        first, rest = batch.split(cut)
        early = particle_filter(
            model, first, noise.steps(slice(cut)), config, embedded=embedded.steps(slice(cut))
        )
        late = particle_filter(
            model,
            rest,
            noise.steps(slice(cut, None)),
            config,
            embedded=embedded.after(cut),
            start=early.belief,
        )
        joined = torch.cat([early.log_prob, late.log_prob], -1)
        torch.testing.assert_close(joined, whole.log_prob)
        for a, b in zip(tensors_of(late.belief), tensors_of(whole.belief), strict=True):
            torch.testing.assert_close(a, b.expand(a.shape))


@pytest.mark.parametrize("name", ["vrnn", "rollout-autoencoding-carried", "dmm"])
@torch.no_grad()
def test_first_steps_that_do_not_count(name):
    """They add nothing but log p(z) - log q(z), and that only where the proposal looks ahead."""
    model, case = particle_case(name)
    whole = run(model, case)
    found = filtered(model, case, FilterConfig(threshold=0.0, unscored=2))
    ratio = whole.log_ratio if name == "dmm" else whole.log_ratio[..., 2:]
    counted = whole.log_prob[..., 2:].sum(-1) + ratio.sum(-1) + whole.global_log_ratio
    torch.testing.assert_close(found.log_prob.sum(-1), importance_bound(counted))


@torch.no_grad()
def test_weight_of_the_ratio():
    """The factor is on log p(z) - log q(z) of the latents, and of the global latent."""
    for name in ("vrnn", "rollout-autoencoding-carried"):
        model, case = particle_case(name)
        whole = run(model, case)
        found = filtered(model, case, FilterConfig(threshold=0.0, ratio_weight=0.3))
        ratio = whole.log_ratio.sum(-1) + whole.global_log_ratio
        expected = importance_bound(whole.log_prob.sum(-1) + 0.3 * ratio)
        torch.testing.assert_close(found.log_prob.sum(-1), expected)


@pytest.mark.parametrize("name", linear_models.CONFIGS)
@pytest.mark.parametrize("gaps", ["complete", "gaps", "increments"])
@pytest.mark.parametrize("scheme", ["systematic", "multinomial"])
@torch.no_grad()
def test_estimate_of_the_likelihood_is_unbiased(name, gaps, scheme):
    """E[exp(estimate)] = p(x) with resampling at nearly every step; its log lies below log p(x)."""
    world = make_linear_world(name, gaps)
    exact, model, runs, particles = world.exact(), world.model, 2000, 5
    batch = repeat(world.batch, runs)
    prefix = None if world.prefix is None else repeat(world.prefix, runs)
    noise = draw_noise(model, particles, runs, linear_models.TIME, seeded(7), resampling=True)
    config = FilterConfig(threshold=0.9, scheme=scheme)
    found = particle_filter(model, batch, noise, config, embedded=embed(model, batch, prefix))
    log_ratio = found.log_prob.sum(-1) - exact
    ratio = log_ratio.exp()
    error = float(ratio.std() / math.sqrt(runs))
    assert float(ratio.mean()) == pytest.approx(1.0, abs=4 * error + 1e-9)
    assert float(log_ratio.mean()) <= 4 * float(log_ratio.std()) / math.sqrt(runs) + 1e-9


@pytest.mark.parametrize(("emission", "gaps", "latent"), CASES)
@torch.no_grad()
def test_filtered_states_of_a_chain(emission, gaps, latent):
    """p(s_t = 1 | x_{1:t}) after every step."""
    world, runs, particles, time = (
        make_chain_world(emission, gaps, latent),
        100,
        200,
        enumeration.TIME,
    )
    whole = enumerate_paths(world.model)
    for t in range(1, time + 1):
        batch = repeat(world.batch.split(t)[0], runs)
        noise = draw_noise(world.model, particles, runs, t, seeded(2), resampling=True)
        belief = particle_filter(world.model, batch, noise).belief
        found = (belief.log_weight.exp() * belief.state.s[..., 0]).sum(0).numpy()
        past = whole.seeing(np.where(np.arange(time) < t, world.x, np.nan))
        assert_mean(found, past.mean(past.s[:, t - 1]), resolution=0.06)


@pytest.mark.parametrize("name", kalman_worlds.CONFIGS)
@pytest.mark.parametrize("seed", SEEDS)
@torch.no_grad()
def test_filtered_latents_of_a_state_space_model(name, seed):
    """Mean and covariance of z_t given x_{1:t}, by the weighted particles after every step."""
    world, runs, particles = make_kalman_world(name, seed), 80, 600
    for t in range(kalman_worlds.TIME):
        batch = repeat(world.batch.split(t + 1)[0], runs)
        noise = draw_noise(world.model, particles, runs, t + 1, seeded(2), resampling=True)
        found = particle_filter(world.model, batch, noise)
        mean, cov = world.exact.mean[t, world.z], world.exact.cov[t, world.z, world.z]
        weight = found.belief.log_weight.exp().numpy()
        assert_moments(found.latent[..., -1, :].numpy(), weight, mean, cov, resolution=0.4)


@pytest.mark.parametrize("name", ["vrnn", "rollout-autoencoding-carried", "srnn-pen"])
@torch.no_grad()
def test_conditional_filter_keeps_the_given_path(name):
    model, case = particle_case(name)
    first = filtered(model, case, FilterConfig(threshold=0.9))
    path = SamplePath(first.once.z[1], first.latent[1], first.x[1])
    config = FilterConfig(threshold=0.9, scheme="multinomial")
    again = filtered(model, case, config, path=path)
    torch.testing.assert_close(again.latent[0], path.latent)
    torch.testing.assert_close(again.once.z[0], path.global_latent)
    assert not again.ancestor[0].any()
    missing = ~case.batch.present & case.batch.in_sequence[..., None]
    torch.testing.assert_close(again.x[0][missing], path.x[missing])
