"""Inference on linear-Gaussian models against the Kalman filter and smoother, over models, data and gaps drawn at random.

A VRNN and a deep Markov model whose networks are linear and whose scales are constant are a state-space model in
(state, z_t, x_t). Its matrices are found by one step of the model's own maps from every basis vector of (state, noise); the
observation is part of the state, so that a missing one, which the model replaces by its own draw, needs no case of its own.
Positions under a displacement transform are one more part, their sum.
"""

import math
from typing import NamedTuple

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.inference.test_enumeration import assert_mean, repeat
from tests.kalman import Kalman, StateSpace, condition, draw, joint, kalman
from tests.models.test_linear_gaussian import build_linear, set_scales
from torch import Tensor, nn
from vrnn.models.loops import Loops
from vrnn.objectives.bounds import BoundName, bound

import vrnn
from vrnn.data.batch import Batch
from vrnn.data.preprocessor import Preprocessor
from vrnn.data.tracks import Tracks
from vrnn.data.transforms import Displacement, Standardise, Transform
from vrnn.distributions.scale import SCALE_FLOOR, positive
from vrnn.inference.noise import Noise, draw_noise, seeded
from vrnn.inference.particle_filter import particle_filter
from vrnn.inference.smoother import smooth
from vrnn.inference.unroll import unroll
from vrnn.models.config import ModelConfig
from vrnn.models.contract import Model
from vrnn.models.dmm import DMM
from vrnn.trained import TrainedModel

CONFIGS = {
    "vrnn": vrnn.VRNNConfig(2, hidden=3, latent_dim=2, depth=0),
    "dmm": vrnn.DMMConfig(2, hidden=3, latent_dim=2, depth=0),
}
ALL = pytest.mark.parametrize("name", CONFIGS)
SEEDS = pytest.mark.parametrize("seed", range(3))
FRAMES = pytest.mark.parametrize("displacement", [True, False], ids=["displacement", "positions"])
TIME = 5


class BackwardReader(nn.Module):
    """The network that a DMM's posterior reads, as an affine recursion: a_t = W (x_t, present_t) + [t < T] (U a_{t+1} + v)."""

    def __init__(self, of_input: Tensor, of_next: Tensor, constant: Tensor):
        super().__init__()
        self.of_input, self.of_next, self.constant = of_input, of_next, constant

    def forward(self, x: Tensor, length: Tensor, loops: Loops) -> Tensor:
        rows, a = [], torch.zeros_like(self.constant)
        for t in reversed(range(x.shape[1])):
            later = torch.where((t + 1 < length)[:, None], a @ self.of_next.T + self.constant, 0.0)
            a = x[:, t] @ self.of_input.T + later
            rows.append(a)
        return torch.stack(rows[::-1], 1)


@torch.no_grad()
def draw_linear(config: ModelConfig, seed: int, share: float = 0.6, blind: bool = False) -> Model:
    """Draw a linear model: random maps, constant scales.

    The posterior's mean is close to the true one's: in the VRNN that of z_t given x_t and h_{t-1}, in the DMM that of z_t given
    z_{t-1} and all later rows of a long sequence. Its variance is the largest of the true posterior's given a complete row, and
    at least such a `share` of the prior's that weights have a variance after a row with one entry as well. A blind posterior of a
    DMM has the prior's mean.
    """
    model, generator = build_linear(config), seeded(seed, 20)
    for parameter in model.parameters():
        spread = 0.8 / math.sqrt(parameter.shape[-1]) if parameter.dim() > 1 else 0.3
        parameter.copy_(spread * torch.randn(parameter.shape, generator=generator))
    prior, emission = model.prior_head.net[-1], model.head[-1]
    emission.weight *= 1.5
    n = model.latent.dim
    set_scales(emission, 2, raw=0.0, shrink=1.0)
    set_scales(prior, n, raw=0.3, shrink=1.0)
    Q, R = torch.diag(positive(prior.bias[n:])) ** 2, torch.diag(positive(emission.bias[2:])) ** 2
    growth = np.linalg.norm(np.linalg.matrix_power(state_space(model).F, 3), 2) ** (1 / 3)
    # All that a state leaves in the next one goes through these layers.
    for layer in [prior] if isinstance(model, DMM) else [model.cell.of_gates, model.cell.of_carry]:
        layer.weight *= 0.85 / growth
    if isinstance(model, DMM):
        look_ahead(model, Q, R * 1e12 if blind else R)
        layers = [model.posterior_head.net[-1]]
    else:
        follow_observation(model, Q, R)
        layers = [model.posterior_head.of_fixed, model.posterior_head.of_state]
    C = emission.weight[:2, :n]
    least = torch.linalg.eigvalsh(torch.linalg.inv(Q) + C.T @ torch.linalg.inv(R) @ C).min()
    scale = float((1 / least).clamp(min=share * Q[0, 0]).sqrt())
    for layer in layers:
        set_scales(layer, n, raw=math.log(math.expm1(scale - SCALE_FLOOR)), shrink=1.0)
    return model


