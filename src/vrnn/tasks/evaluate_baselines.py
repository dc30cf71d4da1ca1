"""The scores of baselines on the windows of an evaluation."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from vrnn.baselines.constant_velocity import constant_velocity
from vrnn.baselines.gaussian_paths import GaussianPaths
from vrnn.baselines.kalman import Kalman
from vrnn.baselines.random_walk import random_walk, with_density
from vrnn.data.position_space import PositionSpace, is_continuous, position_space
from vrnn.inference.noise import Stream, quasi_normals, seeded
from vrnn.metrics.clustered_error import clustered_error
from vrnn.tasks.evaluation import KalmanFit
from vrnn.tasks.memory import tracks_at_once
from vrnn.tasks.sampling import SamplingConfig
from vrnn.tasks.window_scores import ForecastTest, WindowScores, concatenate, score_paths
from vrnn.trained import TrainedModel, to_numpy

FEWEST_ROWS = 3  # observed, for one change of the velocity


class Baselines(NamedTuple):
    """The scores of the baselines that the data allow.

    Attributes:
        scores: name to scores; empty where a position is a category, which has no velocity.
        kalman_fit: what the variances of the Kalman filter fit, the training tracks or the
            observed rows of the windows.
    """

    scores: dict[str, WindowScores]
    kalman_fit: KalmanFit


def evaluate_baselines(
    model: TrainedModel,
    x: Float[np.ndarray, "window rows dim"],
    test: ForecastTest,
    sampling: SamplingConfig,
) -> Baselines:
    """Return the scores of every baseline on some windows.

    On the globe they move in the local plane of the last observed point. Densities are in data
    units there too.

    Args:
        model: the model that they stand beside. It says what the positions are, and has the
            Kalman filter of its training tracks.
        x: whole windows.
        test: how many rows are observed, and which futures count.
        sampling: number and kind of the samples; the temperature is always 1.
    """
    space, family = position_space(model.preprocessor.transform), model.network.observation
    kalman_fit: KalmanFit = "observed rows" if model.kalman is None else "training tracks"
    if not is_continuous(space, family):
        return Baselines({}, kalman_fit)
    points = x[..., space.columns]
    origin, truth = points[:, test.observe - 1], points[:, test.observe :]
    past = space.to_plane(points[:, : test.observe], origin)
    straight = space.from_plane(constant_velocity(past, test.horizon), origin)[None]
    none = np.full(len(x), np.nan)
    found = {
        "constant_velocity": score_paths(straight, straight, truth, none, space, sampling),
    }
    pairs, kalman = {}, model.kalman
    if test.observe >= FEWEST_ROWS:
        walk = random_walk(past, test.horizon)
        pairs["random_walk"] = walk, with_density(walk, past)
        kalman = kalman or Kalman.fit([past])
    if kalman is not None:
        filtered = kalman.forecast(past, test.horizon)
        pairs["kalman"] = filtered, filtered
    for name, (drawn_from, density) in pairs.items():
        nll = none
        if len(space.columns) == x.shape[-1]:  # else the model's density is of more columns
            nll = _nll(density, truth, space, origin)
        found[name] = _score(drawn_from, nll, truth, space, origin, test, sampling)
    return Baselines(found, kalman_fit)


def better_than(
    model: WindowScores, baselines: dict[str, WindowScores], track: Int[np.ndarray, " window"]
) -> tuple[str, ...]:
    """Return the baselines whose energy score is lower than a model's, beyond noise.

    The mean difference over windows is more than two standard errors, clustered by track.

    Args:
        model: the scores of the model.
        baselines: the scores of the baselines on the same windows.
        track: the track of each window.
    """
    found = []
    for name, scores in baselines.items():
        gain = model.energy_score - scores.energy_score
        if gain.mean() > 2 * clustered_error(gain, track):
            found.append(name)
    return tuple(found)


def _nll(
    paths: GaussianPaths,
    truth: Float[np.ndarray, "window horizon position"],
    space: PositionSpace,
    origin: Float[np.ndarray, "window position"],
) -> Float[np.ndarray, " window"]:
    """Return the negative log-density of the truth, in nats per step of data units."""
    per_step = paths.log_prob(space.to_plane(truth, origin)) / truth.shape[1]
    return -(per_step + np.log(space.lengths(origin)).sum(-1))


def _score(
    paths: GaussianPaths,
    nll: Float[np.ndarray, " window"],
    truth: Float[np.ndarray, "window horizon position"],
    space: PositionSpace,
    origin: Float[np.ndarray, "window position"],
    test: ForecastTest,
    sampling: SamplingConfig,
) -> WindowScores:
    """Return the scores of samples of Gaussian paths, which are drawn chunk by chunk."""
    drawn, parts = test.drawn(sampling), []
    at_once = tracks_at_once(drawn.samples)
    for start in range(0, len(truth), at_once):
        rows = slice(start, start + at_once)
        some = paths._replace(mean=paths.mean[rows], scale=paths.scale[rows])
        sampled = some.sample(_normals(drawn, some.mean.shape, start))
        futures = space.from_plane(sampled, origin[rows])
        candidates = test.candidates(futures, sampling)
        parts.append(score_paths(futures, candidates, truth[rows], nll[rows], space, sampling))
    return concatenate(parts)


def _normals(
    sampling: SamplingConfig, shape: tuple[int, ...], start: int
) -> Float[np.ndarray, "sample batch horizon position"]:
    """Return the standard normals of a chunk, the same for every baseline."""
    generator, (batch, horizon, dim) = seeded(sampling.seed, Stream.BASELINES, start), shape
    if sampling.qmc:
        normals = quasi_normals(sampling.samples, batch, horizon * dim, generator)
    else:
        normals = torch.randn(sampling.samples, batch, horizon * dim, generator=generator)
    return to_numpy(normals).reshape(sampling.samples, *shape)
