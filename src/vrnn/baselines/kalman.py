"""Kalman filter of constant velocity: a velocity that is a random walk, seen with noise."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vrnn.baselines.constant_velocity import check_rows
from vrnn.baselines.gaussian_paths import GaussianPaths
from vrnn.baselines.random_walk import double_sum
from vrnn.baselines.still import least_scale
from vrnn.errors import DataError

RATIOS = np.concatenate([[0.0], np.logspace(-4, 6, 41)])
"""Ratios of measurement to process variance that `Kalman.fit` compares first."""
FINER = 41  # ratios between the neighbours of the best one, 3 % apart

TRANSITION = np.array([[1.0, 1.0], [0.0, 1.0]])  # of (position, velocity)
PUSH = np.ones((2, 2))  # a change of the velocity moves the position too


class Filtered(NamedTuple):
    """The filtered state of some tracks at their last point.

    Attributes:
        position, velocity: means, (batch, dim).
        cov: covariance of the two, the same for all tracks and columns, (2, 2).
        errors: errors of the predictions of rows 3, 4, ..., (batch, time - 2, dim).
        variances: their variances, (time - 2,).
    """

    position: Float[np.ndarray, "batch dim"]
    velocity: Float[np.ndarray, "batch dim"]
    cov: Float[np.ndarray, "2 2"]
    errors: Float[np.ndarray, "batch rest dim"]
    variances: Float[np.ndarray, " rest"]


class Kalman(NamedTuple):
    """Constant velocity with noise, in each column by itself.

        v_{t+1} ~ N(v_t, process),   p_{t+1} = p_t + v_{t+1},   x_t ~ N(p_t, measurement)

    Nothing is known of the first position and velocity: their prior is flat. Without measurement
    noise it is the random walk of the velocity, of one scale for all tracks.

    Attributes:
        process: variance of a change of the velocity, in squared units of the paths.
        measurement: variance of the noise of a point.

    Source: Särkkä 2013, Bayesian Filtering and Smoothing, theorem 4.2; a flat prior: Durbin &
    Koopman 2012, chapter 5.

    >>> bend = np.array([[[0.0], [1.0], [3.0]]])
    >>> Kalman(process=1.0, measurement=0.0).forecast(bend, horizon=2).mean.ravel().tolist()
    [5.0, 7.0]
    """

    process: float
    measurement: float

    @classmethod
    def fit(cls, paths: Sequence[Float[np.ndarray, "_ _ dim"]]) -> "Kalman":
        """Return the two variances of the greatest likelihood.

        The likelihood is that of each path given its first two points. The best scale has a
        closed form at every ratio of the variances. The ratio is the best of a fine grid.

        Args:
            paths: sets of paths (batch, time, dim), each of another length; paths of fewer than
                three points say nothing.

        Raises:
            DataError: no path has three points.
        """
        paths = [part for part in paths if part.size and part.shape[1] > 2]
        if not paths:
            raise DataError("a Kalman filter is fitted to paths of at least 3 points, found none")

        def best(ratios: np.ndarray) -> int:
            return int(np.argmax([_profile(paths, ratio)[0] for ratio in ratios]))

        at = best(RATIOS)
        low, high = RATIOS[max(at - 1, 0)], RATIOS[min(at + 1, len(RATIOS) - 1)]
        finer = np.geomspace(low, high, FINER) if low else np.linspace(low, high, FINER)
        ratio = float(finer[best(finer)])
        least = max(least_scale(part) for part in paths) ** 2
        process = max(_profile(paths, ratio)[1], least)
        return cls(process, ratio * process)

    def filter(self, past: Float[np.ndarray, "batch time dim"]) -> Filtered:
        """Return the filtered state at the last point.

        Args:
            past: observed paths (batch, time, dim), at least two points.

        Raises:
            DataError: a past of one point.
        """
        check_rows(past, 2, "a Kalman filter of the velocity")
        position, velocity = past[:, 1], past[:, 1] - past[:, 0]
        cov = self.measurement * np.array([[1.0, 1.0], [1.0, 2.0]])  # of these two
        errors, variances = [], []
        for row in past.swapaxes(0, 1)[2:]:
            cov = TRANSITION @ cov @ TRANSITION.T + self.process * PUSH
            variance = cov[0, 0] + self.measurement
            error = row - (position + velocity)
            gain = cov[0] / variance
            position, velocity = row - (1 - gain[0]) * error, velocity + gain[1] * error
            cov = cov - np.outer(gain, cov[0])
            errors.append(error)
            variances.append(variance)
        shape = (len(past), 0, past.shape[2])
        made = np.stack(errors, 1) if errors else np.zeros(shape)
        return Filtered(position, velocity, cov, made, np.array(variances))

    def forecast(self, past: Float[np.ndarray, "batch time dim"], horizon: int) -> GaussianPaths:
        """Return the distribution of the points to come, with their measurement noise.

        Args:
            past: observed paths (batch, time, dim), at least two points.
            horizon: time steps to forecast.
        """
        now, steps = self.filter(past), np.arange(1.0, horizon + 1.0)
        mean = now.position[:, None] + steps[:, None] * now.velocity[:, None]
        ahead, pushed = np.stack([np.ones(horizon), steps], 1), double_sum(horizon)
        cov = ahead @ now.cov @ ahead.T + self.process * pushed @ pushed.T
        cov = cov + self.measurement * np.eye(horizon)
        return GaussianPaths(mean, np.linalg.cholesky(cov), np.ones(len(past)))


def _profile(paths: Sequence[Float[np.ndarray, "_ _ dim"]], ratio: float) -> tuple[float, float]:
    """Return the log-likelihood at the best process variance for a ratio, and that variance.

    The log-likelihood lacks terms that do not depend on the ratio.
    """
    unit, square, log_det, count = Kalman(1.0, ratio), 0.0, 0.0, 0
    for part in paths:
        found = unit.filter(part)
        square += float((found.errors**2 / found.variances[:, None]).sum())
        log_det += len(part) * part.shape[2] * float(np.log(found.variances).sum())
        count += found.errors.size
    process = square / count
    return -0.5 * (count * np.log(process or np.finfo(float).tiny) + log_det), process
