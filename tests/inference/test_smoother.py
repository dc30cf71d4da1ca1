"""The smoother against enumeration, a Kalman smoother and an exact smoother of long tracks."""

import math

import numpy as np
import pytest
import torch
from tests.helpers.enumeration import CASES, make_chain_world
from tests.helpers.few import few
from tests.helpers.kalman import condition, joint
from tests.helpers.kalman_worlds import CONFIGS, SEEDS, TIME, make_kalman_world
from tests.helpers.monte_carlo import assert_mean, assert_moments, repeat
from tests.helpers.smooth_walks import drawn_with_gaps, exact_displacements, velocity_model
from tests.models.settings import CONFIGS as EVERY
from tests.models.settings import build, each, make_case

from vrnn.inference.ancestry import Ancestry
from vrnn.inference.noise import global_noise_size
from vrnn.inference.random_numbers import seeded
from vrnn.inference.smoother import _most_distinct, smooth
from vrnn.inference.twisting import missing_inside

MANY_GAPS = [3, 11, 19, 27, 35, 43, 51]


@pytest.mark.parametrize(("emission", "gaps", "latent"), CASES)
@pytest.mark.parametrize(("particles", "sweeps"), few([(200, 1), (200, 0), (2, 40)]))
@torch.no_grad()
def test_smoothed_states_and_missing_points_of_a_chain(emission, gaps, latent, particles, sweeps):
    """p(s_t, s_{t+1} | x_observed) and p(x_t, x_{t'} | x_observed) for all pairs: joint draws.

    With two particles the filter is far off. Only sweeps that leave the posterior unchanged bring
    its paths there.
    """
    world, runs = make_chain_world(emission, gaps, latent), 500

    def events(s: np.ndarray, x: np.ndarray) -> np.ndarray:
        ones = x == 1
        pairs = ones[..., :, None] & ones[..., None, :]
        flat = pairs.reshape(*x.shape[:-1], -1)
        return np.concatenate([s, s[..., :-1] * s[..., 1:], flat], -1).astype(float)

    def found(particles: int, sweeps: int) -> np.ndarray:
        path = smooth(
            world.model,
            repeat(world.batch, runs),
            4,
            seeded(4),
            particles=particles,
            sweeps=sweeps,
            sweep_particles=3,
        )
        return events(world.model.symbol(path.latent)[..., 0].numpy(), path.x[..., 0].numpy()).mean(
            0
        )

    exact = world.paths.mean(events(world.paths.s, world.paths.x))
    assert_mean(found(particles, sweeps), exact, resolution=0.12)
    if (particles, emission, gaps) == (2, "categorical(3)", "complete"):
        with pytest.raises(AssertionError, match="times the tolerance"):
            assert_mean(found(2, 0), exact, resolution=0.12)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", few(SEEDS))
@pytest.mark.parametrize(("particles", "sweeps"), [(400, 0), (400, 1), (2, 20)])
@torch.no_grad()
def test_smoothed_paths_of_a_state_space_model(name, seed, particles, sweeps):
    """All of (z_1, ..., z_T) and the missing entries of x, together, given everything observed.

    With two particles the filter's own paths are far off, and only sweeps that leave the posterior
    unchanged bring them there.
    """
    world, runs, paths = make_kalman_world(name, seed), 160, 8
    n, width = len(world.space.m), TIME * len(world.space.m)
    mean, cov = joint(world.space, TIME)
    there = np.concatenate([np.zeros(width, bool), np.isfinite(world.x.flatten())])
    mean, cov = condition(mean, cov, there, world.x[np.isfinite(world.x)])
    for t in range(TIME):  # the smoother of the oracle says the same of each step
        now = slice(n * t, n * (t + 1))
        np.testing.assert_allclose(mean[now], world.exact.smoothed_mean[t], atol=1e-6)
        np.testing.assert_allclose(cov[now, now], world.exact.smoothed_cov[t], atol=1e-6)
    latents = np.arange(width).reshape(TIME, n)[:, world.z].flatten()
    missing = np.flatnonzero(np.isnan(world.x))
    wanted = np.concatenate([latents, width + missing])

    def found(particles: int, sweeps: int) -> np.ndarray:
        drawn = smooth(
            world.model,
            repeat(world.batch, runs),
            paths,
            seeded(3),
            particles=particles,
            sweeps=sweeps,
            sweep_particles=8,
        )
        x = drawn.x.flatten(2).numpy()[..., missing]
        return np.concatenate([drawn.latent.flatten(2).numpy(), x], -1)

    exact = (1 / paths, mean[wanted], cov[np.ix_(wanted, wanted)])
    assert_moments(found(particles, sweeps), *exact, resolution=0.4)
    if particles == 2 and seed == 1:
        with pytest.raises(AssertionError, match="times the tolerance"):
            assert_moments(found(particles, 0), *exact, resolution=math.inf)


