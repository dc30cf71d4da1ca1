"""The settings of training that follow from the data, where a user names none."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from vrnn.data.tracks import Tracks
from vrnn.data.transforms import TransformConfig
from vrnn.data.windows import runs
from vrnn.geo import in_degrees
from vrnn.training.config import TrainConfig
from vrnn.training.splits import held_out_count

LONG = 256
"""Rows of a track above which tracks are cut into windows of so many."""
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
    - Tracks of over 256 rows are cut into windows of 128 rows, which bounds the time of a step.
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
    if settings.window is None and settings.observe is None and _long(tracks):
        settings = replace(settings, window=LONG // 2)
        reasons.append(
            f"--window {LONG // 2}, since tracks have up to {tracks.lengths.max():,} rows"
        )
    held_out = validated or held_out_count(tracks, settings.holdout) > 0
    if settings.patience is None and held_out and not settings.energy_weight:
        settings = replace(settings, patience=PATIENCE)
        reasons.append(f"--patience {PATIENCE}: stop after so many validations without improvement")
    return ChosenTraining(settings, tuple(reasons))


def _long(tracks: Tracks) -> bool:
    """Return whether tracks are long, and most of their rows are in runs of a window or more."""
    if tracks.lengths.max() <= LONG:
        return False
    found = runs(tracks).length
    return bool(found[found >= LONG // 2].sum() > 0.5 * tracks.lengths.sum())
