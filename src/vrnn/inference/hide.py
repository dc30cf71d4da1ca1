"""Seen points hidden on purpose: how far intervals through gaps must be widened or narrowed to hold what they should."""

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from vrnn.data.tracks import Tracks
from vrnn.errors import DataError

FEWEST = 20  # hidden rows below which nothing can be said


def hide(tracks: Tracks, seed: int) -> tuple[Tracks, list[Bool[np.ndarray, " time"]]]:
    """Hide seen rows of tracks with gaps, in each as many runs and as long as its gaps between seen rows are.

    A run begins anywhere, at random, where a visible row stays on both of its sides; a gap for which there is no such place has none.

    Args:
        seed: of the places.

    Returns:
        the tracks with the further gaps, and which rows were hidden, (T_i,) each.

    >>> x = np.arange(8.0)[:, None].repeat(2, 1)
    >>> x[2] = np.nan
    >>> int(np.flatnonzero(hide(Tracks([x]), 0)[1][0])[0]) in (4, 5, 6)
    True
    """
    rng = np.random.default_rng([seed, 20])
    shown, hidden = [], []
    for x in tracks.x:
        seen = np.asarray(np.isfinite(x).all(-1))
        visible, gone = seen.copy(), np.zeros(len(x), bool)
        for length in rng.permutation(_gaps(seen)):
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
    """Give the factor for the distances of interval ends from the mean with which intervals hold `share` of the truth.

    r_i = (x_i - m_i) / (high_i - m_i) above the mean, (m_i - x_i) / (m_i - low_i) below;   c = the ceil((n + 1) share)-th smallest r_i

    Exchangeable points lie in intervals so widened with probability of at least `share`.

    Source: Papadopoulos et al. 2008, "Normalized nonconformity measures for regression conformal prediction".
    """
    room = np.where(truth > mean, high - mean, mean - low)
    off = np.abs(truth - mean)
    ratio = np.sort(np.where(off == 0, 0.0, off / np.where(room > 0, room, np.finfo(float).tiny)))
    return float(ratio[min(math.ceil((len(ratio) + 1) * share), len(ratio)) - 1])


def check_hidden(hidden: list[Bool[np.ndarray, " time"]]) -> None:
    """Refuse tracks of which too little can be hidden.

    Raises:
        DataError: how many rows were.
    """
    count = sum(int(gone.sum()) for gone in hidden)
    if count < FEWEST:
        raise DataError(
            f"calibrate hides seen rows as the gaps between seen rows are: expected at least {FEWEST} such rows, found {count}; impute more "
            f"tracks together, or leave calibrate"
        )


def _gaps(seen: Bool[np.ndarray, " time"]) -> np.ndarray:
    """Give the lengths of the gaps between seen rows."""
    rows = np.flatnonzero(seen)
    between = np.diff(rows) - 1
    return between[between > 0]
