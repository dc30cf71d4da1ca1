"""What a run folder holds already: whether a run may begin in it or go on."""

import json
from pathlib import Path

from vrnn.errors import ConfigError, RunFolderError
from vrnn.models import ModelConfig, config_from_dict, config_to_dict
from vrnn.trained import TrainedModel
from vrnn.training.checkpoint import (
    Checkpoint,
    load_checkpoint,
    read_config,
)
from vrnn.training.config import TrainConfig
from vrnn.training.prepare import Prepared


def open_folder(folder: Path | None, prepared: Prepared, resume: bool) -> Checkpoint | None:
    """Look into a run folder and refuse what does not fit; give the state to go on from, if there is one.

    Raises:
        RunFolderError: a run in it that is not to be resumed, or one that does not fit; nothing to resume.
    """
    if folder is None:
        if resume:
            raise RunFolderError("to resume a run, name its folder with out")
        return None
    if not (folder / "config.json").exists():
        if resume:
            raise RunFolderError(
                f"{folder}: nothing to resume, it has no config.json; train without resume first"
            )
        if folder.exists() and not folder.is_dir():
            raise RunFolderError(f"{folder}: expected a folder for the run, found a file")
        return None
    if not resume:
        raise RunFolderError(f"{folder}: holds a run already; resume it, or choose another folder")
    stored = read_config(folder)
    changed = _changes(stored, prepared.trained)
    if changed:
        raise RunFolderError(
            f"{folder}: resume needs the settings the run began with; changed: {', '.join(changed)}"
        )
    if stored["data"] != prepared.fingerprint:
        raise RunFolderError(
            f"{folder}: the data is not what the run was trained on; resume needs the same tracks"
        )
    return load_checkpoint(folder)


def _changes(stored: dict, trained: TrainedModel) -> list[str]:
    """Name the settings of a stored run that differ."""

    def plain(model: ModelConfig, training: dict) -> dict:
        return json.loads(json.dumps({"model": config_to_dict(model), "training": training}))

    now = plain(trained.config, trained.training)
    try:  # settings that are newer than the run have their defaults in it
        training = TrainConfig.from_dict(stored["training"])
        then = plain(config_from_dict(stored["model"]), training.to_dict())
    except (ConfigError, KeyError, TypeError):
        then = stored
    return [f"{k}.{name}" for k in now for name in now[k] if then[k].get(name) != now[k][name]]
