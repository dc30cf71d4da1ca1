"""Increments in place of positions."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from vrnn.data.arrays import ROUNDING
from vrnn.data.transforms.encoded import Increments


@dataclass(frozen=True)
class Displacement:
    """The map from positions to increments in the columns that are marked.

        d_t = x_t - x_s,    s = the last observed time step before t

    The first time step of every column is dropped. The log-Jacobian is 0.

    Attributes:
        columns: True where a column becomes an increment.
    """

    columns: tuple[bool, ...]

    def encode(
        self, values: Float[np.ndarray, "batch time dim"], far: Float[np.ndarray, "batch dim"]
    ) -> tuple[Increments, Float[np.ndarray, "batch dim"], Int[np.ndarray, "batch dim"]]:
        """Return the increments, the last observed position of each column and its time step.

        Args:
            values: positions (batch, time, dim), NaN where missing.
            far: how far their origin is from that of the data, (batch, dim); see `increments`.

        Returns:
            Increments (batch, time - 1, dim), positions (batch, dim) and time steps (batch, dim).
        """
        time = values.shape[1]
        observed = np.asarray(np.isfinite(values))
        index = np.maximum.accumulate(np.where(observed, np.arange(time)[:, None], 0), axis=1)
        position = np.take_along_axis(values, index, axis=1)
        is_increment = np.array(self.columns)
        moves = increments(values[:, 1:], position[:, :-1], far[:, None])
        moves = np.where(is_increment, moves, values[:, 1:])
        count = np.where(is_increment, np.arange(1, time)[:, None] - index[:, :-1], 1)
        return Increments(moves, count), position[:, -1], index[:, -1]

    def decode(
        self, increments: Increments, origin: Float[np.ndarray, "batch dim"]
    ) -> Float[np.ndarray, "*sample batch time dim"]:
        """Return the positions that the increments lead to from `origin` (batch, dim)."""
        positions = origin[:, None] + np.cumsum(increments.values, axis=-2)
        return np.where(np.array(self.columns), positions, increments.values)


def increments(
    x: Float[np.ndarray, "*#batch dim"],
    before: Float[np.ndarray, "*#batch dim"],
    far: Float[np.ndarray, "*#batch dim"],
) -> Float[np.ndarray, "*batch dim"]:
    """Return x minus the position before, 0 where it is only a rounding error of the data.

    Args:
        x, before: positions relative to some origin.
        far: how far that origin is from the origin of the data, which the data is rounded by.

    >>> increments(np.array([1e-9, 1e-3]), np.zeros(2), np.array([1e7, 1e7])).tolist()
    [0.0, 0.001]
    """
    difference = x - before
    return np.where(np.abs(difference) <= ROUNDING * (far + np.abs(x)), 0.0, difference)
