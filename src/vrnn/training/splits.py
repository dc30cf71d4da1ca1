"""How tracks are split into training and validation, and cut into windows."""

import numpy as np

from vrnn.data.resample import at_rate
from vrnn.data.tracks import Tracks, concatenate
from vrnn.data.windows import windows
from vrnn.errors import DataError, Setting, Text
from vrnn.inference.noise import Stream
from vrnn.training.config import TrainConfig

FEWEST_TRACKS = 10  # a smaller data set is trained on whole
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


def held_out_count(tracks: Tracks, fraction: float) -> int:
    """Return how many tracks `hold_out` takes."""
    return 0 if len(tracks) < FEWEST_TRACKS else round(fraction * len(tracks))


def hold_out(tracks: Tracks, fraction: float, seed: int, notes: list[str]) -> tuple[Tracks, Tracks]:
    """Return (training, validation) tracks, the second drawn at random.

    Args:
        tracks: all tracks.
        fraction: fraction of the tracks to validate on.
        seed: seed of the draw.
        notes: gets a sentence for the user about what was held out.
    """
    count = held_out_count(tracks, fraction)
    if not count:
        return tracks, tracks[:0]
    order = np.random.default_rng([seed, Stream.HOLDOUT]).permutation(len(tracks))
    notes.append(f"{count} of {len(tracks)} tracks are held out for validation")
    return tracks[np.sort(order[count:])], tracks[np.sort(order[:count])]


def cut_windows(
    tracks: Tracks, rows: int | None, notes: list[str], name: str, way_out: Text = WHOLE_TRACKS
) -> Tracks:
    """Return the windows of so many complete rows that tracks have, or whole tracks for None.

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
    try:
        cut = windows(tracks, rows)
    except DataError as error:
        raise DataError(error, where=f"{name} tracks", hint=("or ", way_out)) from error
    notes.append(f"{len(tracks)} {name} tracks give {len(cut)} windows of {rows} rows")
    return cut
