"""Run folders: config.json, model.safetensors, metrics.jsonl and, to resume, training.safetensors; modes.safetensors where they have been learned. None is
a pickle."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vrnn.data.preprocessor import Preprocessor
from vrnn.errors import ConfigError, RunFolderError
from vrnn.files import whole_file, write_json
from vrnn.models import Model, config_from_dict, config_to_dict
from vrnn.models.modes import ModeHead, ModesConfig
from vrnn.trained import TrainedModel, build_network
from vrnn.training.config import TrainConfig

MODES = "modes.safetensors"
FORMAT = 1  # raised whenever older code could misread a run folder
Tensors = dict[str, Tensor]


class Checkpoint(NamedTuple):
    """Hold the state of a training run between two steps.

    Attributes:
        model, best, average: weights now, those of the best validation, and their moving average (empty when none is kept).
        optimiser: the optimiser's tensors.
        progress: step, best value and step, validations since; plain numbers.
    """

    model: Tensors
    best: Tensors
    average: Tensors
    optimiser: Tensors
    progress: dict[str, Any]


def save_config(folder: Path, trained: TrainedModel, data: str) -> None:
    """Write config.json: all settings, the preprocessor and a fingerprint of the training data."""
    write_json(
        folder / "config.json",
        {
            "format": FORMAT,
            "model": config_to_dict(trained.config),
            "training": trained.training,
            "preprocessor": trained.preprocessor.to_dict(),
            "data": data,
        },
    )


def read_config(folder: Path) -> dict[str, Any]:
    """Read config.json.

    Raises:
        RunFolderError: no run folder, a damaged file, or another format.
    """
    path = folder / "config.json"
    if not path.is_file():
        why = "no such folder" if not folder.is_dir() else "it has no config.json"
        raise RunFolderError(f"{folder}: expected a run folder written by vrnn train; {why}")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        found = config["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise RunFolderError(
            f"{path}: not a config that vrnn wrote ({error}); train again or restore the file"
        ) from error
    if found != FORMAT:
        raise RunFolderError(
            f"{path}: expected format {FORMAT}, found {found}; it was written by another version of vrnn: "
            f"use that version, or train again"
        )
    return config


def load(
    folder: str | Path, device: torch.device | str = "cpu", *, modes: bool = True
) -> TrainedModel:
    """Load a trained model from its run folder, on whatever device it was trained.

    Args:
        folder: the run folder.
        device: where the network goes.
        modes: load the learned representatives too, where there are any.

    Raises:
        RunFolderError: no run folder, another version, or a damaged or incomplete file.

    Example:
        >>> import vrnn
        >>> vrnn.load("no/such/run")
        Traceback (most recent call last):
        vrnn.errors.RunFolderError: no/such/run: expected a run folder written by vrnn train; no such folder
    """
    folder = Path(folder)
    config = read_config(folder)
    try:
        model_config = config_from_dict(config["model"])
        training = TrainConfig.from_dict(config["training"]).to_dict()
        preprocessor = Preprocessor.from_dict(config["preprocessor"])
        with torch.random.fork_rng(devices=[]):
            network = build_network(model_config, preprocessor)
    except (ConfigError, KeyError, TypeError) as error:
        raise RunFolderError(
            f"{folder / 'config.json'}: settings that this version does not know: {error}"
        ) from error
    _load_weights(network, folder / "model.safetensors")
    head = _load_modes(folder, network) if modes else None
    return TrainedModel(network.eval(), preprocessor, model_config, training, head).to(device)


def save_weights(folder: Path, weights: Tensors) -> None:
    """Write model.safetensors."""
    with whole_file(folder / "model.safetensors") as temporary:
        save_file(weights, temporary)


def save_representatives(folder: Path, head: ModeHead, model: TrainedModel) -> None:
    """Write modes.safetensors, in it the settings of the head and which weights of the model it reads."""
    settings = {
        "config": asdict(head.config),
        "width": head.width,
        "dim": head.dim,
        "model": _digest(copy_weights(model.network)),
    }
    with whole_file(folder / MODES) as temporary:
        save_file(copy_weights(head), temporary, metadata={"modes": json.dumps(settings)})


def check_weights(folder: Path, model: TrainedModel) -> None:
    """Refuse a folder that is not the run of this model.

    Raises:
        RunFolderError: no run folder, or other weights in it.
    """
    if _digest(copy_weights(load(folder, modes=False).network)) != _digest(
        copy_weights(model.network)
    ):
        raise RunFolderError(
            f"{folder}: expected the run of this model, found other weights; load the model from there"
        )


def _digest(weights: Tensors) -> str:
    """Give a fingerprint of weights."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode() + weights[name].cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _load_modes(folder: Path, network: Model) -> ModeHead | None:
    """Read the head of a run folder; None when none has been learned."""
    path = folder / MODES
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as stored:
            settings = json.loads(stored.metadata()["modes"])
            weights = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118 (not a dict)
        config = ModesConfig.from_dict(settings["config"])
        with torch.random.fork_rng(devices=[]):
            head = ModeHead(settings["width"], settings["dim"], config)
        head.load_state_dict(weights)
    except (SafetensorError, ConfigError, RuntimeError, ValueError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise RunFolderError(
            f"{path}: damaged, or of another version ({reason}); learn the representatives again or delete the file"
        ) from error
    if settings.get("model") != _digest(copy_weights(network)):
        raise RunFolderError(
            f"{path}: learned from other weights of the model, which has been trained further; delete the file and learn them again"
        )
    return head.eval()


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write training.safetensors, one file, so that a kill leaves the old state or the new one."""
    parts = ("model", "best", "average", "optimiser")
    groups: dict[str, Tensors] = {part: getattr(checkpoint, part) for part in parts}
    tensors = {
        f"{group}/{name}": t.contiguous()
        for group, part in groups.items()
        for name, t in part.items()
    }
    with whole_file(folder / "training.safetensors") as temporary:
        save_file(tensors, temporary, metadata={"progress": json.dumps(checkpoint.progress)})


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """Read training.safetensors; None when a run has not come to its first one.

    Raises:
        RunFolderError: a damaged file.
    """
    path = folder / "training.safetensors"
    if not path.is_file():
        return None
    groups: dict[str, Tensors] = {"model": {}, "best": {}, "average": {}, "optimiser": {}}
    try:
        with safe_open(path, "pt") as stored:
            progress = json.loads(stored.metadata()["progress"])
            for key in stored.keys():  # noqa: SIM118 (not a dict)
                group, name = key.split("/", 1)
                groups[group][name] = stored.get_tensor(key)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise RunFolderError(
            f"{path}: damaged ({error}); delete it to start the run again"
        ) from error
    return Checkpoint(**groups, progress=progress)


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> Tensors:
    """Flatten an optimiser's state to named tensors."""
    state = optimiser.state_dict()["state"]
    return {
        f"{i}/{name}": value.detach().clone()
        for i, part in state.items()
        for name, value in part.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Put back what `optimiser_tensors` gave."""
    state: dict[int, Tensors] = {}
    for key, value in tensors.items():
        i, name = key.split("/", 1)
        state.setdefault(int(i), {})[name] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def copy_weights(model: nn.Module) -> Tensors:
    """Copy a model's weights to tensors of their own, which later steps do not change."""
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


def _load_weights(network: Model, path: Path) -> None:
    if not path.is_file():
        raise RunFolderError(
            f"{path.parent}: the run has no model.safetensors; training was stopped before its first validation: "
            f"go on with --resume"
        )
    try:
        weights = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise RunFolderError(
            f"{path}: damaged or truncated ({error}); restore the file or train again"
        ) from error
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise RunFolderError(
            f"{path}: its weights do not fit config.json beside it ({reason})"
        ) from error