def follow_observation(model: Model, Q: Tensor, R: Tensor) -> None:
    """Give the posterior of a VRNN the mean of z given x and h, for z ~ N(A h + a, Q), x ~ N(C z + D h + c, R)."""
    prior, emission, head = model.prior_head.net[-1], model.head[-1], model.posterior_head
    n, c = model.latent.dim, emission.bias[:2]
    A, a, (C, D) = prior.weight[:n], prior.bias[:n], emission.weight[:2].tensor_split([n], 1)
    gain = Q @ C.T @ torch.linalg.inv(C @ Q @ C.T + R)
    head.of_fixed.weight[:n], head.of_state.weight[:n] = gain, A - gain @ (C @ A + D)
    head.of_fixed.bias[:n] = a - gain @ (C @ a + c)


def look_ahead(model: DMM, Q: Tensor, R: Tensor) -> None:
    """Give the posterior of a DMM the mean of z_t given z_{t-1} and x_{t:T}, T far off, for z' ~ N(A z + a, Q), x ~ N(C z + c, R).

    p(x_{t:T} | z_t) is exp(-z^T L z / 2 + z^T a_t) up to a factor, with a_t by a backward recursion and L its limit.
    """
    prior, emission = model.prior_head.net[-1], model.head[-1]
    A, a, C, c = prior.weight[:2], prior.bias[:2], emission.weight[:2, :2], emission.bias[:2]
    of_x, precision = C.T @ torch.linalg.inv(R), torch.linalg.inv(Q)
    L = of_x @ C
    for _ in range(50):
        cov = torch.linalg.inv(precision + L)
        left = precision - precision @ cov @ precision
        L = of_x @ C + A.T @ left @ A
    rows = lambda part: torch.cat([part, part.new_zeros(1, *part.shape[1:])])  # noqa: E731  # to the width of a_t, 3
    square = lambda part: rows(rows(part).T).T  # noqa: E731
    model.reader = BackwardReader(
        2 * rows(torch.cat([of_x, -of_x * c], -1)),
        square(A.T @ precision @ cov),
        -2 * rows(A.T @ left @ a),
    )
    model.of_latent.weight.copy_(2 * rows(precision @ A))
    model.of_latent.bias.copy_(2 * rows(precision @ a))
    model.posterior_head.net[-1].weight[:2] = rows(cov.T).T
    model.posterior_head.net[-1].bias[:2] = 0.0


