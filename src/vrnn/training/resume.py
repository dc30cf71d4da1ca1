"""Resuming a run: the state of its training on disk, and whether a folder lets a run go on."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open

from vrnn.errors import ConfigError, RunFolderError, Setting, joined
from vrnn.files import check_writable
from vrnn.models.registry import config_from_dict, config_to_dict
from vrnn.trained import TrainedModel
from vrnn.training.config import TrainConfig
from vrnn.training.early_stopping import Progress
from vrnn.training.prepare import Prepared
from vrnn.training.run_folder import read_config
from vrnn.training.weights import Tensors, save_tensors


class TrainingState(NamedTuple):
    """The state of a training run between two steps.

    Attributes:
        model: weights now.
        best: weights of the best validation.
        ema: moving average of the weights, empty when none is kept.
        optimiser: tensors of the optimiser.
        progress: how far the run has come.
    """

    model: Tensors
    best: Tensors
    ema: Tensors
    optimiser: Tensors
    progress: Progress


WIDTHS = ("u_dim", "y_dim")  # of a config, which follow from other settings
START = "name the model to start from as when the run began"
GROUPS = ("model", "best", "ema", "optimiser")


def save_state(folder: Path, state: TrainingState) -> None:
    """Write training.safetensors: one file, so a kill leaves the old state or the new one."""
    tensors = {
        f"{group}/{name}": tensor.contiguous()
        for group in GROUPS
        for name, tensor in getattr(state, group).items()
    }
    progress = {"progress": json.dumps(asdict(state.progress))}
    save_tensors(folder / "training.safetensors", tensors, progress)


def load_state(folder: Path) -> TrainingState | None:
    """Return the state in training.safetensors, or None before the first one is written.

    Raises:
        RunFolderError: a damaged file.
    """
    path = folder / "training.safetensors"
    if not path.is_file():
        return None
    groups: dict[str, Tensors] = {group: {} for group in GROUPS}
    try:
        with safe_open(path, "pt") as stored:
            progress = Progress(**json.loads(stored.metadata()["progress"]))
            for key in stored.keys():  # noqa: SIM118 (not a dict)
                group, name = key.split("/", 1)
                groups[group][name] = stored.get_tensor(key)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise RunFolderError(
            f"{path}: damaged ({error}); delete it to start the run again"
        ) from error
    return TrainingState(**groups, progress=progress)


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> Tensors:
    """Return an optimiser's state as named tensors."""
    state = optimiser.state_dict()["state"]
    return {
        f"{i}/{name}": value.detach().clone()
        for i, part in state.items()
        for name, value in part.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Put back the state that `optimiser_tensors` returned."""
    state: dict[int, Tensors] = {}
    for key, value in tensors.items():
        i, name = key.split("/", 1)
        state.setdefault(int(i), {})[name] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def check_folder(folder: Path | None, resume: bool) -> None:
    """Refuse a run folder that cannot be trained into, before any work is done for it.

    Args:
        folder: the run folder; None when nothing is written.
        resume: whether to go on from what the folder holds.

    Raises:
        RunFolderError: a run that is not to be resumed or is not there, or a file.
        DataError: a place that cannot be written.
    """
    if folder is None:
        if resume:
            raise RunFolderError(("to resume a run, name its folder with ", Setting("out")))
        return
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"{folder}: expected a folder for the run, found a file")
    is_there = (folder / "config.json").exists()
    if resume and not is_there:
        raise RunFolderError(
            "nothing to resume, it has no config.json",
            where=folder,
            hint=("train without ", Setting("resume", True), " first"),
        )
    if is_there and not resume:
        raise RunFolderError(
            "holds a run already",
            where=folder,
            hint=("resume it with ", Setting("resume", True), ", or choose another folder"),
        )
    check_writable(folder / "config.json")


def open_folder(folder: Path | None, prepared: Prepared, resume: bool) -> TrainingState | None:
    """Return the state that a run goes on from, or None to begin at step 0.

    Args:
        folder: the run folder; None when nothing is written.
        prepared: the run that is about to begin.
        resume: whether to go on from what the folder holds.

    Raises:
        RunFolderError: a run that is not to be resumed, does not fit, or is not there.
    """
    check_folder(folder, resume)  # another training may have ended since it was looked at
    if folder is None or not resume:
        return None
    stored = read_config(folder)
    changed = _changes(stored, prepared.trained)
    if changed:
        raise RunFolderError(
            (
                "resume needs the settings the run began with; changed: ",
                joined(map(Setting, changed)),
            ),
            where=folder,
            hint=START if "training.transform" in changed else "",
        )
    preprocessor = json.loads(json.dumps(prepared.trained.preprocessor.to_dict()))
    if stored["data"] == prepared.fingerprint and stored["preprocessor"] != preprocessor:
        raise RunFolderError(
            "the run began from another model, and resume needs the same one",
            where=folder,
            hint=START,
        )
    if stored["data"] != prepared.fingerprint:
        raise RunFolderError(
            f"{folder}: the data is not what the run was trained on; resume needs the same tracks"
        )
    return load_state(folder)


def _changes(stored: dict, trained: TrainedModel) -> list[str]:
    """Return the names of the settings in which a stored run differs."""

    now = {"model": config_to_dict(trained.config), "training": trained.training}
    try:  # a setting that is newer than the run had its default
        then = {
            "model": config_to_dict(config_from_dict(stored["model"])),
            "training": TrainConfig.from_dict(stored["training"]).to_dict(),
        }
    except (ConfigError, KeyError, TypeError):
        then = stored
    changed = [(k, name) for k in now for name in now[k] if then[k].get(name) != now[k][name]]
    return [f"{k}.{name}" for k, name in changed if name not in WIDTHS]
