"""modes.safetensors: the mode head of a run folder, with its settings and the model it reads."""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from vrnn.errors import ConfigError, RunFolderError
from vrnn.models.contract import Model
from vrnn.models.modes import ModeHead, ModesConfig
from vrnn.training.weights import copy_weights, save_tensors, weights_digest

MODES = "modes.safetensors"


def save_modes(folder: Path, head: ModeHead, network: Model) -> None:
    """Write modes.safetensors.

    Args:
        folder: the run folder.
        head: the head to keep.
        network: the model whose states the head reads.
    """
    settings = {
        "config": asdict(head.config),
        "width": head.width,
        "dim": head.dim,
        "model": weights_digest(network),
    }
    save_tensors(folder / MODES, copy_weights(head), {"modes": json.dumps(settings)})


def load_modes(folder: Path, network: Model) -> ModeHead | None:
    """Return the mode head of a run folder, or None where there is none.

    Raises:
        RunFolderError: a damaged file, or a head that reads other weights of the model.
    """
    path = folder / MODES
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as stored:
            settings = json.loads(stored.metadata()["modes"])
            names = list(stored.keys())
            weights = {name: stored.get_tensor(name) for name in names}
        config = ModesConfig.from_dict(settings["config"])
        with torch.random.fork_rng(devices=[]):
            head = ModeHead(settings["width"], settings["dim"], config)
        head.load_state_dict(weights)
    except (SafetensorError, ConfigError, RuntimeError, ValueError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise RunFolderError(
            f"{path}: damaged, or of another version ({reason}); "
            "fit the modes again or delete the file"
        ) from error
    if settings.get("model") != weights_digest(network):
        raise RunFolderError(
            f"{path}: fitted to other weights of the model, which has been trained further; "
            "fit the modes again or delete the file"
        )
    return head.eval()