@torch.no_grad()
def test_paths_through_many_gaps_are_those_of_an_exact_smoother():
    model = velocity_model(by_latent=False)
    batch = drawn_with_gaps(model, 60, MANY_GAPS, count=12)
    found = smooth(model, batch, 50, seeded(5), particles=1000).x[..., 0]
    exact_mean, exact_sd = exact_displacements(batch)
    gaps = missing_inside(batch)
    off = ((found.mean(0) - exact_mean) / exact_sd)[gaps]
    spread = (found.std(0) / exact_sd)[gaps]
    assert float(off.square().mean()) < 2 / 50
    assert float(spread.mean()) == pytest.approx(1.0, abs=0.05)


@torch.no_grad()
def test_paths_that_ran_together_begin_anew_at_an_earlier_step(monkeypatch):
    """Forced at every gap, paths still come back to what is seen, and stay near the exact smoother.

    Of few particles, more of them differ.
    """
    model = velocity_model(by_latent=False)
    batch, distinct = drawn_with_gaps(model, 60, MANY_GAPS, count=12), []
    for share in (1000, 1):
        monkeypatch.setattr("vrnn.inference.smoother.SHARE", share)
        found = smooth(model, batch, 50, seeded(5), particles=30).x[..., 0]
        distinct.append(np.mean([len(found[:, i, 3].unique()) for i in range(12)]))
    assert distinct[1] > 2 * distinct[0], distinct
    found = smooth(model, batch, 50, seeded(5), particles=1000).x[..., 0]
    for start in (3, 27, 51):  # what is seen after a gap is the whole way
        way = found[:, :, start : start + 5].sum(-1)
        torch.testing.assert_close(way, batch.x[:, start + 4, 0].expand_as(way))
    exact_mean, exact_sd = exact_displacements(batch)
    gaps = missing_inside(batch)
    off = ((found.mean(0) - exact_mean) / exact_sd)[gaps]
    assert float(off.square().mean()) < 3 / 50
    assert float((found.std(0) / exact_sd)[gaps].mean()) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("name", each([n for n in EVERY if "forecasting" not in n]))
@pytest.mark.parametrize("sweeps", [0, 1])
@torch.no_grad()
def test_every_model_can_be_smoothed(name, sweeps):
    """Observed entries stay as they are; the sums over gaps are what was observed after them."""
    model = build(EVERY[name])
    batch = make_case(model, EVERY[name]).batch
    found = smooth(model, batch, 3, seeded(0), particles=20, sweeps=sweeps, sweep_particles=4)
    assert found.global_latent.shape[:2] == (3, 4)
    assert found.latent.shape == (3, 4, 9, model.latent.dim)
    assert found.x.shape == (3, 4, 9, model.observation.dim) and bool(found.x.isfinite().all())
    assert global_noise_size(model) == 0 or found.global_latent.shape[-1] > 0
    pending = torch.zeros_like(found.x[:, :, 0])
    for t in range(9):
        there = batch.present[:, t]
        whole = found.x[:, :, t] + pending
        torch.testing.assert_close(whole[:, there], batch.x[:, t][there].expand(3, -1))
        pending = torch.where(batch.is_increment & ~there, whole, 0.0)


@torch.no_grad()
def test_the_same_generator_gives_the_same_paths():
    model = build(EVERY["vrnn"])
    batch = make_case(model, EVERY["vrnn"]).batch
    one, two, other = (smooth(model, batch, 3, seeded(s), particles=20) for s in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not torch.equal(one.latent, other.latent)


@pytest.mark.parametrize("enough", [True, False])
def test_ancestors_are_drawn_again_by_the_weights_of_an_earlier_step(enough):
    """Particles 2 and 3 carry all weight at the later step; their ancestors at the gap are 1 and 0.

    Where the ancestors of the last step are distinct enough, they stay as they are.
    """
    count, time, gap, end = 4, 16, 1, 3
    ancestor = torch.arange(count)[:, None, None].repeat(1, 1, time)
    ancestor[:, 0, end + 1] = torch.tensor([3, 2, 1, 0])
    nothing = torch.zeros(count, 1, time, 1)
    ancestry = Ancestry(nothing[:, :, 0], ancestor, nothing, nothing)
    weight = torch.full((count, 1, time), -math.log(count))
    weight[:, 0, end + 8] = torch.tensor([0.0, 0.0, 0.5, 0.5]).log()
    own = torch.tensor([0, 1, 0, 1] if enough else [0] * 16)[:, None]
    found = _most_distinct(ancestry, weight, own, gap, end, time, seeded(0))
    if enough:
        assert torch.equal(found, own)
    else:  # two are not half of sixteen, so the step four after the gap is asked too
        assert len(found.unique()) == 4
        few = _most_distinct(ancestry, weight, own[:4], gap, end, time, seeded(0))
        assert set(few.flatten().tolist()) == {0, 1}
