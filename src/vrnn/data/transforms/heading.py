"""Tracks rotated to the direction in which they move."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


def rotate(
    values: Float[np.ndarray, "*sample batch time dim"], angle: Float[np.ndarray, " batch"]
) -> Float[np.ndarray, "*sample batch time dim"]:
    """Return the values with the first two columns rotated counter-clockwise.

    Args:
        values: positions or increments, (..., batch, time, dim).
        angle: radians, one for each track, (batch,).

    >>> rotate(np.array([[[1.0, 0.0]]]), np.array([np.pi / 2])).round(3).tolist()
    [[[0.0, 1.0]]]
    """
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y = values[..., 0], values[..., 1]
    return np.concatenate([np.stack([c * x - s * y, s * x + c * y], -1), values[..., 2:]], -1)


@dataclass(frozen=True)
class Heading:
    """The direction of the step into one time step, which the transform rotates to +x.

    Where that point is missing, the last step before it counts. A rotation keeps volumes: its
    log-Jacobian is 0. The angle depends on time steps up to `row`, so only densities of later ones
    are densities of the data.

    Attributes:
        row: index of the time step, from 0.
    """

    row: int

    def angle(self, values: Float[np.ndarray, "batch time dim"]) -> Float[np.ndarray, " batch"]:
        """Return the direction of each track in radians, (batch,); 0 before its first step."""
        time = min(self.row + 1, values.shape[1])
        xy = values[:, :time, :2]
        observed = np.asarray(np.isfinite(xy).all(-1))
        last = _last_true(observed)
        earlier = np.asarray(observed & (np.arange(time) < last[:, None]))
        before = _last_true(earlier)
        track = np.arange(len(values))
        moved = np.asarray(earlier.any(-1))
        step = np.where(moved[:, None], xy[track, last] - xy[track, before], 0.0)
        return np.arctan2(step[:, 1], step[:, 0])


def _last_true(mask: Bool[np.ndarray, "batch time"]) -> Int[np.ndarray, " batch"]:
    """Return the index of the last True of each sequence, 0 where there is none."""
    return np.where(mask, np.arange(mask.shape[1]), 0).max(-1)
