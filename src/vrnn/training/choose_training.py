"""The settings of training that follow from the data, where a user names none."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from vrnn.data.tracks import Tracks
from vrnn.data.transforms import TransformConfig
from vrnn.data.windows import forecast_window, runs
from vrnn.geo import in_degrees
from vrnn.training.config import TrainConfig
from vrnn.training.splits import held_out_count

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


def choose_training(tracks: Tracks, settings: TrainConfig, validated: bool) -> ChosenTraining:
    """Return settings for some data, in place of those that have their default.

    - Latitudes and longitudes are modelled in kilometres, in a plane at each track.
    - Tracks of positions are cut into windows of as many rows as are observed and forecast. The
      learning rate is higher then, and steps go over all rows about 100 times. Other series of over
      256 rows are cut into windows of 128 rows, which bounds the time of a step.
    - Training stops after 5 validations without improvement.

    Args:
        tracks: the training data.
        settings: the settings that a user gave.
        validated: whether validation tracks are given.

    >>> walk = np.cumsum(np.ones((9, 2)), 0)
    >>> tracks = Tracks([walk] * 20, x_names=("lat", "lon"))
    >>> choose_training(tracks, TrainConfig(), validated=False).settings.transform.geographic
    'km'
    """
    reasons = []
    plain = settings.transform == TransformConfig() and not settings.augment.moves
    if (
        plain
        and not settings.augment.resamples
        and in_degrees(np.concatenate(tracks.x), tracks.x_names)
    ):
        settings = replace(settings, transform=TransformConfig(geographic="km"))
        reasons.append("--geographic km, since the positions are degrees")
    if settings.window is None and settings.observe is None:
        rows, forecasts = _window(tracks)
        settings = replace(settings, window=rows)
        if rows and forecasts:
            settings, words = _for_windows(tracks, settings)
            reasons += words
        elif rows:
            longest = f"{tracks.lengths.max():,}"
            reasons.append(f"--window {rows}, since tracks have up to {longest} rows")
    held_out = validated or held_out_count(tracks, settings.holdout) > 0
    if settings.patience is None and held_out and not settings.energy_weight:
        settings = replace(settings, patience=PATIENCE)
        reasons.append(f"--patience {PATIENCE}: stop after so many validations without improvement")
    return ChosenTraining(settings, tuple(reasons))


def _for_windows(tracks: Tracks, settings: TrainConfig) -> tuple[TrainConfig, list[str]]:
    """Return settings for windows of positions, and the reasons of those that were chosen."""
    usual, rows = TrainConfig(), settings.window or 1
    flags, passes = [f"--window {rows}"], []
    if settings.learning_rate == usual.learning_rate:
        settings = replace(settings, learning_rate=LEARNING_RATE)
        flags.append(f"--learning-rate {LEARNING_RATE}")
    if settings.steps == usual.steps:
        steps = PASSES * int(tracks.lengths.sum()) / (settings.batch_size * rows)
        settings = replace(settings, steps=int(np.clip(steps // 50 * 50, *STEPS)))
        passes = [f"--steps {settings.steps}, to read all rows about {PASSES} times"]
        if settings.steps in STEPS:
            passes = [f"--steps {settings.steps}, the {'most' if steps > STEPS[1] else 'fewest'}"]
    if settings.validate_every == usual.validate_every:
        settings = replace(settings, validate_every=max(1, settings.steps // VALIDATIONS))
        flags.append(f"--validate-every {settings.validate_every}")
    why = "since steps on short windows are faster and forecasts are better"
    return settings, [f"{' '.join(flags)}, {why}", *passes]


def _window(tracks: Tracks) -> tuple[int | None, bool]:
    """Return the rows of windows, None for whole tracks, and whether they are those of a forecast.

    Most rows have to be in runs of complete rows at least as long as the window. Where points are missing, some
    windows of positions are enough, since training on missing points takes 20 times as long.
    """
    found, longest = runs(tracks), int(tracks.lengths.max(initial=0))
    rows_in = lambda rows: found.length[found.length >= rows].sum() / tracks.lengths.sum()  # noqa: E731
    if tracks.x_dim in PLACES and not tracks.y_names and not _binary(tracks):
        rows = sum(forecast_window(found, len(tracks)))
        count = int((found.length - rows + 1).clip(0).sum())
        missing = any(np.isnan(x).any() for x in tracks.x)
        enough = rows_in(rows) > 0.5 or (missing and count >= SOME_WINDOWS)
        if rows and longest > LONGER * rows and enough:
            return rows, True
    long = longest > LONG and rows_in(LONG // 2) > 0.5
    return (LONG // 2 if long else None), False


def _binary(tracks: Tracks) -> bool:
    """Return whether a column has values 0 and 1 alone."""
    x = np.concatenate(tracks.x)
    return bool((np.isnan(x) | (x == 0) | (x == 1)).all(0).any())
