"""Tracks on a regular grid of time: gaps filled or split, irregular times resampled."""

from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from vrnn.data.tracks import Tracks
from vrnn.data.windows import TOLERANCE

LONGEST = 10
"""Steps of the longest gap that is filled with missing rows; a track is split at a longer one."""
IRREGULAR = 0.01
"""Share of steps that are no whole number of usual steps, above which all tracks are resampled."""
NEAR = 2.5
"""Steps between two rows, up to which positions between them are interpolated."""


class Tidied(NamedTuple):
    """Tracks on a regular grid, and what was done to them.

    Attributes:
        tracks: the tracks, one usual step from row to row.
        notes: one sentence for each thing that was done, with its count.
    """

    tracks: Tracks
    notes: tuple[str, ...]


def tidy(tracks: Tracks, *, last: bool = False) -> Tidied:
    """Return tracks with one row for each usual time step.

    A model takes the rows of a track as one step apart. So:

    - a gap of at most 10 steps is filled with missing rows;
    - a track is split at a longer gap, and its parts get `/1`, `/2` at the end of their ids;
    - where over 1 % of the steps are no whole number of usual steps, all tracks are resampled at the
      usual step, which is the median. Positions are interpolated linearly between rows that are at
      most 2.5 steps apart. In longer gaps they are missing. A track keeps its last time.

    Args:
        tracks: tracks with any times.
        last: keep the last part of each track alone, under its own id, to forecast from.

    >>> found = tidy(Tracks([np.array([[1.0], [2], [4]])], times=[np.array([0.0, 5, 15])]))
    >>> found.tracks.x[0].ravel().tolist(), found.notes
    ([1.0, 2.0, nan, 4.0], ('1 gap in time filled with 1 missing row',))
    """
    step = tracks.step
    owner = np.repeat(np.arange(len(tracks)), tracks.lengths)
    if not len(owner):
        return Tidied(tracks, ())
    between = np.diff(np.concatenate(tracks.times)) / step
    inside = owner[1:] == owner[:-1]
    whole = np.abs(between - np.rint(between)) <= TOLERANCE
    irregular = int((inside & ~(whole & (between > 0.5))).sum())
    gaps = inside & (between > 1.5)
    resample = irregular > IRREGULAR * max(int(inside.sum()), 1)
    if not resample and not gaps.any():
        return Tidied(tracks, ())
    notes = []
    if (gaps & (between > LONGEST + TOLERANCE)).any():
        cut = gaps & (between > LONGEST + TOLERANCE)
        tracks = _split(tracks, np.flatnonzero(cut) + 1, last)
        rest = "the rows before are left out" if last else "tracks are split there"
        notes.append(
            f"{_plural(int(cut.sum()), 'gap')} in time of more than {LONGEST} steps of {step:.6g}: {rest}"
        )
    bring = _resampled if resample else _filled
    parts = [bring(tracks, i, step) for i in range(len(tracks))]
    x, times, u, y, rows = (list(column) for column in zip(*parts, strict=True))
    made = replace(tracks, x=x, times=times, u=u, y=y, rows=rows if tracks.rows else [])
    if resample:
        share = irregular / max(int(inside.sum()), 1)
        notes.append(
            f"{share:.0%} of time steps are irregular: positions are interpolated at every "
            f"{step:.6g}, and missing in longer gaps"
        )
    elif filled := int(made.lengths.sum() - tracks.lengths.sum()):
        short = int((gaps & (between <= LONGEST + TOLERANCE)).sum())
        notes.append(
            f"{_plural(short, 'gap')} in time filled with {_plural(filled, 'missing row')}"
        )
    return Tidied(made, tuple(notes))


def is_irregular(tracks: Tracks) -> bool:
    """Return whether over 1 % of the steps are no whole number of usual steps."""
    steps = np.concatenate([np.diff(t) for t in tracks.times]) / tracks.step if len(tracks) else []
    off = np.abs(steps - np.rint(steps)) > TOLERANCE
    return bool(len(steps)) and float(off.mean()) > IRREGULAR


