"""Conformal widening of gaps: seen points are hidden to measure how much intervals must hold."""

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int

from vrnn.data.tracks import Tracks
from vrnn.errors import DataError, Setting
from vrnn.inference.random_numbers import Stream

# One gap of a track in so many is hidden a second time, and at least one. More would make each of
# them harder to fill than a real gap.
GAPS_PER_HIDDEN = 4
FEWEST_ROWS = 20  # fewer hidden rows say nothing


def hide(tracks: Tracks, seed: int) -> tuple[Tracks, list[Bool[np.ndarray, " time"]]]:
    """Return tracks with more gaps: seen rows are hidden in runs as long as real gaps.

    A run begins at random, where a visible row stays on both of its sides. A gap without such a
    place is not repeated. Few runs are hidden, so that as much stays visible around each as
    around a real gap.

    Args:
        tracks: tracks with gaps.
        seed: seed of the places.

    Returns:
        the tracks with the further gaps, and which rows were hidden, (T_i,) each.

    >>> x = np.arange(8.0)[:, None].repeat(2, 1)
    >>> x[2] = np.nan
    >>> int(np.flatnonzero(hide(Tracks([x]), 0)[1][0])[0]) in (4, 5, 6)
    True
    """
    rng = np.random.default_rng([seed, Stream.HIDE])
    shown, hidden = [], []
    for x in tracks.x:
        seen = np.asarray(np.isfinite(x).all(-1))
        visible, gone = seen.copy(), np.zeros(len(x), bool)
        gaps = _gaps(seen)
        for length in rng.permutation(gaps)[: max(1, len(gaps) // GAPS_PER_HIDDEN)]:
            places = _places(visible, int(length))
            if len(places):
                start = int(rng.choice(places))
                run = slice(start, start + int(length))
                visible[run], gone[run] = False, True
        shown.append(np.where(gone[:, None], np.nan, x))
        hidden.append(gone)
    return replace(tracks, x=shown), hidden


def widening(
    truth: Float[np.ndarray, " entry"],
    mean: Float[np.ndarray, " entry"],
    low: Float[np.ndarray, " entry"],
    high: Float[np.ndarray, " entry"],
    share: float,
) -> float:
    """Return the factor by which intervals must grow about their means to hold a share of entries.

    r_i = (x_i - m_i) / (high_i - m_i) above the mean, (m_i - x_i) / (m_i - low_i) below
    c = the ceil((n + 1) share)-th smallest r_i

    One more entry, exchangeable with these, lies in its widened interval with a probability of at
    least `share`. Entries of one row or run depend on each other, so for them it is about that.

    Args:
        truth: hidden values x_i.
        mean, low, high: means m_i and interval ends.
        share: share of the entries that intervals should hold.

    Raises:
        DataError: too few entries for the share, or too many intervals of no width.

    Source: Papadopoulos et al. 2008, "Normalized nonconformity measures for regression conformal
    prediction".
    """
    room = np.where(truth > mean, high - mean, mean - low)
    off = np.abs(truth - mean)
    flat = (room <= 0) & (off > 0)
    outside = np.where(flat, np.inf, off / np.where(room > 0, room, 1.0))
    ratio = np.sort(np.where(off == 0, 0.0, outside))
    rank = math.ceil((len(ratio) + 1) * share)
    if rank > len(ratio):
        least = math.ceil(round(share / (1 - share), 6))
        raise DataError(
            f"{len(ratio)} hidden entries say nothing about intervals of {share:g}",
            expected=f"at least {least}",
            hint="impute more tracks together, or ask for intervals of a smaller share",
        )
    if not np.isfinite(ratio[rank - 1]):
        raise DataError(
            f"all paths are one at {int(flat.sum())} of {len(flat)} hidden entries",
            cause="no factor widens a path that is its own mean",
            hint=("raise ", Setting("particles"), " or ", Setting("sweeps")),
        )
    return float(ratio[rank - 1])


def check_hidden(tracks: Tracks, hidden: list[Bool[np.ndarray, " time"]]) -> None:
    """Refuse tracks of which too little can be hidden.

    Raises:
        DataError: too few rows were hidden.
    """
    count = sum(int(gone.sum()) for gone in hidden)
    if count >= FEWEST_ROWS:
        return
    cause, way_out = "", "impute more tracks together"
    if not any(len(_gaps(np.asarray(np.isfinite(x).all(-1)))) for x in tracks.x):
        cause = "no row is missing between seen ones"
        way_out = "insert rows of missing values where times skip some"
    raise DataError(
        "seen rows are hidden in gaps like the real ones",
        setting="calibrate",
        expected=f"at least {FEWEST_ROWS} such rows",
        found=count,
        cause=cause,
        hint=(way_out, ", or leave ", Setting("calibrate"), " out"),
    )


def _gaps(seen: Bool[np.ndarray, " time"]) -> Int[np.ndarray, " gap"]:
    """Return the lengths of the gaps between seen rows."""
    between = np.diff(np.flatnonzero(seen)) - 1
    return between[between > 0]


def _places(visible: Bool[np.ndarray, " time"], length: int) -> Int[np.ndarray, " place"]:
    """Return where a run of visible rows can begin that has a visible row on both sides."""
    if len(visible) < length + 2:
        return np.zeros(0, np.int64)
    runs = np.lib.stride_tricks.sliding_window_view(visible, length + 2)
    return np.flatnonzero(runs.all(-1)) + 1
