"""Tracks on a regular grid of time: gaps filled or split, irregular times resampled."""

from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from vrnn.data.resample import between, filled, interpolated
from vrnn.data.tracks import Tracks
from vrnn.data.windows import TOLERANCE
from vrnn.data.wording import plural

LONGEST = 10
"""Steps of the longest gap that is filled with missing rows; a track is split at a longer one."""
IRREGULAR = 0.01
"""Share of steps that are no whole number of usual steps, above which all tracks are resampled."""
NEAREST = 0.5, 4.0
"""Steps, as multiples of their own, between which irregular tracks take that of a model."""
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


def tidy(tracks: Tracks, *, last: bool = False, step: float | None = None) -> Tidied:
    """Return tracks with one row for each usual time step.

    A model takes the rows of a track as one step apart. So:

    - a gap of at most 10 steps is filled with missing rows;
    - a track is split at a longer gap, and its parts get `/1`, `/2` at the end of their ids;
    - where over 1 % of the steps are no whole number of usual steps, all tracks are resampled at the
      usual step, which is the median. Positions are interpolated linearly between rows that are at
      most 2.5 steps apart. In longer gaps they are missing. A track keeps its last time;
    - with `last`, positions are interpolated in all gaps of at most 10 steps, because forecasts from
      interpolated rows are better than from missing ones.

    Args:
        tracks: tracks with any times.
        last: keep the last part of each track alone, under its own id, to forecast from.
        step: the time step of other tracks or of a model. Irregular tracks are resampled at it, if it
            is 0.5 to 4 times their own.

    >>> found = tidy(Tracks([np.array([[1.0], [2], [4]])], times=[np.array([0.0, 5, 15])]))
    >>> found.tracks.x[0].ravel().tolist(), found.notes
    ([1.0, 2.0, nan, 4.0], ('1 gap in time filled with 1 missing row',))
    """
    own = tracks.step
    owner = np.repeat(np.arange(len(tracks)), tracks.lengths)
    if not len(owner):
        return Tidied(tracks, ())
    steps = np.diff(np.concatenate(tracks.times)) / own
    inside = owner[1:] == owner[:-1]
    whole = np.abs(steps - np.rint(steps)) <= TOLERANCE
    irregular = int((inside & ~(whole & (steps > 0.5))).sum())
    resample = irregular > IRREGULAR * int(inside.sum())
    if step is None or not resample or not NEAREST[0] * own <= step <= NEAREST[1] * own:
        step = own
    steps *= own / step
    gaps = inside & (steps > 1.5)
    if not resample and not gaps.any():
        return _without_missing(tracks, []) if last else Tidied(tracks, ())
    notes = []
    if (gaps & (steps > LONGEST + TOLERANCE)).any():
        cut = gaps & (steps > LONGEST + TOLERANCE)
        tracks = split_before(tracks, np.flatnonzero(cut) + 1, last)
        rest = "the rows before are left out" if last else "tracks are split there"
        notes.append(
            f"{plural(int(cut.sum()), 'gap')} in time of more than {LONGEST} steps of {step:.6g}: {rest}"
        )
    made = (
        _resampled(tracks, step, LONGEST + TOLERANCE if last else NEAR)
        if resample
        else filled(tracks, step)
    )
    if resample:
        share = irregular / int(inside.sum())
        notes.append(
            f"{share:.0%} of time steps are irregular: positions are interpolated at every "
            f"{step:.6g}" + ("" if last else ", and missing in longer gaps")
        )
    elif added := int(made.lengths.sum() - tracks.lengths.sum()):
        short = int((gaps & (steps <= LONGEST + TOLERANCE)).sum())
        notes.append(f"{plural(short, 'gap')} in time filled with {plural(added, 'missing row')}")
    return _without_missing(made, notes) if last else Tidied(made, tuple(notes))


def _without_missing(tracks: Tracks, notes: list[str]) -> Tidied:
    """Return tracks with interpolated positions in their short gaps, and say how many."""
    made = interpolated(tracks, LONGEST)
    pairs = zip(tracks.x, made.x, strict=True)
    if count := sum(int((np.isnan(a) & ~np.isnan(b)).any(1).sum()) for a, b in pairs):
        notes = [*notes, f"{plural(count, 'missing row')} interpolated to forecast from"]
    return Tidied(made, tuple(notes))


def split_before(tracks: Tracks, at: Int[np.ndarray, " cuts"], last: bool = False) -> Tracks:
    """Return tracks cut before some rows; the parts get `/1`, `/2` at the end of their ids.

    Args:
        tracks: any tracks.
        at: places of the rows, counted over all tracks.
        last: keep the last part of each track alone, under its own id.

    >>> split_before(Tracks([np.zeros((3, 2)), np.zeros((2, 2))]), np.array([2])).lengths.tolist()
    [2, 1, 2]
    """
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


def _resampled(tracks: Tracks, step: float, near: float) -> Tracks:
    """Return tracks interpolated at every step up to their last times."""
    parts = [_at_steps(tracks, i, step, near) for i in range(len(tracks))]
    x, times, u, y, rows = (list(column) for column in zip(*parts, strict=True))
    return replace(tracks, x=x, times=times, u=u, y=y, rows=rows if tracks.rows else [])


def _at_steps(
    tracks: Tracks, i: int, step: float, near: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return x, times, u, y and source rows of track i at every step up to its last time."""
    t, x, u, y = tracks.times[i], tracks.x[i], tracks.u[i], tracks.y[i]
    source = tracks.rows[i] if tracks.rows else np.zeros(len(t), np.int64)
    if len(t) < 2:
        return x, t, u, y, source
    count = int(np.floor((t[-1] - t[0]) / step + TOLERANCE)) + 1
    grid = t[-1] - step * np.arange(count)[::-1]
    before = np.clip(np.searchsorted(t, grid + TOLERANCE * step, side="right") - 1, 0, len(t) - 1)
    after = np.minimum(before + 1, len(t) - 1)
    on_row = np.abs(grid - t[before]) <= TOLERANCE * step
    part = np.where(
        on_row, 0.0, (grid - t[before]) / np.where(after > before, t[after] - t[before], 1.0)
    )
    known = (on_row | (t[after] - t[before] <= near * step))[:, None]
    return (
        np.where(known, between(x, before + part), np.nan),
        np.where(on_row, t[before], grid),
        u[before],
        np.where(known, between(y, before + part), np.nan),
        np.where(on_row, source[before], -1),
    )
