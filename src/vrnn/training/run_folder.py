"""Run folders: a trained model on disk, with all that it takes to use it again.

A run folder holds config.json, model.safetensors and metrics.jsonl. It also holds
training.safetensors, to resume from, and modes.safetensors once modes are fitted. None of these
files is a pickle.
"""

from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from vrnn.baselines.kalman import Kalman
from vrnn.data.io import Columns
from vrnn.data.preprocessor import Preprocessor
from vrnn.errors import ConfigError, Function, RunFolderError
from vrnn.files import user_path, write_json
from vrnn.models.config import ModelConfig
from vrnn.models.draws import drawing_from
from vrnn.models.registry import config_from_dict, config_to_dict, make_model
from vrnn.stored import read_json, revive, shown
from vrnn.trained import TrainedModel, build_network
from vrnn.training.config import TrainConfig
from vrnn.training.modes_file import load_modes
from vrnn.training.stored_run import check_network, check_preprocessor, check_shapes, check_widths
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
            "kalman": None if trained.kalman is None else trained.kalman._asdict(),
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
        config = read_json(path.read_text(encoding="utf-8"))
        # Before version 2 the key was "format".
        found = config["version"] if "version" in config else config["format"]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise RunFolderError(
            f"{path}: not a config that vrnn wrote ({error}); "
            "restore the file, or train again into another folder"
        ) from error
    if found != VERSION:
        raise RunFolderError(
            f"{folder}: found a run folder of another version of vrnn "
            f"(expected version {VERSION}, found {shown(found)}); train again into another folder"
        )
    return config


@dataclass(frozen=True)
class RunSettings:
    """All that config.json says of a run.

    Attributes:
        model, training, preprocessor: the model's config, and what made it.
        data: digest of the training data.
        columns: id and time of the data files; the usual ones where the command line did not train.
        kalman: the filter that was fitted to the training tracks; absent in older runs.
    """

    model: ModelConfig
    training: TrainConfig
    preprocessor: Preprocessor
    data: str
    columns: Columns
    kalman: Kalman | None = None


def read_settings(folder: Path) -> RunSettings:
    """Return what config.json says, checked entry by entry.

    Raises:
        RunFolderError: no run folder, another version, or an entry that cannot be.
    """
    config = read_config(folder)
    try:
        absent = {"model", "training", "preprocessor", "data"} - config.keys()
        if absent:
            raise ConfigError(f"absent settings: {', '.join(sorted(absent))}")
        found = RunSettings(
            config_from_dict(config["model"]),
            TrainConfig.from_dict(config["training"]),
            Preprocessor.from_dict(config["preprocessor"]),
            revive(str, config["data"], "data"),
            revive(Columns, config.get("columns", {}), "columns"),
            _kalman(config.get("kalman")),
        )
        check_preprocessor(found.preprocessor)
        check_widths(found.model, found.preprocessor)
    except ConfigError as error:
        raise RunFolderError(
            ("settings that this version does not know: ", error), where=folder / "config.json"
        ) from error
    return found


@dataclass(frozen=True)
class _Variances:
    """The entries of a Kalman filter."""

    process: float
    measurement: float


def _kalman(entry: Any) -> Kalman | None:
    """Return the filter of an entry of config.json; None where there is none."""
    found = revive(_Variances | None, entry, "kalman", complete=True)
    return None if found is None else Kalman(found.process, found.measurement)


def load(
    folder: str | PathLike[str], device: torch.device | str = "cpu", *, modes: bool = True
) -> TrainedModel:
    """Return a trained model from its run folder; see `vrnn.load`."""
    folder = user_path(folder)
    settings = read_settings(folder)
    weights = load_weights(folder)
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    try:
        check_shapes(shapes, asdict(settings.model), lambda: make_model(settings.model))
        with drawing_from(torch.Generator()):
            network = build_network(settings.model, settings.preprocessor)
        check_network(network, settings.training, settings.preprocessor)
        network.load_state_dict(weights)
    except (ConfigError, RuntimeError) as error:
        reason = error if isinstance(error, ConfigError) else str(error).splitlines()[-1].strip()
        raise RunFolderError(
            ("its weights do not fit config.json beside it (", reason, ")"),
            where=folder / "model.safetensors",
        ) from error
    head = load_modes(folder, network) if modes else None
    training = settings.training.to_dict()
    model = TrainedModel(
        network.eval(),
        settings.preprocessor,
        settings.model,
        training,
        head,
        kalman=settings.kalman,
    )
    return model.to(device)


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
