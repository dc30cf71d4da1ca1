"""Operations on arrays in which NaN stands for a missing value."""

import numpy as np
from jaxtyping import Bool, Float, Int

ROUNDING = 8 * float(np.finfo(np.float64).eps)
"""Relative to the largest values, the size under which their differences are rounding errors."""


def pad(
    arrays: list[Float[np.ndarray, "_ width"]], time: int, fill: float
) -> Float[np.ndarray, "batch time width"]:
    """Return arrays of different lengths as one, filled up past their ends.

    Args:
        arrays: one array (T_i, width) for each track.
        time: the common length, at least every T_i.
        fill: the value past the end of an array.

    >>> pad([np.ones((1, 1)), np.ones((2, 1))], 2, 0.0)[..., 0].tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    if all(len(a) == time for a in arrays):
        return np.stack(arrays)
    padded = np.full((len(arrays), time, arrays[0].shape[1]), fill)
    for sequence, a in zip(padded, arrays, strict=True):
        sequence[: len(a)] = a
    return padded


def carry_forward(
    values: Float[np.ndarray, "batch time width"],
) -> Float[np.ndarray, "batch time width"]:
    """Return the values with each NaN replaced by the last value before it, or by 0.

    >>> carry_forward(np.array([[[np.nan], [1.0], [np.nan]]]))[0, :, 0].tolist()
    [0.0, 1.0, 1.0]
    """
    index = np.maximum.accumulate(
        np.where(np.isfinite(values), np.arange(values.shape[1])[:, None], 0), axis=1
    )
    return np.nan_to_num(np.take_along_axis(values, index, axis=1))


def before_first_value(
    values: Float[np.ndarray, "batch time width"],
) -> Bool[np.ndarray, "batch time width"]:
    """Return True where no value of the column has been observed yet.

    >>> before_first_value(np.array([[[np.nan], [1.0], [np.nan]]]))[0, :, 0].tolist()
    [True, False, False]
    """
    return ~np.maximum.accumulate(np.isfinite(values), axis=1)


def last_observed(
    values: Float[np.ndarray, "batch time dim"],
) -> tuple[Float[np.ndarray, "batch dim"], Int[np.ndarray, "batch dim"]]:
    """Return the last observed value of each column and its time step; NaN and 0 where none is.

    >>> value, step = last_observed(np.array([[[5.0], [7.0], [np.nan]]]))
    >>> value.tolist(), step.tolist()
    ([[7.0]], [[1]])
    """
    last = np.where(np.isfinite(values), np.arange(values.shape[1])[:, None], 0).max(1)
    return np.take_along_axis(values, last[:, None], axis=1)[:, 0], last


def mean_and_scale(
    arrays: list[Float[np.ndarray, "_ width"]],
) -> tuple[Float[np.ndarray, " width"], Float[np.ndarray, " width"]]:
    """Return the mean and the standard deviation of every column, without its missing values.

    The standard deviation of a constant column is given as 1.

    >>> mean_and_scale([np.array([[1.0, 4.0], [3.0, 4.0], [np.nan, 4.0]])])
    (array([2., 4.]), array([1., 1.]))
    """
    rows = np.concatenate(arrays)
    mean, scale = moments(rows)
    return mean, usable_scale(scale, largest(rows))


def moments(
    rows: Float[np.ndarray, "rows width"],
) -> tuple[Float[np.ndarray, " width"], Float[np.ndarray, " width"]]:
    """Return the mean and the standard deviation of every column; both are 0 without a value.

    They are sums of differences from the first value of a column. So a constant column has a
    standard deviation of exactly 0, and a column far from 0 loses no digits.

    >>> moments(1e8 + np.array([[0.0], [0.5], [1.0]]))
    (array([1.e+08]), array([0.40824829]))
    >>> moments(np.zeros((0, 1)))
    (array([0.]), array([0.]))
    """
    if not len(rows):
        return np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    observed = np.isfinite(rows)
    count = np.maximum(observed.sum(0), 1)
    start = np.nan_to_num(np.take_along_axis(rows, observed.argmax(0)[None], 0)[0])
    off = np.where(observed, rows - start, 0.0)
    mean = off.sum(0) / count
    scale = np.sqrt((np.where(observed, off - mean, 0.0) ** 2).sum(0) / count)
    return start + mean, scale


def largest(rows: Float[np.ndarray, "rows width"]) -> Float[np.ndarray, " width"]:
    """Return the largest absolute value of every column; 0 without a value."""
    return np.abs(np.nan_to_num(rows)).max(0, initial=0.0)


def usable_scale(
    scale: Float[np.ndarray, " width"],
    of: Float[np.ndarray, " width"],
    instead: float | Float[np.ndarray, " width"] = 1.0,
) -> Float[np.ndarray, " width"]:
    """Return the scale, with another where it is only the rounding error of a constant column.

    Args:
        scale: standard deviation of each column.
        of: largest absolute value that the column was computed from, in the same unit.
        instead: the scale of a constant column.
    """
    return np.where(scale > ROUNDING * of, scale, instead)
