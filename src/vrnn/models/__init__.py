"""The models, each with its config, and the one table that finds a model by its name or its config."""

from dataclasses import asdict, fields
from typing import Any

from vrnn.errors import ConfigError
from vrnn.models.contract import Model
from vrnn.models.dmm import DMM, DMMConfig
from vrnn.models.rnn import RNN, RNNConfig
from vrnn.models.rollout import RolloutVAE, RolloutVAEConfig
from vrnn.models.seq2seq import Seq2SeqVAE, Seq2SeqVAEConfig
from vrnn.models.srnn import SRNN, SRNNConfig
from vrnn.models.storn import STORN, STORNConfig
from vrnn.models.vrnn import VRNN, VRNNConfig

ModelConfig = (
    RNNConfig
    | Seq2SeqVAEConfig
    | RolloutVAEConfig
    | VRNNConfig
    | DMMConfig
    | SRNNConfig
    | STORNConfig
)

KINDS: dict[str, tuple[type, type[Model]]] = {
    "rnn": (RNNConfig, RNN),
    "seq2seq": (Seq2SeqVAEConfig, Seq2SeqVAE),
    "rollout": (RolloutVAEConfig, RolloutVAE),
    "vrnn": (VRNNConfig, VRNN),
    "dmm": (DMMConfig, DMM),
    "srnn": (SRNNConfig, SRNN),
    "storn": (STORNConfig, STORN),
}


def kind_of(config: ModelConfig) -> str:
    """Give the name that the command line and a run folder use for the model of a config."""
    return next(name for name, (config_type, _) in KINDS.items() if type(config) is config_type)


def make_model(config: ModelConfig) -> Model:
    """Build the model of a config, with weights drawn from torch's default generator."""
    return KINDS[kind_of(config)][1](config)


def config_to_dict(config: ModelConfig) -> dict[str, Any]:
    """Write a config as plain values with the name of its kind, what config.json holds."""
    return {"kind": kind_of(config), **asdict(config)}


def config_from_dict(values: dict[str, Any]) -> ModelConfig:
    """Read back what `config_to_dict` wrote.

    Raises:
        ConfigError: an unknown kind or setting.
    """
    values = dict(values)
    kind = values.pop("kind", None)
    if kind not in KINDS:
        raise ConfigError(f"expected a model kind among {', '.join(KINDS)}, found {kind!r}")
    config_type = KINDS[kind][0]
    unknown = set(values) - {f.name for f in fields(config_type)}
    if unknown:
        raise ConfigError(
            f"settings that {config_type.__name__} does not have: {', '.join(sorted(unknown))}"
        )
    return config_type(**values)


__all__ = [
    "DMM", "KINDS", "RNN", "SRNN", "STORN", "VRNN", "DMMConfig", "Model", "ModelConfig", "RNNConfig", "RolloutVAE",
    "RolloutVAEConfig", "SRNNConfig", "STORNConfig", "Seq2SeqVAE", "Seq2SeqVAEConfig", "VRNNConfig", "config_from_dict",
    "config_to_dict", "kind_of", "make_model",
]  # fmt: skip
