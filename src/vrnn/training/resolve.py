"""The `model` argument of every task: a trained model, or the path of its run folder."""

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, Function
from vrnn.trained import TrainedModel
from vrnn.training.run_folder import load
from vrnn.training.shipped import SHIPPED, fitted, shipped

ModelOrFolder = TrainedModel | str | PathLike[str]


def resolve_model(model: ModelOrFolder | None, tracks: Any = None) -> TrainedModel:
    """Return a trained model, read from its run folder where a path is given.

    Args:
        model: the model, its run folder or its name; None takes the model that needs no training.
        tracks: the data of a task, which that model is fitted to: tracks, an array, or None.

    Raises:
        ConfigError: neither a model nor a path.
        RunFolderError: the folder is not that of a run, or is damaged.
        DataError: data that the model that needs no training is not made for.
    """
    model = SHIPPED[0] if model is None else model
    if isinstance(model, str) and model in SHIPPED and not Path(model).is_dir():
        model = shipped(model)
    elif isinstance(model, str | PathLike):
        model = load(Path(model))
    if isinstance(model, TrainedModel):
        if not model.fits_data or not isinstance(tracks, Tracks | np.ndarray):
            return model
        given = tracks if isinstance(tracks, Tracks) else model.as_tracks(tracks)
        return fitted(model, given) if len(given) else model
    is_run = isinstance(getattr(model, "model", None), TrainedModel)
    raise ConfigError(
        setting="model",
        expected="a trained model or the path of a run folder",
        found=type(model).__name__,
        cause=(Function("train"), " returns a run") if is_run else "",
        hint="pass its .model" if is_run else "",
    )
