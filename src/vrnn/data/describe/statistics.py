"""The numbers of a description: lengths, time steps, gaps, scale and outliers."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from vrnn.data.describe.advice import advise
from vrnn.data.describe.description import Column, Description, Outlier
from vrnn.data.tidy import tidy
from vrnn.data.tracks import Tracks
from vrnn.data.windows import TOLERANCE, forecast_window, runs
from vrnn.errors import DataError, write

OUTLIER = 10.0
"""A step faster than this many times the 95th percentile of all speeds is an outlier."""
ENOUGH_SPEEDS = 20
"""With fewer known speeds nothing is called an outlier."""


def describe(tracks: Tracks) -> Description:
    """Return a description of a set of tracks, with advice.

    Args:
        tracks: tracks of any length.

    Raises:
        DataError: no tracks.

    >>> print(describe(Tracks([np.arange(60.0).reshape(30, 2)], ids=["anna"])))
    tracks        1
    rows          30 in all; 30 to 30 a track, median 30
    time step     1 usually; of 29 steps, 0 are gaps and 0 irregular
    columns       x (observed): 0 to 58
                  y (observed): 1 to 59
    displacement  2.828 a step (median)
    advice
      - Only 1 track (30 rows): ...
      - Windows for evaluation: observe=8 horizon=12 gives 11 windows from 1 track.
    """
    if not len(tracks) or not tracks.lengths.sum():
        raise DataError("describe: expected at least one track with a row, found none")
    lengths, step = tracks.lengths, tracks.step
    columns = tuple(_columns(tracks))
    x = np.concatenate(tracks.x)
    pair, dt, moved = moves = _moves(tracks, [c.binary for c in columns if c.role == "x"])
    ratio = dt / step
    usual = np.abs(ratio - 1) <= TOLERANCE
    gap = ~usual & (ratio > 1.5) & (np.abs(ratio - np.rint(ratio)) <= TOLERANCE)
    fast, worst = _outliers(tracks, moves)
    ready = tidy(tracks).tracks
    found = runs(ready)
    observe, horizon = forecast_window(found, len(ready))
    whole = observe + horizon
    fits = (found.length >= whole) & (whole > 0)
    description = Description(
        tracks=len(tracks),
        rows=int(lengths.sum()),
        shortest=int(lengths.min()),
        median_length=float(np.median(lengths)),
        longest=int(lengths.max()),
        step=step,
        steps=len(pair),
        gaps=int(gap.sum()),
        longest_gap=int(np.rint(ratio[gap]).max(initial=0)),
        irregular=int((~usual & ~gap).sum()),
        incomplete=float(np.isnan(x).any(axis=1).mean()),
        columns=columns,
        displacement=_median(moved[usual]),
        outliers=fast,
        worst=worst,
        single=tuple(track for track, rows in zip(tracks.ids, lengths, strict=True) if rows == 1),
        repeated=tuple(track for track, times in Counter(tracks.ids).items() if times > 1),
        observe=observe,
        horizon=horizon,
        windows=int((found.length[fits] - whole + 1).sum()),
        windowed=len(np.unique(found.track[fits])),
    )
    return replace(description, advice=tuple(write(text) for text in advise(description)))


def _columns(tracks: Tracks) -> Iterator[Column]:
    """Yield the numbers of every column of x, u and y."""
    for role in ("x", "u", "y"):
        values = np.concatenate(getattr(tracks, role))
        for name, column in zip(getattr(tracks, f"{role}_names"), values.T, strict=True):
            there = column[~np.isnan(column)]
            if len(there):
                stats = (float(there.min()), float(there.max()), float(there.std()))
            else:
                stats = (np.nan, np.nan, np.nan)
            ones = float(there.mean()) if len(there) and np.isin(there, (0, 1)).all() else None
            yield Column(name, role, 1 - len(there) / len(column), *stats, ones)


def outliers(tracks: Tracks) -> tuple[int, Outlier | None]:
    """Return how many steps are faster than 10 times the 95th percentile of speeds, and the fastest.

    >>> walk = np.arange(60.0)[:, None] + 1e6 * (np.arange(60)[:, None] == 20)
    >>> outliers(Tracks([walk], ids=["anna"]))
    (2, Outlier(track='anna', time=20.0, ratio=...))
    """
    x = np.concatenate(tracks.x)
    binary = (np.isnan(x) | (x == 0) | (x == 1)).all(0)
    return _outliers(tracks, _moves(tracks, binary.tolist()))


class Moves(NamedTuple):
    """The steps from row to row inside the tracks.

    Attributes:
        row: the row that each starts from, counted over all tracks, (steps,).
        seconds: time that each takes, (steps,).
        length: distance of each, without columns of 0 and 1, (steps,).
    """

    row: Int[np.ndarray, " steps"]
    seconds: Float[np.ndarray, " steps"]
    length: Float[np.ndarray, " steps"]


def _moves(tracks: Tracks, binary: list[bool]) -> Moves:
    """Return the steps of tracks, of which some columns are 0 or 1 and have no speed."""
    owner = np.repeat(np.arange(len(tracks)), tracks.lengths)
    x = np.concatenate(tracks.x)[:, [not one for one in binary]]
    row = np.flatnonzero(owner[1:] == owner[:-1])
    seconds = np.diff(np.concatenate(tracks.times))[row]
    return Moves(row, seconds, np.linalg.norm(x[row + 1] - x[row], axis=1))


def _outliers(tracks: Tracks, moves: Moves) -> tuple[int, Outlier | None]:
    """Return how many steps are out of proportion, and the fastest."""
    speed = moves.length / moves.seconds
    known = np.flatnonzero(~np.isnan(speed))
    limit = float(np.percentile(speed[known], 95)) if len(known) >= ENOUGH_SPEEDS else 0.0
    if limit == 0.0 or not (fast := speed[known] > OUTLIER * limit).any():
        return 0, None
    at = int(known[speed[known].argmax()])
    row = int(moves.row[at]) + 1
    track = int(np.searchsorted(np.cumsum(tracks.lengths), row, side="right"))
    time = float(np.concatenate(tracks.times)[row])
    return int(fast.sum()), Outlier(tracks.ids[track], time, float(speed[at]) / limit)


def _median(values: Float[np.ndarray, " steps"]) -> float:
    """Return the median of the values that are not missing, NaN if all are."""
    values = values[~np.isnan(values)]
    return float(np.median(values)) if len(values) else np.nan
