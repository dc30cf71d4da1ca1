"""How many steps of training fit into some minutes on this machine."""

import time
from dataclasses import replace

import numpy as np

from vrnn.data.tracks import Tracks
from vrnn.models.config import ModelConfig
from vrnn.training.config import TrainConfig
from vrnn.training.fit import train

MINUTES = 3.0
"""Minutes of training, where neither they nor the steps are named."""
PROBE = 4, 12
"""Steps of two short trainings whose difference is the time of a step."""
FEWEST_STEPS = 100
MARGIN = 0.7
"""Share of the time that is for steps; the rest is for validation and for writing."""


def steps_within(
    minutes: float, tracks: Tracks, config: ModelConfig | None, settings: TrainConfig
) -> int:
    """Return how many steps take about so many minutes here, at most those of the settings.

    Two short trainings on some of the tracks measure the time of a step, after a third to warm up.

    Args:
        minutes: the time for training and validation.
        tracks: the training data.
        config: the model.
        settings: the settings of training, whose `steps` is the most.
    """
    short = replace(settings, patience=None, holdout=0.0, validate_every=10**6)
    count = min(len(tracks), 4 * settings.batch_size)
    some = tracks[np.unique(np.linspace(0, len(tracks) - 1, count).astype(int))]
    seconds = []
    for steps in (PROBE[0], *PROBE):  # the first is slow, since layers are built and loaded
        started = time.perf_counter()
        train(
            some, config=config, training=replace(short, steps=steps), start="scratch", quiet=True
        )
        seconds.append(time.perf_counter() - started)
    between = seconds[2] - seconds[1]
    step = between / (PROBE[1] - PROBE[0]) if between > 0 else seconds[2] / PROBE[1]
    found = int(MARGIN * 60 * minutes / step)
    return min(settings.steps, max(FEWEST_STEPS, found // 50 * 50))