def _split(tracks: Tracks, at: Int[np.ndarray, " cuts"], last: bool) -> Tracks:
    """Return tracks cut before some rows, counted over all tracks."""
    ends = np.cumsum(tracks.lengths)
    starts = ends - tracks.lengths
    owner = np.searchsorted(ends, at, side="right")
    ids: list[str] = []
    parts: dict[str, Any] = {name: [] for name in ("x", "times", "u", "y", "rows")}
    for i, name in enumerate(tracks.ids):
        edges = [0, *(at[owner == i] - starts[i]).tolist(), int(tracks.lengths[i])]
        pieces = [slice(a, b) for a, b in pairwise(edges)]
        pieces = pieces[-1:] if last else pieces
        several = len(pieces) > 1
        ids += [f"{name}/{j}" if several else name for j in range(1, len(pieces) + 1)]
        for key, arrays in parts.items():
            source = getattr(tracks, key)
            arrays += [source[i][piece] for piece in pieces] if source else []
    return replace(tracks, ids=ids, **parts)


Parts = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""The x, times, u, y and source rows of a track."""


def _filled(tracks: Tracks, i: int, step: float) -> Parts:
    """Return track i with missing rows where times skip whole steps; no row is lost."""
    t, x, u, y = tracks.times[i], tracks.x[i], tracks.u[i], tracks.y[i]
    source = tracks.rows[i] if tracks.rows else np.zeros(len(t), np.int64)
    between = np.diff(t) / step
    skipped = np.where(between > 1.5, np.rint(between) - 1, 0).astype(np.int64)
    if not skipped.any():
        return x, t, u, y, source
    slot = np.r_[0, np.cumsum(skipped + 1)]
    count = int(slot[-1]) + 1
    before = np.searchsorted(slot, np.arange(count), side="right") - 1
    wide = [np.full((count, a.shape[1]), np.nan) for a in (x, y)]
    for made, given in zip(wide, (x, y), strict=True):
        made[slot] = given
    rows = np.full(count, -1)
    rows[slot] = source
    return wide[0], np.interp(np.arange(count), slot, t), u[before], wide[1], rows


def _resampled(tracks: Tracks, i: int, step: float) -> Parts:
    """Return track i interpolated at every step up to its last time."""
    t, x, u, y = tracks.times[i], tracks.x[i], tracks.u[i], tracks.y[i]
    source = tracks.rows[i] if tracks.rows else np.zeros(len(t), np.int64)
    if len(t) < 2:
        return x, t, u, y, source
    count = int(np.floor((t[-1] - t[0]) / step + TOLERANCE)) + 1
    grid = t[-1] - step * np.arange(count)[::-1]
    before = np.clip(np.searchsorted(t, grid + TOLERANCE * step, side="right") - 1, 0, len(t) - 1)
    after = np.minimum(before + 1, len(t) - 1)
    on_row = np.abs(grid - t[before]) <= TOLERANCE * step
    near = (t[after] - t[before]) <= NEAR * step
    share = np.where(on_row, 0.0, (grid - t[before]) / np.maximum(t[after] - t[before], 1e-300))
    times = np.where(on_row, t[before], grid)
    fill = on_row | near
    return (
        _between(x, before, after, share, fill),
        times,
        u[before],
        _between(y, before, after, share, fill),
        np.where(on_row, source[before], -1),
    )


def _between(
    values: Float[np.ndarray, "time width"],
    before: Int[np.ndarray, " rows"],
    after: Int[np.ndarray, " rows"],
    share: Float[np.ndarray, " rows"],
    fill: Bool[np.ndarray, " rows"],
) -> Float[np.ndarray, "rows width"]:
    """Return values between two rows, NaN where they are not to be filled."""
    part = share[:, None]
    found = np.where(part > 0, (1 - part) * values[before] + part * values[after], values[before])
    return np.where(fill[:, None], found, np.nan)


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
