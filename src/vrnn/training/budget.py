"""How many steps of training fit into some minutes on this machine."""

from contextlib import suppress
from dataclasses import replace

import numpy as np

from vrnn.data.tracks import Tracks
from vrnn.models.config import ModelConfig
from vrnn.training.config import TrainConfig
from vrnn.training.fit import train
from vrnn.training.trackers import Record

MINUTES = 3.0
"""Minutes of training, where neither they nor the steps are named."""
PROBE = 8, 40
"""Steps that warm up, and steps in all, of the short training that measures the time of a step."""
PROBE_SECONDS = 6.0
"""Seconds after which that training stops, once three steps are measured."""
FEWEST_STEPS = 100
MARGIN = 0.7
"""Share of the time that is for steps; the rest is for validation and for writing."""


def steps_within(
    minutes: float, tracks: Tracks, config: ModelConfig | None, settings: TrainConfig
) -> int:
    """Return how many steps take about so many minutes here, at most those of the settings.

    A short training on some of the tracks measures the time of a step.

    Args:
        minutes: the time for training and validation.
        tracks: the training data.
        config: the model.
        settings: the settings of training, whose `steps` is the most.
    """
    warm, most = PROBE
    short = replace(
        settings, steps=most, patience=None, holdout=0.0, validate_every=10**6, log_every=1
    )
    count = min(len(tracks), 4 * settings.batch_size)
    some = tracks[np.unique(np.linspace(0, len(tracks) - 1, count).astype(int))]
    seconds = _Seconds()
    with suppress(_EnoughError):
        train(some, config=config, training=short, start="scratch", quiet=True, tracker=seconds)
    ends = seconds.ends
    first = min(warm, len(ends) // 2)
    steps = np.diff(ends)[first:]
    step = float(steps[steps <= 3 * np.median(steps)].mean())  # without the pauses of the machine
    found = int(MARGIN * 60 * minutes / step)
    return min(settings.steps, max(FEWEST_STEPS, found // 50 * 50))


class _EnoughError(Exception):
    """The steps that were measured are enough."""


class _Seconds:
    """A tracker that keeps when each step ends, and stops a training that takes too long.

    Attributes:
        ends: seconds from the first step to the end of each.
    """

    def __init__(self) -> None:
        self.ends: list[float] = []

    def log(self, record: Record) -> None:
        """Take the time of a step.

        Raises:
            _EnoughError: three steps or more have taken long enough.
        """
        self.ends.append(record["seconds"])
        if len(self.ends) > 2 and self.ends[-1] > PROBE_SECONDS:
            raise _EnoughError
