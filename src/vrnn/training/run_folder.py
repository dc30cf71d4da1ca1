"""Run folders: a trained model on disk, with all that it takes to use it again.

A run folder holds config.json, model.safetensors and metrics.jsonl. It also holds
training.safetensors, to resume from, and modes.safetensors once modes are fitted. None of these
files is a pickle.
"""

import json
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from vrnn.data.preprocessor import Preprocessor
from vrnn.errors import ConfigError, Function, RunFolderError
from vrnn.files import user_path, write_json
from vrnn.models.registry import config_from_dict, config_to_dict
from vrnn.trained import TrainedModel, build_network
from vrnn.training.config import TrainConfig
from vrnn.training.modes_file import load_modes
from vrnn.training.weights import load_weights, weights_digest

FILES = (
    "config.json",
    "model.safetensors",
    "metrics.jsonl",
    "training.safetensors",
    "modes.safetensors",
)
VERSION = 3  # raised whenever this code could misread the run folders of older code


def save_config(folder: Path, trained: TrainedModel, fingerprint: str) -> None:
    """Write config.json.

    Args:
        folder: the run folder.
        trained: the model, its preprocessor and all settings.
        fingerprint: digest of the training data, compared when the run is resumed.
    """
    write_json(
        folder / "config.json",
        {
            "version": VERSION,
            "model": config_to_dict(trained.config),
            "training": trained.training,
            "preprocessor": trained.preprocessor.to_dict(),
            "data": fingerprint,
        },
    )


def read_config(folder: Path) -> dict[str, Any]:
    """Return what config.json holds.

    Raises:
        RunFolderError: no run folder, a damaged file, or a folder of another version.
    """
    path = folder / "config.json"
    if not path.is_file():
        why = "no such folder" if not folder.is_dir() else "it has no config.json"
        raise RunFolderError(
            where=folder, expected=("a run folder written by ", Function("train")), cause=why
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        # Before version 2 the key was "format".
        found = config["version"] if "version" in config else config["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise RunFolderError(
            f"{path}: not a config that vrnn wrote ({error}); train again or restore the file"
        ) from error
    if found != VERSION:
        raise RunFolderError(
            f"{folder}: found a run folder of another version of vrnn "
            f"(expected version {VERSION}, found {found}); train again"
        )
    return config


def load(
    folder: str | PathLike[str], device: torch.device | str = "cpu", *, modes: bool = True
) -> TrainedModel:
    """Return a trained model from its run folder; see `vrnn.load`."""
    folder = user_path(folder)
    config = read_config(folder)
    try:
        model_config = config_from_dict(config["model"])
        training = TrainConfig.from_dict(config["training"]).to_dict()
        preprocessor = Preprocessor.from_dict(config["preprocessor"])
        with torch.random.fork_rng(devices=[]):
            network = build_network(model_config, preprocessor)
    except (ConfigError, KeyError, TypeError) as error:
        raise RunFolderError(
            ("settings that this version does not know: ", error), where=folder / "config.json"
        ) from error
    load_weights(folder, network)
    head = load_modes(folder, network) if modes else None
    return TrainedModel(network.eval(), preprocessor, model_config, training, head).to(device)


def check_weights(folder: Path, model: TrainedModel) -> None:
    """Refuse a folder that is not the run of this model.

    Raises:
        RunFolderError: no run folder, or other weights in it.
    """
    if weights_digest(load(folder, modes=False).network) != weights_digest(model.network):
        raise RunFolderError(
            f"{folder}: expected the run of this model, found other weights; "
            "load the model from there"
        )
