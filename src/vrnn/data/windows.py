"""Fixed-length pieces of tracks, and tracks on a regular time grid."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from vrnn.data.tracks import Tracks
from vrnn.errors import DataError, Function

TOLERANCE = 0.05
"""Share of a step by which a time may miss the grid and still count as on it.

Video at 30 Hz, written in whole milliseconds, misses by 0.015."""


class Runs(NamedTuple):
    """Runs of consecutive complete rows, one entry a run, as long as possible.

    Args:
        track: the index of the track, (runs,).
        start: the first row within that track, (runs,).
        length: rows, (runs,).
    """

    track: np.ndarray
    start: np.ndarray
    length: np.ndarray


def runs(tracks: Tracks, step: float | None = None) -> Runs:
    """Find every run of rows without NaN in x, one usual step (or `step`) apart.

    >>> runs(Tracks([np.zeros((5, 2))], times=[np.array([0.0, 1, 2, 5, 6])]))
    Runs(track=array([0, 0]), start=array([0, 3]), length=array([3, 2]))
    """
    step = _positive(tracks.step if step is None else step)
    lengths = tracks.lengths
    if not lengths.sum():
        return Runs(*(np.zeros(0, np.int64) for _ in Runs._fields))
    owner = np.repeat(np.arange(len(tracks)), lengths)
    complete = np.asarray(~np.isnan(np.concatenate(tracks.x)).any(axis=1))
    linked = np.zeros(len(owner), dtype=bool)  # to the row before
    linked[1:] = (owner[1:] == owner[:-1]) & complete[1:] & complete[:-1]
    linked[1:] &= np.abs(np.diff(np.concatenate(tracks.times)) - step) <= TOLERANCE * step
    first = np.flatnonzero(complete & ~linked)
    last = np.flatnonzero(complete & ~np.r_[linked[1:], False])
    offsets = np.cumsum(lengths) - lengths
    return Runs(owner[first], first - offsets[owner[first]], last - first + 1)


def windows(tracks: Tracks, length: int, stride: int = 1, step: float | None = None) -> Tracks:
    """Cut every run of `length` consecutive complete rows of one track, as a track of its own.

    Rows are consecutive where their times are one step apart, and complete where x has no NaN. The arrays are
    views of the ones given. A window's id is the track's and the time of its first row.

    Args:
        tracks: tracks of any length.
        length: rows of a window, for example 8 observed + 12 to forecast.
        stride: rows from one window to the next, counted from the start of each run; `length` for no overlap.
        step: time between rows; the usual one of the tracks when omitted.

    Raises:
        DataError: no run is that long.

    >>> tracks = Tracks([np.zeros((5, 2))], ids=["anna"], times=[np.arange(0, 50, 10.0)])
    >>> windows(tracks, length=4).ids
    ['anna@0', 'anna@10']
    """
    if length < 1 or stride < 1:
        raise DataError(
            f"windows: expected length and stride of at least 1, found {length} and {stride}"
        )
    found = runs(tracks, step)
    if not (found.length >= length).any():
        longest = int(found.length.max(initial=0))
        raise DataError(
            where="windows",
            expected=f"a run of {length} consecutive complete rows",
            found=f"none: the longest is {longest} {'row' if longest == 1 else 'rows'} "
            f"(time step {tracks.step if step is None else step:g})",
            hint=(
                "take shorter windows, or look at gaps and time steps with ",
                Function("describe"),
            ),
        )
    count = np.maximum(found.length - length, -1) // stride + 1
    run = np.repeat(np.arange(len(count)), count)
    track = found.track[run].tolist()
    start = (
        found.start[run] + stride * (np.arange(len(run)) - (np.cumsum(count) - count)[run])
    ).tolist()
    cut = lambda arrays: [arrays[i][s : s + length] for i, s in zip(track, start, strict=True)]  # noqa: E731
    ids = [f"{tracks.ids[i]}@{tracks.times[i][s]:.12g}" for i, s in zip(track, start, strict=True)]
    return replace(
        tracks, x=cut(tracks.x), ids=ids, times=cut(tracks.times), u=cut(tracks.u), y=cut(tracks.y)
    )


def regular(tracks: Tracks, step: float | None = None) -> Tracks:
    """Put every track on a grid of one step from its first time; a row that is not there becomes NaN.

    In such a row x and y are missing and u is the last value before it. Rows that are there keep their times.

    Args:
        tracks: tracks with times that are whole steps from their first.
        step: time between rows; the usual one of the tracks when omitted.

    Raises:
        DataError: a time between two points of the grid.

    >>> tracks = regular(Tracks([np.array([[1.0], [2], [4]])], times=[np.array([0.0, 5, 15])]))
    >>> tracks.times[0].tolist(), tracks.x[0].ravel().tolist()
    ([0.0, 5.0, 10.0, 15.0], [1.0, 2.0, nan, 4.0])
    """
    step = _positive(tracks.step if step is None else step)
    parts = [_on_grid(tracks, i, step) for i in range(len(tracks))]
    times, x, u, y = ([part[k] for part in parts] for k in range(4))
    return replace(tracks, x=x, times=times, u=u, y=y)


def at_rate(tracks: Tracks, rate: float) -> Tracks:
    """Go along each track `rate` times as fast: rows 0, rate, 2 rate, ..., with x and y between rows interpolated linearly.

    What lies beside a missing value is missing too; u is that of the row before. The rows keep the usual time between them.

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


def _places(rows: int, rate: float) -> np.ndarray:
    """Count 0, rate, 2 rate, ... up to the last of the rows; rounded, so that a row that is met is met exactly."""
    count = int((rows - 1) / rate + 1e-9) + 1 if rows else 0
    return np.minimum(np.round(np.arange(count) * rate, 9), max(rows - 1, 0))


def _between(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Interpolate rows (T, width) at places counted in rows."""
    low = np.minimum(at.astype(int), len(values) - 1)
    high, share = np.minimum(low + 1, len(values) - 1), (at - low)[:, None]
    return np.where(share > 0, (1 - share) * values[low] + share * values[high], values[low])


def _on_grid(
    tracks: Tracks, i: int, step: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
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
                "pass a step that divides all times ",
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


def _positive(step: float) -> float:
    if not (np.isfinite(step) and step > 0):
        raise DataError(f"expected a positive time step, found {step}")
    return step
