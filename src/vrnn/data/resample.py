"""Tracks at other times: on a regular grid, or at another speed."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int, Shaped

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
    for i in range(len(tracks)):
        _check_grid(tracks, i, step)
    return filled(tracks, step)


def filled(tracks: Tracks, step: float) -> Tracks:
    """Return tracks with missing rows where times skip whole steps.

    In such a row x and y are NaN, and u is the last value before it. No row is lost, and rows keep
    their times, also those that are off the grid.

    Args:
        tracks: any tracks.
        step: time between rows.

    >>> tracks = filled(Tracks([np.array([[1.0], [2], [4]])], times=[np.array([0.0, 1.1, 3])]), 1.0)
    >>> tracks.x[0].ravel().tolist()
    [1.0, 2.0, nan, 4.0]
    """
    slots = [_slots(t, step) for t in tracks.times]
    if all(len(slot) == 0 or slot[-1] == len(slot) - 1 for slot in slots):
        return tracks
    return replace(
        tracks,
        x=[_spread(a, slot, np.nan) for a, slot in zip(tracks.x, slots, strict=True)],
        y=[_spread(a, slot, np.nan) for a, slot in zip(tracks.y, slots, strict=True)],
        rows=[
            _spread(a, slot, -1) for a, slot in zip(tracks.rows, slots, strict=bool(tracks.rows))
        ],
        u=[a[_before(slot)] for a, slot in zip(tracks.u, slots, strict=True)],
        times=[
            np.interp(np.arange(slot[-1] + 1), slot, t) if len(t) else t
            for t, slot in zip(tracks.times, slots, strict=True)
        ],
    )


def _slots(times: Float[np.ndarray, " time"], step: float) -> Int[np.ndarray, " time"]:
    """Return the place that each row gets when missing rows are put in."""
    between = np.diff(times) / step
    skipped = np.where(between > 1.5, np.rint(between) - 1, 0).astype(np.int64)
    return np.r_[0, np.cumsum(skipped + 1)][: len(times)]


def _spread(
    values: Shaped[np.ndarray, "time ..."], slot: Int[np.ndarray, " time"], empty: float
) -> Shaped[np.ndarray, "rows ..."]:
    """Return values at their places, with others empty."""
    made = np.full((int(slot[-1]) + 1 if len(slot) else 0, *values.shape[1:]), empty, values.dtype)
    made[slot] = values
    return made


def _before(slot: Int[np.ndarray, " time"]) -> Int[np.ndarray, " rows"]:
    """Return the last given row at or before each place."""
    return np.searchsorted(slot, np.arange(slot[-1] + 1 if len(slot) else 0), side="right") - 1


def interpolated(tracks: Tracks, longest: int) -> Tracks:
    """Return tracks whose missing values are interpolated linearly in time.

    Values before the first and after the last of a track stay missing, and so do those in longer
    gaps. Columns of 0 and 1 stay as they are.

    Args:
        tracks: any tracks.
        longest: rows of the longest gap that is filled.

    >>> x = np.array([[0.0], [np.nan], [4], [np.nan]])
    >>> interpolated(Tracks([x], times=[np.array([0.0, 3, 4, 5])]), 9).x[0].ravel().tolist()
    [0.0, 3.0, 4.0, nan]
    """
    if not any(np.isnan(x).any() for x in tracks.x):
        return tracks
    values = np.concatenate(tracks.x)
    places = np.flatnonzero(~(np.isnan(values) | (values == 0) | (values == 1)).all(0))
    made = []
    for t, given in zip(tracks.times, tracks.x, strict=True):
        x = given.copy()
        for column in places:
            there = np.flatnonzero(~np.isnan(x[:, column]))
            after = np.searchsorted(there, np.arange(len(x)))
            inside = (after > 0) & (after < len(there)) & np.isnan(x[:, column])
            rows = np.flatnonzero(inside)
            rows = rows[there[after[rows]] - there[after[rows] - 1] <= longest + 1]
            x[rows, column] = np.interp(t[rows], t[there], x[there, column])
        made.append(x)
    return replace(tracks, x=made)


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
        x=[between(a, at) for a, at in zip(tracks.x, places, strict=True)],
        y=[between(a, at) for a, at in zip(tracks.y, places, strict=True)],
        u=[a[at.astype(int)] for a, at in zip(tracks.u, places, strict=True)],
        times=[
            t[:1] + (between(t[:, None], at)[:, 0] - t[:1]) / rate
            for t, at in zip(tracks.times, places, strict=True)
        ],
    )


def _places(rows: int, rate: float) -> Float[np.ndarray, " places"]:
    """Return 0, rate, 2 rate, ... up to the last of the rows.

    They are rounded, so that a place on a row is exactly that row.
    """
    count = int((rows - 1) / rate + 1e-9) + 1 if rows else 0
    return np.minimum(np.round(np.arange(count) * rate, 9), max(rows - 1, 0))


def between(
    values: Float[np.ndarray, "time width"], at: Float[np.ndarray, " places"]
) -> Float[np.ndarray, "places width"]:
    """Return the values interpolated linearly at places counted in rows, as 1.5 between two."""
    low = np.minimum(at.astype(int), len(values) - 1)
    high, part = np.minimum(low + 1, len(values) - 1), (at - low)[:, None]
    return np.where(part > 0, (1 - part) * values[low] + part * values[high], values[low])


def _check_grid(tracks: Tracks, i: int, step: float) -> None:
    """Refuse the first row of track i that is no whole number of steps after its first."""
    times = tracks.times[i]
    if not len(times):
        return
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
