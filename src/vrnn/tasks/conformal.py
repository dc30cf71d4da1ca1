"""Seen points hidden on purpose: how far intervals through gaps must be widened or narrowed to hold what they should."""

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from vrnn.data.tracks import Tracks
from vrnn.errors import DataError, Function, Setting, Text
from vrnn.inference.noise import Stream

SHARE = 4  # of the gaps of a track one in so many is hidden a second time, and at least one: more of them would make each harder to fill
FEWEST = 20  # hidden rows below which nothing can be said


def hide(tracks: Tracks, seed: int) -> tuple[Tracks, list[Bool[np.ndarray, " time"]]]:
    """Hide seen rows of tracks with gaps, in each a few runs that are as long as some of its gaps between seen rows.

    A run begins anywhere, at random, where a visible row stays on both of its sides; a gap for which there is no such place has none.
    They are few, so that around each there is about as much to be seen as around a gap.

    Args:
        seed: of the places.

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
        for length in rng.permutation(gaps)[: max(1, len(gaps) // SHARE)]:
            ahead = (
                np.lib.stride_tricks.sliding_window_view(visible, length + 2)
                if len(x) > length + 1
                else np.zeros((0, 1), bool)
            )
            places = np.flatnonzero(ahead.all(-1)) + 1
            if len(places):
                run = slice(start := int(rng.choice(places)), start + int(length))
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
    """Give the factor for the distances of interval ends from the mean with which intervals hold about `share` of such entries.

    r_i = (x_i - m_i) / (high_i - m_i) above the mean, (m_i - x_i) / (m_i - low_i) below;   c = the ceil((n + 1) share)-th smallest r_i

    Of entries that are exchangeable with these one more lies in an interval so widened with a probability of at least `share`; those of a row,
    or of a run, hang together, so that it is about that.

    Raises:
        DataError: too few entries for the share, or too many intervals without any width, which no factor widens.

    Source: Papadopoulos et al. 2008, "Normalized nonconformity measures for regression conformal prediction".
    """
    room = np.where(truth > mean, high - mean, mean - low)
    off = np.abs(truth - mean)
    flat = (room <= 0) & (off > 0)
    ratio = np.sort(
        np.where(off == 0, 0.0, np.where(flat, np.inf, off / np.where(room > 0, room, 1.0)))
    )
    rank = math.ceil((len(ratio) + 1) * share)
    if rank > len(ratio):
        raise DataError(
            f"{len(ratio)} hidden entries say nothing about intervals of {share:g}: expected "
            f"at least {math.ceil(round(share / (1 - share), 6))}; impute "
            f"more tracks together, or calibrate a smaller share"
        )
    if not np.isfinite(ratio[rank - 1]):
        raise DataError(
            f"all paths are one at {int(flat.sum())} of {len(flat)} hidden entries, and no "
            "factor widens that",
            hint=(
                "raise ",
                Setting("samples"),
                ", ",
                Setting("particles"),
                " or ",
                Setting("sweeps"),
            ),
        )
    return float(ratio[rank - 1])


def check_hidden(tracks: Tracks, hidden: list[Bool[np.ndarray, " time"]]) -> None:
    """Refuse tracks of which too little can be hidden.

    Raises:
        DataError: how many rows were.
    """
    count = sum(int(gone.sum()) for gone in hidden)
    if count >= FEWEST:
        return
    gaps = sum(int(_gaps(np.asarray(np.isfinite(x).all(-1))).sum()) for x in tracks.x)
    way_out: Text = ("impute more tracks together, or leave ", Setting("calibrate"), " out")
    if not gaps:
        way_out = (
            "no row is missing between seen ones (gaps in time get rows from ",
            Function("regular"),
            "); leave ",
            Setting("calibrate"),
            " out",
        )
    raise DataError(
        "seen rows are hidden in gaps like the real ones",
        setting="calibrate",
        expected=f"at least {FEWEST} such rows",
        found=count,
        hint=way_out,
    )


def _gaps(seen: Bool[np.ndarray, " time"]) -> np.ndarray:
    """Give the lengths of the gaps between seen rows."""
    rows = np.flatnonzero(seen)
    between = np.diff(rows) - 1
    return between[between > 0]