@torch.no_grad()
def state_space(model: Model) -> StateSpace:
    """Find the matrices of a linear model without inputs and global latent; x_t, the last part of the state, is seen as it is."""
    start = model.initial_state(torch.zeros(1, 1, 0).double(), torch.zeros(1, 0).double())
    widths, kind, nothing = (
        [part.shape[-1] for part in start],
        type(start),
        torch.zeros(1, 0).double(),
    )
    carried, noise = sum(widths), [model.latent.dim, model.observation.noise_size]
    size = carried + sum(noise)

    def step(v: Tensor) -> Tensor:
        *before, latent, observation = v[:, None].split([*widths, *noise], -1)
        state = model.with_input(kind(*before), nothing)
        z = model.prior(state, nothing).sample(latent)
        state = model.with_latent(state, z)
        x = model.emission(state, nothing).sample(observation)
        after = model.with_observation(state, model.embed_observations(x, nothing))
        return torch.cat([*(part.expand(*z.shape[:-1], -1) for part in after), z, x], -1)[:, 0]

    probes = torch.randn(3, size, generator=seeded(0)).double()
    c = step(torch.zeros(1, size).double())
    columns = step(torch.eye(size).double()) - c
    torch.testing.assert_close(step(probes), probes @ columns + c)  # linear indeed
    first = step(torch.cat([*start, torch.zeros(1, 1, sum(noise)).double()], -1)[0])
    c, columns, first = c[0].numpy(), columns.T.numpy(), first[0].numpy()
    n, dim = len(c), model.observation.dim
    F = np.concatenate([columns[:, :carried], np.zeros((n, n - carried))], 1)
    Q = columns[:, carried:] @ columns[:, carried:].T
    return StateSpace(
        F, c, Q, first, Q, np.eye(dim, n, n - dim), np.zeros(dim), np.zeros((dim, dim))
    )


class World(NamedTuple):
    """Hold a linear model, a sequence drawn from it with gaps, and the exact answers.

    Attributes:
        z: where the latent is in the state of the space; x comes after it.
    """

    model: Model
    space: StateSpace
    x: np.ndarray
    batch: Batch
    exact: Kalman
    z: slice


def make_world(name: str, seed: int) -> World:
    """Draw all of it; a fifth of the rows and of the single entries are missing, in places drawn as well."""
    model, random = draw_linear(CONFIGS[name], seed), np.random.default_rng(seed)
    space = state_space(model)
    x = draw(space, TIME, random)
    x[random.random(TIME) < 0.2] = np.nan
    x[random.random(x.shape) < 0.2] = np.nan
    n = len(space.m) - 2
    batch = Batch.of(torch.from_numpy(x)[None], factorises=True)
    return World(model, space, x, batch, kalman(space, x), slice(n - model.latent.dim, n))


def draw_space(random: np.random.Generator, *, singular: bool) -> StateSpace:
    """Draw a state-space model with a state of 4 and observations of 2, with covariances of low rank if singular."""
    root = lambda n, rank: random.normal(size=(n, rank)) / 2  # noqa: E731
    Q, P, R = (
        root(4, 2 if singular else 4),
        root(4, 2 if singular else 4),
        root(2, 0 if singular else 2),
    )
    F, H = random.normal(size=(4, 4)) / 2.5, random.normal(size=(2, 4))
    (c, m), d = random.normal(size=(2, 4)), random.normal(size=2)
    return StateSpace(F, c, Q @ Q.T, m, P @ P.T, H, d, R @ R.T)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    singular=st.booleans(),
    holes=st.lists(st.integers(0, 11), max_size=7),
)
def test_the_oracle_is_the_dense_joint_gaussian(seed, singular, holes):
    """Likelihood of every row, filtered and smoothed moments: conditioning the joint law of all states and observations."""
    time, random = 6, np.random.default_rng(seed)
    space = draw_space(random, singular=singular)
    x = draw(space, time, random)
    x.flat[holes] = np.nan
    found = kalman(space, x)
    mean, cov = joint(space, time)
    # Where it is worse conditioned the dense form loses what the filter does not.
    assume(np.linalg.cond(cov[-2 * time :, -2 * time :]) < 1e8)
    states, values, before = time * 4, x.flatten(), 0.0
    for t in range(1, time + 1):
        there = np.concatenate(
            [np.zeros(states, bool), np.isfinite(values) & (np.arange(2 * time) < 2 * t)]
        )
        value, now = values[there[states:]], slice(4 * (t - 1), 4 * t)
        law = condition(mean, cov, there, value)
        total = 0.0
        if len(value):
            total = scipy.stats.multivariate_normal(mean[there], cov[np.ix_(there, there)]).logpdf(
                value
            )
        assert found.log_prob[t - 1] == pytest.approx(total - before, abs=1e-6)
        np.testing.assert_allclose(found.mean[t - 1], law[0][now], atol=1e-6)
        np.testing.assert_allclose(found.cov[t - 1], law[1][now, now], atol=1e-6)
        before = total
    for t in range(time):
        now = slice(4 * t, 4 * (t + 1))
        np.testing.assert_allclose(found.smoothed_mean[t], law[0][now], atol=1e-6)
        np.testing.assert_allclose(found.smoothed_cov[t], law[1][now, now], atol=1e-6)


