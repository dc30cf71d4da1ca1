"""Tracks at other times: on a regular grid, or at another speed."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from vrnn.data.tracks import Tracks
from vrnn.data.windows import TOLERANCE, positive_step
from vrnn.errors import DataError, Function


def regular(tracks: Tracks, step: float | None = None) -> Tracks:
    """Return every track with one row for each time step from its first time to its last.

    In a row that was absent x and y are NaN, and u is the last value before it. Other rows keep
    their times.

    Args:
        tracks: tracks with times that are whole steps from their first.
        step: time between rows; the usual one of the tracks when omitted.

    Raises:
        DataError: a time between two points of the grid, or a step that is not positive.

    >>> tracks = regular(Tracks([np.array([[1.0], [2], [4]])], times=[np.array([0.0, 5, 15])]))
    >>> tracks.times[0].tolist(), tracks.x[0].ravel().tolist()
    ([0.0, 5.0, 10.0, 15.0], [1.0, 2.0, nan, 4.0])
    """
    step = positive_step(tracks.step if step is None else step)
    parts = [_on_grid(tracks, i, step) for i in range(len(tracks))]
    times, x, u, y = ([part[k] for part in parts] for k in range(4))
    return replace(tracks, x=x, times=times, u=u, y=y)


def at_rate(tracks: Tracks, rate: float) -> Tracks:
    """Return each track as it would be at `rate` times its speed.

    The rows are those at 0, rate, 2 rate, ..., counted in rows of the track. Between two rows x and
    y are interpolated linearly, and u is that of the row before. A value beside a missing one is
    missing too. The rows keep the usual time between them.

    Args:
        tracks: any tracks.
        rate: how many times as fast.

    Raises:
        DataError: a rate that is not a positive number.

    >>> at_rate(Tracks([np.array([[0.0], [2], [4], [8]])]), 1.5).x[0].ravel().tolist()
    [0.0, 3.0, 8.0]
    """
    if not (np.isfinite(rate) and rate > 0):
        raise DataError(f"expected a positive rate, found {rate}")
    if rate == 1:
        return tracks
    places = [_places(len(x), rate) for x in tracks.x]
    return replace(
        tracks,
        x=[_between(a, at) for a, at in zip(tracks.x, places, strict=True)],
        y=[_between(a, at) for a, at in zip(tracks.y, places, strict=True)],
        u=[a[at.astype(int)] for a, at in zip(tracks.u, places, strict=True)],
        times=[
            t[:1] + (_between(t[:, None], at)[:, 0] - t[:1]) / rate
            for t, at in zip(tracks.times, places, strict=True)
        ],
    )


def _places(rows: int, rate: float) -> Float[np.ndarray, " places"]:
    """Return 0, rate, 2 rate, ... up to the last of the rows.

    They are rounded, so that a place on a row is exactly that row.
    """
    count = int((rows - 1) / rate + 1e-9) + 1 if rows else 0
    return np.minimum(np.round(np.arange(count) * rate, 9), max(rows - 1, 0))


def _between(
    values: Float[np.ndarray, "time width"], at: Float[np.ndarray, " places"]
) -> Float[np.ndarray, "places width"]:
    """Return the values interpolated linearly at places counted in rows."""
    low = np.minimum(at.astype(int), len(values) - 1)
    high, part = np.minimum(low + 1, len(values) - 1), (at - low)[:, None]
    return np.where(part > 0, (1 - part) * values[low] + part * values[high], values[low])


def _on_grid(
    tracks: Tracks, i: int, step: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return times, x, u and y of track i with a row for each time step."""
    times, x, u, y = tracks.times[i], tracks.x[i], tracks.u[i], tracks.y[i]
    if not len(times):
        return times, x, u, y
    place = (times - times[0]) / step
    slot = np.rint(place).astype(np.int64)
    off = np.abs(place - slot) > TOLERANCE
    off[1:] |= np.diff(slot) == 0
    if off.any():
        row = int(off.argmax())
        raise DataError(
            where=f"track {tracks.ids[i]}",
            expected=f"times that are whole steps of {step:g} from its first time {times[0]:.10g}",
            found=f"{times[row]:.10g} ({place[row]:.3f} steps)",
            hint=(
                "pass a step that divides all times "
                f"(the shortest here is {np.diff(times).min():g}) to ",
                Function("regular"),
                ", or drop or resample such rows",
            ),
        )
    rows = int(slot[-1]) + 1
    if rows == len(times):
        return times, x, u, y
    filled = times[0] + step * np.arange(rows)
    filled[slot] = times
    wide = []
    for array in (x, y):
        wide.append(np.full((rows, array.shape[1]), np.nan))
        wide[-1][slot] = array
    before = np.searchsorted(slot, np.arange(rows), side="right") - 1
    return filled, wide[0], u[before], wide[1]
