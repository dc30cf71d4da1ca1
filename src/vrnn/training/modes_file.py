"""modes.safetensors: the mode head of a run folder, with its settings and the model it reads."""

import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from vrnn.errors import ConfigError, RunFolderError
from vrnn.models.contract import Model
from vrnn.models.draws import drawing_from
from vrnn.models.modes import ModeHead, ModesConfig
from vrnn.models.settings import PositiveInt, check_settings
from vrnn.stored import read_json, revive
from vrnn.training.stored_run import check_shapes
from vrnn.training.weights import check_floats, copy_weights, save_tensors, weights_digest

MODES = "modes.safetensors"


@dataclass(frozen=True)
class ModesSettings:
    """What modes.safetensors says of the head in it.

    Attributes:
        config: the settings of the mode set.
        width, dim: widths of the state and of an observation.
        model: digest of the weights of the model whose states the head reads.
    """

    config: ModesConfig
    width: PositiveInt
    dim: PositiveInt
    model: str

    def __post_init__(self) -> None:
        check_settings(self)


def save_modes(folder: Path, head: ModeHead, network: Model) -> None:
    """Write modes.safetensors.

    Args:
        folder: the run folder.
        head: the head to keep.
        network: the model whose states the head reads.
    """
    settings = ModesSettings(head.config, head.width, head.dim, weights_digest(network))
    save_tensors(folder / MODES, copy_weights(head), {"modes": json.dumps(asdict(settings))})


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
            said = read_json((stored.metadata() or {})["modes"])
            names = list(stored.keys())
            weights = {name: stored.get_tensor(name) for name in names}
        check_floats(weights)
        settings = revive(ModesSettings, said, "modes", complete=True)
        sizes = {"width": settings.width, "dim": settings.dim, **asdict(settings.config)}
        make = partial(ModeHead, settings.width, settings.dim, settings.config)
        check_shapes({name: tuple(w.shape) for name, w in weights.items()}, sizes, make)
        with drawing_from(torch.Generator()):
            head = make()
        head.load_state_dict(weights)
    except (SafetensorError, ConfigError, OSError, ValueError, KeyError, TypeError) as error:
        raise RunFolderError(
            ("damaged, or of another version (", error, ")"),
            where=path,
            hint="fit the modes again or delete the file",
        ) from error
    if settings.model != weights_digest(network):
        raise RunFolderError(
            f"{path}: fitted to other weights of the model, which has been trained further; "
            "fit the modes again or delete the file"
        )
    return head.eval()