def bounds(world: World, name: BoundName, samples: int, runs: int, **more) -> np.ndarray:
    """Estimate log p(x) - its exact value in independent runs."""
    noise = draw_noise(world.model, samples, runs, TIME, seeded(1), resampling=name == "fivo")
    found = bound(world.model, repeat(world.batch, runs), noise, name, **more).bound.numpy()
    return found - world.exact.log_prob.sum()


@ALL
@SEEDS
@torch.no_grad()
def test_estimates_of_the_likelihood(name, seed):
    """exp(estimate) is unbiased; the estimate itself lies within its standard error and its bias, half its variance, of log p."""
    world = make_world(name, seed)
    assert_mean(np.exp(bounds(world, "fivo", 8, 2000, resample_below=1.0)), 1.0, resolution=0.25)
    assert_mean(np.exp(bounds(world, "iwae", 100, 300)), 1.0, resolution=0.25)
    found = bounds(world, "fivo", 400, 60)
    assert_mean(np.exp(found), 1.0, resolution=0.15)
    assert_mean(found + found.var() / 2, 0.0, resolution=0.15)


@ALL
@SEEDS
@torch.no_grad()
def test_bounds_rise_to_the_likelihood(name, seed):
    """ELBO <= IWAE-K, rising in K, <= log p(x), by the same samples in groups of K."""
    world, runs, samples = make_world(name, seed), 200, 64
    exact = world.exact.log_prob.sum()
    noise = draw_noise(world.model, samples, runs, TIME, seeded(1))

    def by(count: int, name: BoundName = "iwae") -> np.ndarray:
        size = runs * samples // count
        grouped = Noise(*(part.reshape(count, size, *part.shape[2:]) for part in noise))
        found = bound(world.model, repeat(world.batch, size), grouped, name).bound.numpy()
        return found.reshape(-1, runs).mean(0)  # of each run

    each = [by(1, "elbo"), *(by(count) for count in (1, 4, 16, 64))]
    assert_mean(each[0] - each[1], 0.0, resolution=1.5)  # the KL in closed form, and by the samples
    steps = np.diff([one.mean() for one in each[1:]])
    assert (steps > 0.02).all() and each[-1].mean() < exact
    assert exact - each[-1].mean() < 0.5 * (exact - each[1].mean())


@torch.no_grad()
@pytest.mark.parametrize("seed", range(3))
def test_the_exact_posterior_leaves_no_gap(seed):
    """Where no latent reaches the next step, q(z_t | x_t, h_{t-1}) can be the posterior itself: every weight is then p(x)."""
    model = draw_linear(vrnn.VRNNConfig(2, hidden=3, latent_dim=1, depth=0), seed, share=0.0)
    model.of_latent.weight.zero_()
    space = state_space(model)
    x = draw(space, TIME, np.random.default_rng(seed))
    exact = kalman(space, x).log_prob
    batch = Batch.of(torch.from_numpy(x)[None])
    noise = draw_noise(model, 5, 1, TIME, seeded(1), resampling=True)
    np.testing.assert_allclose(unroll(model, batch, noise).log_weight[:, 0], exact.sum(), atol=1e-9)
    np.testing.assert_allclose(particle_filter(model, batch, noise).log_prob[0], exact, atol=1e-9)
    for name in ("iwae", "fivo"):
        assert float(bound(model, batch, noise, name).bound) == pytest.approx(exact.sum(), abs=1e-9)
    noise = draw_noise(model, 1, 2000, TIME, seeded(2))
    elbo = bound(model, repeat(batch, 2000), noise, "elbo").bound.numpy()
    assert_mean(
        elbo, exact.sum(), resolution=0.5
    )  # a KL in closed form leaves the noise of log p(x | z)


