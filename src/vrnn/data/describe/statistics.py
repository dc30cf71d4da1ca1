"""The numbers of a description: lengths, time steps, gaps, scale and outliers."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from jaxtyping import Float

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
    owner = np.repeat(np.arange(len(tracks)), lengths)
    columns = tuple(_columns(tracks))
    times, x = np.concatenate(tracks.times), np.concatenate(tracks.x)
    moving = x[:, [not c.binary for c in columns if c.role == "x"]]  # zeros and ones have no speed
    pair = np.flatnonzero(owner[1:] == owner[:-1])  # rows with a next one in the same track
    dt = np.diff(times)[pair]
    ratio = dt / step
    usual = np.abs(ratio - 1) <= TOLERANCE
    gap = ~usual & (ratio > 1.5) & (np.abs(ratio - np.rint(ratio)) <= TOLERANCE)
    moved = np.linalg.norm(moving[pair + 1] - moving[pair], axis=1)
    fast, worst = outliers(tracks)
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

    >>> walk = np.arange(40.0)[:, None] + 1e6 * (np.arange(40)[:, None] == 20)
    >>> outliers(Tracks([walk], ids=["anna"]))
    (2, Outlier(track='anna', time=20.0, ratio=...))
    """
    owner = np.repeat(np.arange(len(tracks)), tracks.lengths)
    times, x = np.concatenate(tracks.times), np.concatenate(tracks.x)
    moving = x[:, [not c.binary for c in _columns(tracks) if c.role == "x"]]
    pair = np.flatnonzero(owner[1:] == owner[:-1])  # rows with a next one in the same track
    moved = np.linalg.norm(moving[pair + 1] - moving[pair], axis=1)
    speed = moved / np.diff(times)[pair]
    known = np.flatnonzero(~np.isnan(speed))
    limit = float(np.percentile(speed[known], 95)) if len(known) >= ENOUGH_SPEEDS else 0.0
    if limit == 0.0 or not (fast := speed[known] > OUTLIER * limit).any():
        return 0, None
    at = int(known[speed[known].argmax()])
    row = int(pair[at]) + 1
    return int(fast.sum()), Outlier(
        tracks.ids[owner[row]], float(times[row]), float(speed[at]) / limit
    )


def _median(values: Float[np.ndarray, " steps"]) -> float:
    """Return the median of the values that are not missing, NaN if all are."""
    values = values[~np.isnan(values)]
    return float(np.median(values)) if len(values) else np.nan
