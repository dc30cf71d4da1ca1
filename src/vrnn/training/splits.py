"""How tracks are split into training and validation, and cut into windows."""

import math

import numpy as np

from vrnn.data.resample import at_rate
from vrnn.data.tidy import split_before
from vrnn.data.tracks import Tracks, concatenate
from vrnn.data.windows import runs, windows
from vrnn.data.wording import plural
from vrnn.errors import DataError, Setting, Text
from vrnn.inference.random_numbers import Stream
from vrnn.training.config import TrainConfig

FEWEST_TRACKS = 10  # a smaller data set is trained on whole
PART, MOST_PARTS = 256, 100
"""Rows of the parts that a few long tracks are cut into, at least, and about how many there are."""
MOST_WINDOWS = {"training": 250_000, "validation": 10_000}
"""Windows above which not every row begins one, so that memory does not grow with the rows."""
WHOLE_TRACKS = ("train on whole tracks (", Setting("window", None), "), which may have gaps")
"""What a message advises where no track is long enough for a window."""


def split_tracks(
    tracks: Tracks, val: Tracks | None, settings: TrainConfig, notes: list[str]
) -> tuple[Tracks, Tracks]:
    """Return (training, validation) tracks.

    Args:
        tracks: the training data.
        val: the validation data; None holds out a fraction of `tracks`.
        settings: the settings of training.
        notes: gets a sentence for the user about what was held out.
    """
    return (
        (tracks, val)
        if val is not None
        else hold_out(tracks, settings.holdout, settings.seed, notes)
    )


def at_all_rates(tracks: Tracks, settings: TrainConfig) -> Tracks:
    """Return training tracks at each of the rates that `augment.rates` asks for."""
    if not settings.augment.resamples:
        return tracks
    return concatenate([at_rate(tracks, rate) for rate in settings.augment.rates])


def in_parts(tracks: Tracks) -> Tracks:
    """Return a few long tracks in parts, so that some of them can be held out.

    Fewer than 10 tracks are cut into parts of at least 256 rows, about 100 in all. They stay as they
    are if those would be fewer than 10 too.

    Args:
        tracks: any tracks.

    >>> len(in_parts(Tracks([np.zeros((3000, 2))]))), len(in_parts(Tracks([np.zeros((999, 2))])))
    (11, 1)
    """
    if len(tracks) >= FEWEST_TRACKS:
        return tracks
    lengths = tracks.lengths
    counts = lengths // max(PART, int(lengths.sum()) // MOST_PARTS)
    if counts.sum() < FEWEST_TRACKS:
        return tracks
    begins = np.cumsum(lengths) - lengths
    within = [n * np.arange(1, k) // k for n, k in zip(lengths, counts, strict=True) if k > 1]
    at = np.concatenate([b + w for b, w in zip(begins[counts > 1], within, strict=True)])
    return split_before(tracks, at)


def held_out_count(tracks: Tracks, fraction: float) -> int:
    """Return how many tracks, or parts of long ones, `hold_out` takes."""
    return _held_out_count(in_parts(tracks), fraction)


def _held_out_count(parts: Tracks, fraction: float) -> int:
    return 0 if len(parts) < FEWEST_TRACKS else round(fraction * len(parts))


def hold_out(tracks: Tracks, fraction: float, seed: int, notes: list[str]) -> tuple[Tracks, Tracks]:
    """Return (training, validation) tracks, the second drawn at random.

    Args:
        tracks: all tracks; a few long ones are taken in parts, see `in_parts`.
        fraction: fraction of the tracks to validate on.
        seed: seed of the draw.
        notes: gets a sentence for the user about what was held out.
    """
    parts = in_parts(tracks)
    count = _held_out_count(parts, fraction)
    if not count:
        return tracks, tracks[:0]
    order = np.random.default_rng([seed, Stream.HOLDOUT]).permutation(len(parts))
    whole = len(parts) == len(tracks)
    of = (
        f"{len(tracks)} tracks"
        if whole
        else f"{len(parts)} parts of {plural(len(tracks), 'track')}"
    )
    notes.append(f"{count} of {of} are held out for validation")
    return parts[np.sort(order[count:])], parts[np.sort(order[:count])]


def cut_windows(
    tracks: Tracks, rows: int | None, notes: list[str], name: str, way_out: Text = WHOLE_TRACKS
) -> Tracks:
    """Return the windows of so many complete rows that tracks have, or whole tracks for None.

    A window begins at every row; of long data at every second, third, ... row, so that about
    `MOST_WINDOWS` are left.

    Args:
        tracks: the tracks to cut.
        rows: rows of a window.
        notes: gets a sentence for the user about the number of windows.
        name: what messages call the tracks, such as "training".
        way_out: what a message advises where no track is long enough.

    Raises:
        DataError: no track has as many rows.
    """
    if rows is None or not len(tracks):
        return tracks
    count = int((runs(tracks).length - rows + 1).clip(0).sum())
    stride = max(1, math.ceil(count / MOST_WINDOWS[name]))
    try:
        cut = windows(tracks, rows, stride)
    except DataError as error:
        raise DataError(error, where=f"{name} tracks", hint=("or ", way_out)) from error
    give = "gives" if len(tracks) == 1 else "give"
    begins = f", one at every {stride} rows" if stride > 1 else ""
    notes.append(
        f"{plural(len(tracks), f'{name} track')} {give} {len(cut):,} windows of {rows} rows{begins}"
    )
    return cut