def assert_moments(
    v: np.ndarray, weight: np.ndarray | float, mean: np.ndarray, cov: np.ndarray, resolution: float
) -> None:
    """Compare mean and covariance of weighted draws (draw, run, width) with the exact ones, in standard deviations of each entry."""
    scale = np.sqrt(np.diag(cov))
    unit = (v - mean) / scale
    products = (unit[..., :, None] * unit[..., None, :]).reshape(*unit.shape[:-1], -1)
    found = (np.asarray(weight)[..., None] * np.concatenate([unit, products], -1)).sum(0)
    exact = np.concatenate([np.zeros(len(mean)), (cov / np.outer(scale, scale)).flatten()])
    assert_mean(found, exact, resolution)


@ALL
@SEEDS
@torch.no_grad()
def test_filtered_latents(name, seed):
    """Mean and covariance of z_t given x_{1:t}, by the weighted particles after every row."""
    world, runs, particles = make_world(name, seed), 80, 600
    for t in range(TIME):
        batch = repeat(world.batch.split(t + 1)[0], runs)
        noise = draw_noise(world.model, particles, runs, t + 1, seeded(2), resampling=True)
        filtered = particle_filter(world.model, batch, noise)
        mean, cov = world.exact.mean[t, world.z], world.exact.cov[t, world.z, world.z]
        weight = filtered.belief.log_weight.exp().numpy()
        assert_moments(filtered.latent[..., -1, :].numpy(), weight, mean, cov, resolution=0.4)


@ALL
@SEEDS
@torch.no_grad()
@pytest.mark.parametrize(("particles", "sweeps"), [(400, 0), (400, 1), (2, 20)])
def test_smoothed_paths(name, seed, particles, sweeps):
    """Law of (z_1, ..., z_T) and of all missing entries of x, together, given everything observed: paths are joint draws.

    With two particles the filter's own paths are far off, and only sweeps that leave the posterior unchanged bring them there.
    """
    world, runs, paths = make_world(name, seed), 160, 8
    n, width = len(world.space.m), TIME * len(world.space.m)
    mean, cov = joint(world.space, TIME)
    there = np.concatenate([np.zeros(width, bool), np.isfinite(world.x.flatten())])
    mean, cov = condition(mean, cov, there, world.x[np.isfinite(world.x)])
    for t in range(TIME):  # the smoother says the same of each row
        row = slice(n * t, n * (t + 1))
        np.testing.assert_allclose(mean[row], world.exact.smoothed_mean[t], atol=1e-6)
        np.testing.assert_allclose(cov[row, row], world.exact.smoothed_cov[t], atol=1e-6)
    latents = np.arange(width).reshape(TIME, n)[:, world.z].flatten()
    missing = np.flatnonzero(np.isnan(world.x))
    wanted = np.concatenate([latents, width + missing])

    def found(particles: int, sweeps: int) -> np.ndarray:
        drawn = smooth(
            world.model, repeat(world.batch, runs), paths, seeded(3), particles=particles, sweeps=sweeps,
            sweep_particles=8,
        )  # fmt: skip
        return np.concatenate(
            [drawn.latent.flatten(2).numpy(), drawn.x.flatten(2).numpy()[..., missing]], -1
        )

    exact = (1 / paths, mean[wanted], cov[np.ix_(wanted, wanted)])
    assert_moments(found(particles, sweeps), *exact, resolution=0.4)
    if particles == 2 and seed == 1:
        with pytest.raises(AssertionError, match="times the tolerance"):
            assert_moments(found(particles, 0), *exact, resolution=math.inf)


def trained(model: Model, config: ModelConfig, displacement: bool) -> TrainedModel:
    """Put a model behind a transform that shifts and scales, with or without displacements."""
    moves = Displacement((True, True)) if displacement else None
    transform = Transform(2, None, moves, Standardise(mean=(0.3, -0.2), scale=(2.0, 0.5)))
    return TrainedModel(
        model, Preprocessor(transform, ("x", "y"), factorises=True), config, vrnn.TrainConfig()
    )


class Data(NamedTuple):
    """Hold a model that takes a person's data, tracks with gaps, and the exact answers in the units of the data.

    Attributes:
        whole: the positions before points were taken away, (track, time, dim).
        exact: of each track, without the first row under a displacement transform, where it is given.
        of_state: H, from states to positions.
    """

    model: TrainedModel
    tracks: Tracks
    whole: np.ndarray
    exact: list[Kalman]
    of_state: np.ndarray


