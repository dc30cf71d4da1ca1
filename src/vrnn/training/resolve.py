"""The `model` argument of every task: a trained model, or the path of its run folder."""

from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, Function, UnsupportedError
from vrnn.trained import TrainedModel
from vrnn.training.run_folder import load
from vrnn.training.shipped import SHIPPED, fitted, is_shipped, shipped

ModelOrFolder = TrainedModel | str | PathLike[str]


def resolve_model(model: ModelOrFolder | None, tracks: Any = None) -> TrainedModel:
    """Return a trained model, read from its run folder where a path is given.

    Args:
        model: the model, its run folder or its name; None takes the model that needs no training,
            where tracks are given.
        tracks: the data of a task, which that model is fitted to: tracks, an array, a belief, or
            None.

    Raises:
        ConfigError: neither a model nor a path.
        RunFolderError: the folder is not that of a run, or is damaged.
        DataError: data that the model that needs no training is not made for.
    """
    if model is None and tracks is not None:
        model = SHIPPED[0]
    if isinstance(model, str | PathLike):
        model = shipped(str(model)) if is_shipped(model) else load(Path(model))
    if isinstance(model, TrainedModel):
        return model if tracks is None or not model.fits_data else _fitted_to(model, tracks)
    is_run = isinstance(getattr(model, "model", None), TrainedModel)
    raise ConfigError(
        setting="model",
        expected="a trained model or the path of a run folder",
        found=type(model).__name__,
        cause=(Function("train"), " returns a run") if is_run else "",
        hint="pass its .model" if is_run else "",
    )


def _fitted_to(model: TrainedModel, tracks: Any) -> TrainedModel:
    """Return a model for data of any units with the preprocessor of some data."""
    known = getattr(tracks, "preprocessor", None)
    if known is not None:  # of a belief
        return replace(model, preprocessor=known, fits_data=False)
    if isinstance(tracks, str | PathLike):
        return model  # every task refuses a path with a message of its own
    if not isinstance(tracks, Tracks):
        x = np.asarray(tracks, np.float64)
        tracks = Tracks(list(x if x.ndim == 3 else x[None])) if x.ndim in (2, 3) else None
    return fitted(model, tracks) if tracks is not None and len(tracks) else model


def check_fitted(model: TrainedModel, what: str) -> None:
    """Refuse a model for data of any units where there is no data to fit it to.

    Raises:
        UnsupportedError: says what the model cannot do.
    """
    if model.fits_data:
        raise UnsupportedError(
            f"the model that needs no training has no unit for {what}",
            expected="a model that was trained",
            found=SHIPPED[0],
            hint=("train one with ", Function("train")),
        )
