"""Gaussian distributions over whole paths: exact samples and exact densities."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class GaussianPaths(NamedTuple):
    """A Gaussian distribution over the future path of each track.

        x_{1:H, d} ~ N(mean_{1:H, d}, scale^2 F F^T)

    The columns d of a track are independent. All tracks share F.

    Attributes:
        mean: mean path of each track, (batch, horizon, dim).
        factor: the lower triangle F, (horizon, horizon).
        scale: factor on the standard deviations of each track, (batch,).

    >>> walk = GaussianPaths(np.zeros((1, 2, 1)), np.tri(2), np.ones(1))
    >>> walk.sample(np.ones((1, 1, 2, 1))).ravel().tolist()
    [1.0, 2.0]
    >>> walk.log_prob(np.zeros((1, 2, 1))).round(3).tolist()  # - log 2 pi
    [-1.838]
    """

    mean: Float[np.ndarray, "batch horizon dim"]
    factor: Float[np.ndarray, "horizon horizon"]
    scale: Float[np.ndarray, " batch"]

    def sample(
        self, normals: Float[np.ndarray, "sample batch horizon dim"]
    ) -> Float[np.ndarray, "sample batch horizon dim"]:
        """Return the paths that standard normals give, (sample, batch, horizon, dim)."""
        return self.mean + self.scale[:, None, None] * (self.factor @ normals)

    def log_prob(
        self, paths: Float[np.ndarray, "batch horizon dim"]
    ) -> Float[np.ndarray, " batch"]:
        """Return the log-density of one path of each track, in nats of the units of the paths.

        Args:
            paths: one path of each track; each scale must be positive.
        """
        _, horizon, dim = paths.shape
        whitened = np.linalg.solve(self.factor, paths - self.mean) / self.scale[:, None, None]
        log_det = np.log(np.diag(self.factor)).sum() + horizon * np.log(self.scale)
        square = (whitened**2).sum((1, 2))
        return -0.5 * square - dim * (log_det + 0.5 * horizon * np.log(2 * np.pi))