def make_data(
    name: str,
    displacement: bool,
    count: int,
    time: int,
    *,
    seed: int = 1,
    wider: float = 1.0,
    blind: bool = False,
    holes: list[np.ndarray] | None = None,
) -> Data:
    """Draw tracks from a linear model, its noise `wider` in variance, and make holes in all rows but the first.

    Args:
        holes: where, (time, dim), for the tracks in turn; a quarter of the rows and entries of each, drawn, when None.

    Positions are a part of the state: v = (x_t - mean) / scale, or v = (x_t - x_{t-1} - mean) / scale under displacements.
    """
    config, random = CONFIGS[name], np.random.default_rng([seed, time, count])
    model = trained(draw_linear(config, seed, blind=blind), config, displacement)

    space, transform = state_space(model.network), model.preprocessor.transform
    scale, shift, n = (
        np.diag(transform.standardise.scale),
        np.array(transform.standardise.mean),
        len(space.m),
    )
    F = np.block(
        [[space.F, np.zeros((n, 2))], [scale @ space.H @ space.F, np.eye(2) * displacement]]
    )
    wide = np.concatenate([np.eye(n), scale @ space.H])
    c, m = (np.concatenate([part, scale @ space.H @ part + shift]) for part in (space.c, space.m))
    Q = wide @ space.Q @ wide.T
    space = StateSpace(F, c, Q, m, Q, np.eye(2, n + 2, n), space.d, space.R)
    law, rows, exact = space._replace(Q=wider * Q, P=wider * Q), [], []
    whole = np.empty((count, time, 2))
    for i in range(count):
        origin = np.zeros(2)
        if displacement:
            whole[i, 0] = origin = 5 * random.normal(size=2)
        m = space.m + np.pad(origin, (n, 0))
        whole[i, int(displacement) :] = draw(law._replace(m=m), time - displacement, random)
        row = whole[i].copy()
        hole = (random.random((time, 1)) < 0.15) | (random.random((time, 2)) < 0.15)
        row[1:][(hole if holes is None else holes[i % len(holes)])[1:]] = np.nan
        rows.append(row)
        exact.append(kalman(space._replace(m=m), row[int(displacement) :]))
    return Data(model, Tracks(rows), whole, exact, space.H)


def hole(rows: list[int], *entries: tuple[int, int]) -> np.ndarray:
    """Mark rows and single entries of a track of 5 rows."""
    mask = np.zeros((5, 2), bool)
    mask[rows] = True
    for entry in entries:
        mask[entry] = True
    return mask


HOLES = [hole([2], (4, 0)), hole([3]), hole([2, 4], (3, 1)), hole([1, 3])]


@ALL
@FRAMES
def test_imputed_points_are_the_smoothers(name, displacement):
    """Mean and spread of the paths are the exact ones, and 90 % intervals cover what was taken away as often as they should.

    Between the quantiles 0.05 and 0.95 of n paths lies a share 0.9 (n - 1) / (n + 1) of further draws. The share found may be off by
    3 standard errors, tracks being independent and the entries of one not. Under a displacement transform the DMM is blind: a posterior
    that looks ahead takes the sum of increments after a gap for one.
    """
    samples, start = 200, int(displacement)
    data = make_data(name, displacement, count=320, time=5, blind=displacement, holes=HOLES)
    filled = vrnn.impute(data.tracks, model=data.model, samples=samples, particles=800)
    (low, high), middle, drawn = filled.interval(0.9), filled.mean, filled.missing
    share, covered, shift, spread = 0.9 * (samples - 1) / (samples + 1), [], [], []
    for i, (x, exact) in enumerate(zip(data.tracks.x, data.exact, strict=True)):
        missing, H = np.isnan(x), data.of_state
        assert (drawn[i] == missing).all()
        assert (filled.samples[i][:, ~missing] == x[~missing]).all()
        mean = (exact.smoothed_mean @ H.T)[missing[start:]]
        sd = np.sqrt(np.diagonal(H @ exact.smoothed_cov @ H.T, axis1=1, axis2=2)[missing[start:]])
        covered.append(((low[i] <= data.whole[i]) & (data.whole[i] <= high[i]))[missing])
        shift.append((middle[i][missing] - mean) / sd)
        spread.append(filled.samples[i].std(0, ddof=1)[missing] / sd)
    count, found = sum(map(len, covered)), np.concatenate(covered).mean()
    error = 3 * np.std([(c - share).sum() for c in covered]) * math.sqrt(len(covered)) / count
    assert error < 0.035 and found == pytest.approx(share, abs=error)
    assert 0.87 < found < 0.93
    # In standard deviations: 0.07 by 200 independent paths; the paths of a filter share forebears.
    assert np.concatenate(shift).std() < 0.15 and abs(np.concatenate(shift).mean()) < 0.01
    assert np.concatenate(spread).mean() == pytest.approx(1, abs=0.02)


