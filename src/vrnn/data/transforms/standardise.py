"""Zero mean and unit variance."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from vrnn.data.arrays import moments, usable_scale
from vrnn.data.transforms.encoded import Increments

TINY = 1e-8  # of the root mean square length, below which an increment is a rounding error
FAR = 100.0
"""A value may be an error if it is so many times as far from the median as 95 % of its column."""
RARE = 0.001
"""Largest share of a column that may be errors."""


def without_far(values: Float[np.ndarray, "rows dim"]) -> Float[np.ndarray, "rows dim"]:
    """Return values with NaN for those that `FAR` and `RARE` take for errors.

    >>> without_far(np.array([[1.0], [2.0], [3.0], [4.0]] * 10 + [[1e9]]))[-1].item()
    nan
    """
    known = np.isfinite(values).any(0)
    if not known.any():
        return values
    with np.errstate(invalid="ignore"):
        middle = np.nanmedian(values[:, known], axis=0)
        far = np.abs(values[:, known] - middle)
        usual = np.nanpercentile(far, 95, axis=0)
    found = values.copy()
    wrong = (usual > 0) & (far > FAR * usual)
    wrong &= wrong.sum(0) <= max(2, RARE * len(values))  # rest and rare travel are no errors
    found[:, known] = np.where(wrong, np.nan, values[:, known])
    return found


@dataclass(frozen=True)
class Standardise:
    """The map that centres and scales every column.

        v = (d - n m) / s,    n = the number of increments in d

    The log-Jacobian of a column is -log s.

    Attributes:
        mean: m, one number for each column.
        scale: s, one number for each column.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def fit(
        cls,
        increments: Increments,
        continuous: tuple[bool, ...],
        is_increment: Bool[np.ndarray, " dim"],
        largest: Float[np.ndarray, " dim"],
    ) -> "Standardise":
        """Return the map for the mean and the standard deviation of single increments.

        A value does not count if its distance from the median is over 100 times the 95th percentile
        of such distances, and few others are as far. It is taken for an error, such as a position of 0.

        A constant column of increments takes the root mean square of all increments, which have
        its unit. Any other constant column keeps scale 1.

        Args:
            increments: those of the training data; an increment over a gap does not count.
            continuous: which columns are standardised.
            is_increment: which columns are increments.
            largest: largest absolute position of each column, in the unit of the increments. What
                the data is rounded by counts as no spread.
        """
        values = increments.values
        single = np.where(increments.count == 1, values, np.nan).reshape(-1, values.shape[-1])
        mean, scale = moments(without_far(single))
        keep = np.array(continuous)
        moves = (mean**2 + scale**2)[is_increment & keep]
        unit = float(np.sqrt(moves.mean())) if moves.any() else 1.0
        scale = usable_scale(scale, largest, np.where(is_increment, unit, 1.0))
        return cls(
            tuple(np.where(keep, mean, 0.0).tolist()), tuple(np.where(keep, scale, 1.0).tolist())
        )

    @classmethod
    def isotropic(cls, increments: Increments) -> "Standardise":
        """Return the map that scales all columns alike, by the root mean square length of moves.

        It centres nothing. Increments of length 0 do not count, nor those shorter than `TINY`.
        Those over a gap count, divided by its rows, where there are no others.
        """
        width = increments.values.shape[-1]
        values, count = (part.reshape(-1, width) for part in np.broadcast_arrays(*increments))
        squares = ((values / count) ** 2).sum(-1)
        finite = np.isfinite(squares)
        moves = finite & (squares > TINY**2 * squares[finite].mean()) if finite.any() else finite
        single = moves & (count == 1).all(-1)
        chosen = squares[single if single.any() else moves]
        scale = float(np.sqrt(chosen.mean())) if len(chosen) else 1.0
        return cls((0.0,) * width, (scale,) * width)

    def encode(self, increments: Increments) -> Float[np.ndarray, "*batch time dim"]:
        """Return the standardised values, of the same shape."""
        centred = increments.values - increments.count * np.array(self.mean)
        return centred / np.array(self.scale)

    def decode(self, increments: Increments) -> Float[np.ndarray, "*batch time dim"]:
        """Return the values before standardising, of the same shape."""
        return increments.values * np.array(self.scale) + increments.count * np.array(self.mean)
