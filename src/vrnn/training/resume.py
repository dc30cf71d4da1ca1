"""Resuming a run: the state of its training on disk, and whether a folder lets a run go on."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open

from vrnn.errors import ConfigError, RunFolderError, Setting, joined
from vrnn.files import check_writable
from vrnn.models.registry import config_to_dict
from vrnn.stored import read_json, revive
from vrnn.trained import TrainedModel
from vrnn.training.early_stopping import Progress
from vrnn.training.prepare import Prepared
from vrnn.training.run_folder import RunSettings, read_settings
from vrnn.training.stored_run import compare_shapes
from vrnn.training.weights import Tensors, check_floats, save_tensors


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


STATE = "training.safetensors"
WIDTHS = ("x_dim", "u_dim", "y_dim")  # of a config, which follow from the data
START = "name the model to start from, if there was one, as when the run began"
GROUPS = ("model", "best", "ema", "optimiser")


def save_state(folder: Path, state: TrainingState) -> None:
    """Write training.safetensors: one file, so a kill leaves the old state or the new one."""
    tensors = {
        f"{group}/{name}": tensor.contiguous()
        for group in GROUPS
        for name, tensor in getattr(state, group).items()
    }
    progress = {"progress": json.dumps(asdict(state.progress))}
    save_tensors(folder / STATE, tensors, progress)


def load_state(folder: Path) -> TrainingState | None:
    """Return the state in training.safetensors, or None before the first one is written.

    Raises:
        RunFolderError: a damaged file.
    """
    path = folder / STATE
    if not path.is_file():
        return None
    groups: dict[str, Tensors] = {group: {} for group in GROUPS}
    try:
        with safe_open(path, "pt") as stored:
            said = read_json((stored.metadata() or {})["progress"])
            progress = revive(Progress, said, "progress", complete=True)
            for key in stored.keys():  # noqa: SIM118 (not a dict)
                group, name = key.split("/", 1)
                groups[group][name] = stored.get_tensor(key)
        for tensors in groups.values():
            check_floats(tensors)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, ConfigError) as error:
        raise damaged(folder, error) from error
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
    stored = read_settings(folder)
    changed = _changes(stored, prepared.trained)
    if changed:
        fixed = ("model.", "training.transform.")  # by a model to start from
        raise RunFolderError(
            ("resume needs the settings the run began with: ", joined(changed, " ")),
            where=folder,
            hint=START if any(setting.name.startswith(fixed) for setting in changed) else "",
        )
    same_data = stored.data == prepared.fingerprint
    if same_data and stored.preprocessor != prepared.trained.preprocessor:
        raise RunFolderError(
            "the run began from another model, and resume needs the same one",
            where=folder,
            hint=START,
        )
    if not same_data:
        raise RunFolderError(
            f"{folder}: the data is not what the run was trained on; resume needs the same tracks"
        )
    state = load_state(folder)
    if state is not None:
        try:
            _check_state(state, prepared)
        except ConfigError as error:
            raise damaged(folder, error) from error
    return state


def _check_state(state: TrainingState, prepared: Prepared) -> None:
    """Refuse a state of another network, or of more steps.

    Raises:
        ConfigError: names the tensor, or the number of steps.
    """
    step, network = state.progress.step, prepared.trained.network
    if not 0 <= step <= prepared.settings.steps:
        expected = "at least 0" if step < 0 else f"at most {prepared.settings.steps}"
        raise ConfigError(where="progress.step", expected=expected, found=step)
    weights = {name: value.shape for name, value in network.state_dict().items()}
    parameters = [p.shape for p in network.parameters()]
    expected = {
        f"{group}/{name}": shape for group in ("model", "best") for name, shape in weights.items()
    }
    if prepared.settings.ema_decay:
        expected |= {f"ema/{name}": shape for name, shape in weights.items()}
    kept = {key.partition("/")[0] for key in state.optimiser}
    for i in (i for i in range(len(parameters)) if str(i) in kept):
        expected[f"optimiser/{i}/step"] = torch.Size()
        expected |= {f"optimiser/{i}/{name}": parameters[i] for name in ("exp_avg", "exp_avg_sq")}
    found = {
        f"{group}/{name}": value.shape
        for group in GROUPS
        for name, value in getattr(state, group).items()
    }
    compare_shapes(found, expected)


def damaged(folder: Path, error: Exception) -> RunFolderError:
    """Return the error of a training state that cannot be gone on from."""
    return RunFolderError(
        ("damaged (", error, ")"),
        where=folder / STATE,
        hint="delete it to start the run again",
    )


def _changes(stored: RunSettings, trained: TrainedModel) -> list[Setting]:
    """Return the settings in which a stored run differs, as it has them."""
    now = {"model": config_to_dict(trained.config), "training": trained.training}
    # A setting that is newer than the run had its default.
    then = {"model": config_to_dict(stored.model), "training": stored.training.to_dict()}
    return [s for s in _differing(then, now) if s.name.rpartition(".")[2] not in WIDTHS]


def _differing(then: dict[str, Any], now: dict[str, Any], owner: str = "") -> Iterator[Setting]:
    """Yield the entries of one dict that another has with another value, or not at all."""
    for name, value in then.items():
        other = now.get(name)
        if isinstance(value, dict) and isinstance(other, dict):
            yield from _differing(value, other, f"{owner}{name}.")
        elif value != other:
            yield Setting(f"{owner}{name}", value)