@ALL
@FRAMES
def test_scores_of_rows_are_the_predictive_densities(name, displacement):
    """log p(x_t | x_{<t}) of each row of tracks with gaps, and E[p^(x_{1:t})] = p(x_{1:t}), by many runs over the same track."""
    data, runs, start = make_data(name, displacement, count=3, time=6), 60, int(displacement)
    for i, exact in enumerate(data.exact):
        x = data.tracks.x[i]
        there = np.isfinite(x).any(-1) & (np.arange(len(x)) >= start)
        found = np.stack(
            vrnn.filter_tracks(Tracks([x] * runs), model=data.model, particles=800).log_prob
        )
        assert (np.isfinite(found) == there).all()
        error = found[:, there] - exact.log_prob[there[start:]]
        assert_mean(
            error + error.var(0) / 2, 0.0, resolution=0.25
        )  # a log lies low by half its variance
        assert_mean(np.exp(error.cumsum(1)), 1.0, resolution=0.4)
    few = vrnn.score(data.tracks, model=data.model, particles=20)
    same = vrnn.filter_tracks(data.tracks, model=data.model, particles=20)
    np.testing.assert_array_equal(np.stack(few.log_prob), np.stack(same.log_prob))


@ALL
@FRAMES
def test_scores_tell_tracks_of_the_model_from_others(name, displacement):
    """pit and p-values are uniform for the model's own tracks (Kolmogorov-Smirnov, 1 %) and not for tracks with wider noise.

    The pit is that for rows after a gap alone, too.
    """
    own = make_data(name, displacement, count=300, time=6)
    other = make_data(name, displacement, count=60, time=6, wider=2.0)
    normal, tested = own.tracks[:200], own.tracks[200:]
    every = vrnn.score(own.tracks, model=own.model, particles=40)
    good, bad = (
        vrnn.score(t, model=own.model, calibration=normal, particles=40)
        for t in (tested, other.tracks)
    )

    def uniform(values: np.ndarray) -> float:
        return scipy.stats.kstest(values[np.isfinite(values)], "uniform").pvalue

    pit = np.stack(every.pit)
    after = np.isnan(np.stack(own.tracks.x)).any(-1)[:, :-1]
    for values in (pit, pit[:, 1:][after], good.p_value):
        assert uniform(values) > 0.01
    for values in (np.stack(bad.pit), bad.p_value):
        assert uniform(values) < 1e-4


@ALL
@FRAMES
@pytest.mark.parametrize("bound_name", ["iwae", "fivo"])
def test_likelihood_of_tracks_in_the_units_of_the_data(name, displacement, bound_name):
    """Within 4 of its own standard errors of the exact value less the bias of a log, nats per row."""
    data = make_data(name, displacement, count=4, time=5)
    found = vrnn.likelihood(
        data.tracks, model=data.model, bound=bound_name, samples=1000, repeats=20
    )
    rows = np.array([np.isfinite(x[int(displacement) :]).any(-1).sum() for x in data.tracks.x])
    exact = sum(k.log_prob.sum() for k in data.exact) / rows.sum()
    assert (found.rows == rows).all()
    bias = found.values.var(0).sum() / 2 / rows.sum()
    assert bias < 0.1 and 4 * found.standard_error < 0.1
    assert found.per_row + bias == pytest.approx(exact, abs=4 * found.standard_error + bias / 2)
