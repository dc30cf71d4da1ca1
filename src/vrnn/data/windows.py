"""Windows of a fixed length, cut from tracks."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from vrnn.data.tracks import Tracks
from vrnn.errors import DataError, Function

TOLERANCE = 0.05
"""Fraction of a step by which a time may miss the grid and still count as on it.

Video at 30 Hz, written in whole milliseconds, misses by 0.015."""

OBSERVE, HORIZON = 8, 12
"""The usual rows to observe and to forecast, where at least `ENOUGH_WINDOWS` of them fit."""
ENOUGH_WINDOWS = 100
SHORTEST_WINDOW = 4


class Runs(NamedTuple):
    """The longest runs of consecutive complete rows.

    Attributes:
        track: the index of the track of each run, (runs,).
        start: the first row within that track, (runs,).
        length: rows of the run, (runs,).
    """

    track: Int[np.ndarray, " runs"]
    start: Int[np.ndarray, " runs"]
    length: Int[np.ndarray, " runs"]


class WindowPlaces(NamedTuple):
    """Where windows are.

    Attributes:
        track: the index of the track of each window, (windows,).
        start: the first row within that track, (windows,).
    """

    track: Int[np.ndarray, " windows"]
    start: Int[np.ndarray, " windows"]


def runs(tracks: Tracks, step: float | None = None) -> Runs:
    """Return every run of rows without NaN in x that are one time step apart.

    Args:
        tracks: tracks of any length.
        step: time between rows; the usual one of the tracks when omitted.

    Raises:
        DataError: a step that is not a positive number.

    >>> runs(Tracks([np.zeros((5, 2))], times=[np.array([0.0, 1, 2, 5, 6])]))
    Runs(track=array([0, 0]), start=array([0, 3]), length=array([3, 2]))
    """
    step = positive_step(tracks.step if step is None else step)
    lengths = tracks.lengths
    if not lengths.sum():
        return Runs(*(np.zeros(0, np.int64) for _ in Runs._fields))
    owner = np.repeat(np.arange(len(tracks)), lengths)
    complete = np.asarray(~np.isnan(np.concatenate(tracks.x)).any(axis=1))
    linked = np.zeros(len(owner), dtype=bool)  # whether a row continues the row before
    linked[1:] = (owner[1:] == owner[:-1]) & complete[1:] & complete[:-1]
    linked[1:] &= np.abs(np.diff(np.concatenate(tracks.times)) - step) <= TOLERANCE * step
    first = np.flatnonzero(complete & ~linked)
    last = np.flatnonzero(complete & ~np.r_[linked[1:], False])
    offsets = np.cumsum(lengths) - lengths
    return Runs(owner[first], first - offsets[owner[first]], last - first + 1)


def windows(tracks: Tracks, length: int, stride: int = 1, step: float | None = None) -> Tracks:
    """Return every window of `length` consecutive complete rows, each as a track of its own.

    Rows are consecutive where their times are one step apart, and complete where x has no NaN. The
    arrays are views of the ones given. A window's id is that of its track and the time of its first
    row.

    Args:
        tracks: tracks of any length.
        length: rows of a window, for example 8 observed and 12 to forecast.
        stride: rows from one window to the next, counted from the start of each run; `length` for
            no overlap.
        step: time between rows; the usual one of the tracks when omitted.

    Raises:
        DataError: no run is that long, or a length, stride or step that is not positive.

    >>> tracks = Tracks([np.zeros((5, 2))], ids=["anna"], times=[np.arange(0, 50, 10.0)])
    >>> windows(tracks, length=4).ids
    ['anna@0', 'anna@10']
    """
    places = window_places(tracks, length, stride, step)
    where = list(zip(places.track.tolist(), places.start.tolist(), strict=True))
    cut = lambda arrays: [arrays[i][s : s + length] for i, s in where]  # noqa: E731
    ids = [f"{tracks.ids[i]}@{tracks.times[i][s]:.12g}" for i, s in where]
    return replace(
        tracks, x=cut(tracks.x), ids=ids, times=cut(tracks.times), u=cut(tracks.u), y=cut(tracks.y)
    )


def window_places(
    tracks: Tracks, length: int, stride: int = 1, step: float | None = None
) -> WindowPlaces:
    """Return where the windows of `windows` are, in the same order.

    Raises:
        DataError: as `windows` does.

    >>> window_places(Tracks([np.zeros((2, 2)), np.zeros((3, 2))]), length=2)
    WindowPlaces(track=array([0, 1, 1]), start=array([0, 0, 1]))
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
    within = np.arange(len(run)) - (np.cumsum(count) - count)[run]
    return WindowPlaces(found.track[run], found.start[run] + stride * within)


def forecast_window(found: Runs, tracks: int) -> tuple[int, int]:
    """Return rows to observe and to forecast: 8 and 12, or fewer where most tracks are shorter.

    Both are 0 where most tracks have no 4 consecutive complete rows.

    Args:
        found: the runs of complete rows.
        tracks: the number of tracks.

    >>> forecast_window(runs(Tracks([np.zeros((30, 2))] * 10)), 10)
    (8, 12)
    >>> forecast_window(runs(Tracks([np.zeros((9, 2))] * 10)), 10)
    (4, 5)
    """
    longest = np.zeros(tracks, dtype=np.int64)
    np.maximum.at(longest, found.track, found.length)
    usual = OBSERVE + HORIZON
    if int((found.length - usual + 1).clip(0).sum()) >= ENOUGH_WINDOWS:
        return OBSERVE, HORIZON
    whole = min(usual, int(np.median(longest)))
    if whole < SHORTEST_WINDOW:
        return 0, 0
    observe = max(2, round(0.4 * whole))
    return observe, whole - observe


def positive_step(step: float) -> float:
    """Return the time step, or refuse one that is not a positive number.

    Raises:
        DataError: zero, a negative number, infinity or NaN.
    """
    if not (np.isfinite(step) and step > 0):
        raise DataError(f"expected a positive time step, found {step}")
    return step
