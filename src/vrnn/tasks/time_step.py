"""Tracks at the time step that a model was trained at."""

import numpy as np

from vrnn.data.tracks import Tracks
from vrnn.data.windows import TOLERANCE
from vrnn.errors import Function, warn
from vrnn.trained import TrainedModel


def own_step(model: TrainedModel, tracks: Tracks) -> float:
    """Return the time step of tracks; that of the training where no track has two rows."""
    return tracks.step if (tracks.lengths > 1).any() else model.preprocessor.step


def at_model_step(model: TrainedModel, tracks: Tracks) -> Tracks:
    """Return tracks at the time step of the model, thinned where theirs is a part of it.

    A warning names both steps where they differ. Tracks whose step is no part of the model's are
    left as they are.

    Args:
        model: a model; one that reads the time between rows takes any step.
        tracks: the tracks, of which the last row is kept.
    """
    trained, step = model.preprocessor.step, own_step(model, tracks)
    if model.preprocessor.time_input:
        return tracks
    ratio = trained / step
    if abs(ratio - 1) <= TOLERANCE:
        return tracks
    every = round(min(ratio, float(tracks.lengths.max())))
    if 2 <= every < tracks.lengths.max() and abs(ratio - every) <= TOLERANCE * every:
        warn(
            f"the time step is {step:.6g}, and the model was trained at {trained:.6g}: "
            f"one row of {every} is read, the last of each track among them"
        )
        kept = [np.arange((len(t) - 1) % every, len(t), every) for t in tracks.times]
        return tracks.take_rows(kept)
    warn(
        f"the time step is {step:.6g}, and the model was trained at {trained:.6g}: "
        "its futures may be too fast or too slow; train on data like this with ",
        Function("train"),
    )
    return tracks
