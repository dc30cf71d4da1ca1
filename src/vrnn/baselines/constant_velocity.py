"""Constant velocity: one path, the last displacement repeated."""

import numpy as np
from jaxtyping import Float

from vrnn.errors import DataError


def constant_velocity(
    past: Float[np.ndarray, "batch time dim"], horizon: int
) -> Float[np.ndarray, "batch {horizon} dim"]:
    """Return the forecast that repeats the last observed displacement.

        x_{T+h} = x_T + h (x_T - x_{T-1})

    Args:
        past: observed paths (batch, time, dim), at least two points.
        horizon: time steps to forecast.

    Returns:
        Forecast paths (batch, horizon, dim), in the units of the data.

    Raises:
        DataError: a past of one point, which has no displacement.

    Source: Schöller et al. 2020, "What the constant velocity model can teach us about pedestrian
    motion prediction".

    >>> constant_velocity(np.array([[[0.0, 0.0], [1.0, 2.0]]]), horizon=2).tolist()
    [[[2.0, 4.0], [3.0, 6.0]]]
    """
    check_rows(past, 2, "constant velocity")
    last = past[:, -1:]
    steps = np.arange(1.0, horizon + 1.0)[:, None]
    return last + steps * (last - past[:, -2:-1])


def check_rows(past: Float[np.ndarray, "batch time dim"], least: int, what: str) -> None:
    """Refuse paths with too few points.

    Raises:
        DataError: says how many points are needed, and for what.
    """
    if past.shape[1] < least:
        raise DataError(
            f"{what} needs at least {least} observed points, found {past.shape[1]}; "
            "observe a longer prefix"
        )
