"""What a transform returns: values in model coordinates, and what ties them back to the data."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Num


class Increments(NamedTuple):
    """Values with the number of increments in each.

    Attributes:
        values: increments, or positions where nothing is displaced, (..., batch, time, dim).
        count: increments in each value, 1 for a position, (..., batch, time, dim).
    """

    values: Float[np.ndarray, "*batch time dim"]
    count: Int[np.ndarray, "*batch #time dim"]


class Anchor(NamedTuple):
    """What ties encoded tracks back to the data, read from each track's own observed time steps.

    Attributes:
        origin: last observed position of each column, in transformed coordinates, (batch, dim).
            Positions that become increments are relative to `first`, so that none of their digits
            is lost far from 0.
        since: time steps since that position, (batch, dim).
        angle: direction of the track in radians, (batch,).
        first: position at the first time step, in data units, (batch, dim).
    """

    origin: Float[np.ndarray, "batch dim"]
    since: Num[np.ndarray, "batch dim"]
    angle: Float[np.ndarray, " batch"]
    first: Float[np.ndarray, "batch dim"]

    @classmethod
    def zero(cls, batch: int, dim: int) -> "Anchor":
        """Return the anchor of tracks that begin at the origin and point along +x."""
        origin = np.zeros((batch, dim))
        return cls(origin, np.zeros((batch, dim), np.int64), np.zeros(batch), origin)
