"""Random walk of the velocity: as restless as each track was."""

import numpy as np
from jaxtyping import Float

from vrnn.baselines.constant_velocity import check_rows, constant_velocity
from vrnn.baselines.gaussian_paths import GaussianPaths
from vrnn.baselines.still import least_scale


def random_walk(past: Float[np.ndarray, "batch time dim"], horizon: int) -> GaussianPaths:
    """Return paths whose velocity is a random walk that starts from the last displacement.

        v_{t+1} = v_t + N(0, s^2 I),    x_{t+1} = x_t + v_{t+1}

    s^2 is the mean square of the components of the second differences of the same track. A track
    that stood still or moved straight has s = 0, so its samples are its constant velocity. Such a
    path has no density; see `with_density`.

    Args:
        past: observed paths (batch, time, dim), at least three points.
        horizon: time steps to forecast.

    Raises:
        DataError: a past that is too short for a second difference.

    >>> bend = np.array([[[0.0], [1.0], [3.0]]])
    >>> walk = random_walk(bend, horizon=2)
    >>> walk.mean.ravel().tolist(), walk.scale.tolist()
    ([5.0, 7.0], [1.0])
    """
    check_rows(past, 3, "a random walk of the velocity")
    changes = np.diff(past, n=2, axis=1)
    scale = np.sqrt((changes**2).mean((1, 2)))
    return GaussianPaths(constant_velocity(past, horizon), double_sum(horizon), scale)


def with_density(walk: GaussianPaths, past: Float[np.ndarray, "batch time dim"]) -> GaussianPaths:
    """Return the same random walk with a positive scale, so that every path has a density.

        s^2 <- (n s^2 + m) / (n + 1)

    n is the number of components of second differences of a track, and m the mean of s^2 over all
    tracks. So each track has one more change, of the usual size. Without it a track that stood
    still and then moves has an infinite negative log-likelihood.

    Args:
        walk: the random walk of some tracks.
        past: their observed paths.
    """
    count, square = (past.shape[1] - 2) * past.shape[2], walk.scale**2
    scale = np.sqrt((count * square + square.mean()) / (count + 1))
    return walk._replace(scale=np.maximum(scale, least_scale(past)))


def double_sum(steps: int) -> Float[np.ndarray, "steps steps"]:
    """Return the matrix A that turns changes of the velocity into positions, A_tk = t - k + 1.

    >>> double_sum(3).tolist()
    [[1.0, 0.0, 0.0], [2.0, 1.0, 0.0], [3.0, 2.0, 1.0]]
    """
    return np.tri(steps) @ np.tri(steps)
