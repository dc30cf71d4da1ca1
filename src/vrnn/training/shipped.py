"""The models that come with the library, and how they are fitted to a user's data.

Fitting leaves their weights as they are. What is fitted is the preprocessor: names of columns, the usual time
step, and the unit of a first move.
"""

import copy
from dataclasses import asdict, replace
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from vrnn.data.preprocessor import Preprocessor
from vrnn.data.tracks import Tracks
from vrnn.data.transforms import Standardise, TransformConfig
from vrnn.errors import DataError, Function
from vrnn.geo import in_degrees
from vrnn.trained import TrainedModel
from vrnn.training.config import TrainConfig
from vrnn.training.run_folder import load as load_run
from vrnn.training.splits import FEWEST_TRACKS, in_parts

STILL = 1e-9  # of the largest coordinate: the unit of tracks that never move
SHIPPED = ("tracks-2d",)
"""Names of the models, by which `vrnn.load` and every task find them."""


def is_shipped(model: str | PathLike[str]) -> bool:
    """Return whether a name is that of a model that comes with the library, and of no folder."""
    return str(model) in SHIPPED and not Path(model).is_dir()


@cache
def shipped(name: str) -> TrainedModel:
    """Return a model that comes with the library, for data of any units."""
    folder = Path(__file__).parents[1] / "pretrained" / name
    with torch.inference_mode(False):  # its weights serve training too
        return replace(load_run(folder), fits_data=True)


def load(
    folder: str | PathLike[str], device: torch.device | str = "cpu", *, modes: bool = True
) -> TrainedModel:
    """Return a trained model from its run folder, whatever device it was trained on.

    Args:
        folder: the run folder, or the name of a model that comes with the library: "tracks-2d".
        device: device of the network.
        modes: load the mode set too, where there is one.

    Raises:
        RunFolderError: no run folder, another version, or a damaged or incomplete file.

    Example:
        >>> import vrnn
        >>> vrnn.load("tracks-2d").config.latent
        'categorical(16)'
        >>> vrnn.load("no/such/run")
        Traceback (most recent call last):
        vrnn.errors.RunFolderError: no/such/run: expected a run folder written by ...
    """
    if is_shipped(folder):
        found = shipped(str(folder))
        return replace(found, network=copy.deepcopy(found.network)).to(device)
    return load_run(folder, device, modes=modes)


def fitted(
    model: TrainedModel, tracks: Tracks, geographic: Literal["", "nmi", "km"] = ""
) -> TrainedModel:
    """Return a shipped model with the preprocessor of some data.

    Args:
        tracks: the data.
        geographic: unit of the plane of positions in degrees. If it is empty, columns named after
            latitude and longitude are taken as degrees.

    Raises:
        DataError: data that the model is not made for.
    """
    _check(model, tracks)
    if not geographic and _in_degrees(tracks):
        geographic = "km"
    transform = TransformConfig(causal=True, geographic=geographic)
    preprocessor = Preprocessor.fit(tracks, transform, model.network.observation)
    if not any(_moves(x) for x in tracks.x):
        preprocessor = _of_still(preprocessor, tracks)
    training = {**model.training, "transform": asdict(transform)}
    return replace(model, preprocessor=preprocessor, training=training, fits_data=False)


def usual_start(
    tracks: Tracks, settings: TrainConfig, val: Tracks | None = None
) -> TrainedModel | None:
    """Return the shipped model that few tracks leave as it is, or None for random weights.

    Few are fewer than `FEWEST_TRACKS`, also in parts, with none to validate on and no windows. The
    model suits tracks of positions alone, if the settings ask for no other coordinates and inputs.
    """
    few = len(in_parts(tracks)) < FEWEST_TRACKS
    if not few or val is not None or settings.window is not None:
        return None
    model, given = shipped(SHIPPED[0]), settings.transform
    plain = TransformConfig(geographic=given.geographic)
    if given not in (plain, replace(plain, causal=True)):
        return None
    if settings.time_input or settings.position_input:
        return None
    if _in_degrees(tracks) and (settings.augment.moves or settings.augment.resamples):
        return None  # positions in degrees are not augmented
    return model if _suits(model, tracks) else None


def _moves(x: np.ndarray) -> bool:
    """Return whether a track moves at all, by more than rounding errors."""
    there = x[np.isfinite(x).all(-1)]
    if not len(there):
        return False
    most = np.abs(there).max()
    return bool(np.abs(there - there[0]).max() > 4 * np.finfo(float).eps * most)


def _of_still(preprocessor: Preprocessor, tracks: Tracks) -> Preprocessor:
    """Return the preprocessor for tracks that never move, with a very small unit."""
    most = max(float(np.nanmax(np.abs(x), initial=0.0)) for x in tracks.x)
    standard = Standardise((0.0, 0.0), (STILL * (most or 1.0),) * 2)
    transform = replace(preprocessor.transform, standardise=standard)
    return replace(preprocessor, transform=transform)


def _check(model: TrainedModel, tracks: Tracks) -> None:
    """Refuse data of other columns than positions in a plane."""
    if _suits(model, tracks):
        return
    names = (*tracks.x_names, *tracks.u_names, *tracks.y_names)
    raise DataError(
        "the model that needs no training is for positions in a plane",
        expected=f"{model.network.observation.dim} columns of positions and no others",
        found=", ".join(names) or "none",
        hint=("train a model of your own with ", Function("train")),
    )


def _suits(model: TrainedModel, tracks: Tracks) -> bool:
    """Return whether the columns are positions in a plane, and there are no others."""
    if tracks.x_dim != model.network.observation.dim or tracks.u_dim or tracks.y_dim:
        return False
    values = np.concatenate(tracks.x)
    return not np.array_equal(np.unique(values[np.isfinite(values)]), (0, 1))


def _in_degrees(tracks: Tracks) -> bool:
    """Return whether the columns are a latitude and a longitude, by their names and ranges."""
    return bool(len(tracks)) and in_degrees(np.concatenate(tracks.x), tracks.x_names)
