"""The scores of baselines on the windows of an evaluation."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from vrnn.baselines.constant_velocity import constant_velocity
from vrnn.baselines.gaussian_paths import GaussianPaths
from vrnn.baselines.kalman import Kalman
from vrnn.baselines.random_walk import random_walk, with_density
from vrnn.data.position_space import PositionSpace, is_continuous, position_space
from vrnn.data.tracks import Tracks
from vrnn.inference.random_numbers import Stream, quasi_normals, track_numbers
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
    windows: Tracks,
    test: ForecastTest,
    sampling: SamplingConfig,
) -> Baselines:
    """Return the scores of every baseline on some windows.

    On the globe they move in the local plane of the last observed point. Densities are in data
    units there too.

    Args:
        model: the model that they stand beside. It says what the positions are, and has the
            Kalman filter of its training tracks.
        windows: whole windows.
        test: how many rows are observed, and which futures count.
        sampling: number and kind of the samples; the temperature is always 1.
    """
    space, family = position_space(model.preprocessor.transform), model.network.observation
    kalman_fit: KalmanFit = "observed rows" if model.kalman is None else "training tracks"
    if not is_continuous(space, family):
        return Baselines({}, kalman_fit)
    x = np.stack(windows.x)
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
        sampled = _samples(drawn_from, windows.ids, test.drawn(sampling))
        found[name] = _score(sampled, nll, truth, space, origin, test, sampling)
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


def _samples(
    paths: GaussianPaths, names: list[str], sampling: SamplingConfig
) -> Iterator[tuple[slice, Float[np.ndarray, "sample batch horizon position"]]]:
    """Yield samples of Gaussian paths, chunk by chunk, and which windows they are of."""
    at_once = tracks_at_once(sampling.samples)
    for start in range(0, len(names), at_once):
        rows = slice(start, start + at_once)
        some = paths._replace(mean=paths.mean[rows], scale=paths.scale[rows])
        yield rows, some.sample(_normals(sampling, some.mean.shape, names[rows]))


def _score(
    samples: Iterator[tuple[slice, Float[np.ndarray, "sample batch horizon position"]]],
    nll: Float[np.ndarray, " window"],
    truth: Float[np.ndarray, "window horizon position"],
    space: PositionSpace,
    origin: Float[np.ndarray, "window position"],
    test: ForecastTest,
    sampling: SamplingConfig,
) -> WindowScores:
    """Return the scores of samples in the local plane."""
    parts = []
    for rows, sampled in samples:
        futures = space.from_plane(sampled, origin[rows])
        candidates = test.candidates(futures, sampling)
        parts.append(score_paths(futures, candidates, truth[rows], nll[rows], space, sampling))
    return concatenate(parts)


def _normals(
    sampling: SamplingConfig, shape: tuple[int, ...], names: list[str]
) -> Float[np.ndarray, "sample batch horizon position"]:
    """Return the standard normals of a chunk, the same for every baseline."""
    source = track_numbers(sampling.seed, Stream.BASELINES, names)
    batch, horizon, dim = shape
    if sampling.qmc:
        normals = quasi_normals(sampling.samples, batch, horizon * dim, source)
    else:
        normals = source.normals(sampling.samples, batch, horizon * dim)
    return to_numpy(normals).reshape(sampling.samples, *shape)
