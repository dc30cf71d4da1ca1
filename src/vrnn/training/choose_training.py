"""The settings of training that follow from the data, where a user names none."""

from collections.abc import Collection
from dataclasses import fields, replace
from typing import NamedTuple

import numpy as np

from vrnn.column_names import latitude_longitude
from vrnn.data.tracks import Tracks
from vrnn.data.transforms import Plane, TransformConfig
from vrnn.data.windows import forecast_window, runs
from vrnn.errors import DataError
from vrnn.geo import in_degrees
from vrnn.training.config import TrainConfig
from vrnn.training.splits import split_tracks

LONG = 256
"""Rows of a track above which series are cut into windows of half as many."""
LONGER = 1.5
"""Length of a track, in windows, above which tracks of positions are cut into windows."""
SOME_WINDOWS = 300
"""Windows that are enough where points are missing."""
LEARNING_RATE = 3e-3
"""Learning rate for windows."""
PASSES = 100
"""How often training on windows goes over the rows."""
STEPS = 500, 5000
"""Fewest and most steps of training on windows."""
VALIDATIONS = 10
"""Validations in a training on windows."""
PLACES = (2, 3)
"""Numbers of columns that a position may have."""
PATIENCE = 5
"""Validations without improvement after which training stops."""


class ChosenTraining(NamedTuple):
    """Settings of training, and why each was chosen.

    Attributes:
        settings: the settings.
        reasons: a sentence for each setting that was chosen.
    """

    settings: TrainConfig
    reasons: tuple[str, ...]


def choose_training(
    tracks: Tracks,
    settings: TrainConfig,
    val: Tracks | None = None,
    named: Collection[str] = (),
) -> ChosenTraining:
    """Return settings for some data, in place of those that have their default.

    - Latitudes and longitudes are modelled in kilometres, in a plane at each track.
    - Tracks of positions are cut into windows of as many rows as are observed and forecast. The
      learning rate is higher then, and steps go over all rows about 100 times, with ten
      validations. Other series of over 256 rows are cut into windows of 128 rows, which bounds the
      time of a step.
    - Training stops after 5 validations without improvement.

    Args:
        tracks: the training data.
        settings: the settings that a user gave.
        val: validation tracks; None holds some out.
        named: settings that keep their value, also if it is the default.

    Raises:
        DataError: degrees near a pole.

    >>> walk = np.cumsum(np.ones((9, 2)), 0)
    >>> tracks = Tracks([walk] * 20, x_names=("lat", "lon"))
    >>> choose_training(tracks, TrainConfig()).settings.transform.geographic
    'km'
    """
    reasons, usual = [], TrainConfig()

    def free(name: str) -> bool:
        return name not in named and getattr(settings, name) == getattr(usual, name)

    own = {field.name for field in fields(TransformConfig)} & set(named)
    changes = settings.augment.moves or settings.augment.resamples
    if free("transform") and not own and not changes and _in_degrees(tracks):
        settings = replace(settings, transform=TransformConfig(geographic="km"))
        reasons.append("--geographic km, since the positions are degrees")
    train, held_out = split_tracks(tracks, val, settings, [])
    if free("window") and free("observe"):
        rows, forecasts = _window(train, held_out)
        settings = replace(settings, window=rows)
        if rows and forecasts:
            flags = [f"--window {rows}"]
            if free("learning_rate"):
                settings = replace(settings, learning_rate=LEARNING_RATE)
                flags.append(f"--learning-rate {LEARNING_RATE}")
            why = "since steps on short windows are faster and forecasts are better"
            reasons.append(f"{' '.join(flags)}, {why}")
            if free("steps"):
                passes = PASSES * int(train.lengths.sum()) / (settings.batch_size * rows)
                settings = replace(settings, steps=int(np.clip(passes // 50 * 50, *STEPS)))
                reasons.append(steps_reason(settings.steps))
            if free("validate_every"):
                settings = replace(settings, validate_every=validate_every(settings.steps))
        elif rows:
            longest = f"{tracks.lengths.max():,}"
            reasons.append(f"--window {rows}, since tracks have up to {longest} rows")
    if free("patience") and len(held_out) and not settings.energy_weight:
        settings = replace(settings, patience=PATIENCE)
        reasons.append(f"--patience {PATIENCE}: stop after so many validations without improvement")
    return ChosenTraining(settings, tuple(reasons))


def steps_reason(steps: int) -> str:
    """Return why training has so many steps."""
    if steps in STEPS:
        return f"--steps {steps}, the {'fewest' if steps == STEPS[0] else 'most'} that are chosen"
    return f"--steps {steps}, to read all rows about {PASSES} times"


def validate_every(steps: int) -> int:
    """Return the steps from one of ten validations to the next.

    >>> validate_every(4350), validate_every(2)
    (435, 1)
    """
    return max(1, steps // VALIDATIONS)


def _in_degrees(tracks: Tracks) -> bool:
    """Return whether the positions are degrees.

    Raises:
        DataError: one of them is near a pole.
    """
    x, places = np.concatenate(tracks.x), latitude_longitude(tracks.x_names)
    if places is None or not in_degrees(x, tracks.x_names):
        return False
    try:
        Plane(*places, "km").check(x)
    except DataError as error:
        owner = np.repeat(np.arange(len(tracks)), tracks.lengths)
        track = owner[np.nanargmax(np.abs(x[:, places[0]]))]
        raise DataError(error, where=f"track {tracks.ids[track]}") from error
    return True


def _window(train: Tracks, held_out: Tracks) -> tuple[int | None, bool]:
    """Return the rows of windows, None for whole tracks, and whether they are those of a forecast.

    Most rows have to be in runs of complete rows at least as long as the window, and some of those
    that are held out. Where points are missing, some windows of positions are enough, since
    training on missing points takes 20 times as long.
    """
    found, longest = runs(train), int(train.lengths.max(initial=0))
    most = int(runs(held_out).length.max(initial=0)) if len(held_out) else longest

    def share(rows: int) -> float:
        return float(found.length[found.length >= rows].sum() / train.lengths.sum())

    if train.x_dim in PLACES and not train.y_names and not _binary(train):
        rows = sum(forecast_window(found, len(train)))
        count = int((found.length - rows + 1).clip(0).sum())
        missing = any(np.isnan(x).any() for x in train.x)
        enough = share(rows) > 0.5 or (missing and count >= SOME_WINDOWS)
        if rows and rows <= most and longest > LONGER * rows and enough:
            return rows, True
    long = longest > LONG and most >= LONG // 2 and share(LONG // 2) > 0.5
    return (LONG // 2 if long else None), False


def _binary(tracks: Tracks) -> bool:
    """Return whether a column has values 0 and 1 alone."""
    x = np.concatenate(tracks.x)
    return bool((np.isnan(x) | (x == 0) | (x == 1)).all(0).any())
