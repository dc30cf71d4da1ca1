"""The table of models: the name of each, where it is, and one line of help.

The command line, its help, the documents and the contract tests follow from this table. Nothing
heavy is imported before a model is asked for.
"""

from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from vrnn.errors import ConfigError
from vrnn.models.config import ModelConfig
from vrnn.stored import revive, shown

if TYPE_CHECKING:
    from vrnn.models.contract import Model


class Architecture(NamedTuple):
    """A row of the table: the class of a model, whose config is the class with Config behind it.

    Attributes:
        module: where both classes are.
        name: of the model's class.
        help: one line for people who choose.
    """

    module: str
    name: str
    help: str

    @property
    def model(self) -> Callable[..., "Model"]:
        """Return the class of the model."""
        return getattr(import_module(self.module), self.name)

    @property
    def config(self) -> type[ModelConfig]:
        """Return the class of its config."""
        return getattr(import_module(self.module), f"{self.name}Config")


REGISTRY: dict[str, Architecture] = {
    "rnn": Architecture(
        "vrnn.models.rnn", "RNN", "recurrent network with a probabilistic head, the control"
    ),
    "seq2seq": Architecture(
        "vrnn.models.seq2seq", "Seq2SeqVAE", "encoder RNN, latent and decoder RNN at every step"
    ),
    "rollout": Architecture(
        "vrnn.models.rollout", "RolloutVAE", "a trajectory encoded once, then the decoder alone"
    ),
    "vrnn": Architecture(
        "vrnn.models.vrnn", "VRNN", "the variational RNN of Chung et al. 2015; start here"
    ),
    "dmm": Architecture(
        "vrnn.models.dmm",
        "DMM",
        "the deep Markov model of Krishnan et al. 2017: latents alone carry the past",
    ),
    "srnn": Architecture(
        "vrnn.models.srnn",
        "SRNN",
        "the stochastic RNN of Fraccaro et al. 2016: a chain of latents on top of an RNN",
    ),
    "storn": Architecture(
        "vrnn.models.storn",
        "STORN",
        "the stochastic RNN of Bayer & Osendorfer 2014: an RNN that reads noise",
    ),
    "rssm": Architecture(
        "vrnn.models.rssm",
        "RSSM",
        "the recurrent state-space model of Hafner et al. 2019: actions drive an RNN with latents",
    ),
}


def name_of(config: ModelConfig) -> str:
    """Return the name that the command line and a run folder use for the model of a config.

    Raises:
        ConfigError: a config of no model in the table.
    """
    for name, architecture in REGISTRY.items():
        if architecture.name + "Config" == type(config).__name__:
            return name
    raise ConfigError(
        f"expected the config of a model ({', '.join(REGISTRY)}), found {type(config).__name__}"
    )


def make_model(config: ModelConfig) -> "Model":
    """Return the model of a config, its weights drawn from torch's default generator."""
    return REGISTRY[name_of(config)].model(config)


def config_to_dict(config: ModelConfig) -> dict[str, Any]:
    """Return a config as plain values with the name of its architecture, as in config.json."""
    return {"architecture": name_of(config), **asdict(config)}


def config_from_dict(values: dict[str, Any]) -> ModelConfig:
    """Return the config that `config_to_dict` wrote.

    Raises:
        ConfigError: an unknown architecture or setting, or a value of another type.
    """
    if not isinstance(values, dict):
        raise ConfigError(where="model", expected="an object of settings")
    settings = {key: value for key, value in values.items() if key != "architecture"}
    name = values.get("architecture")
    if not isinstance(name, str) or name not in REGISTRY:
        raise ConfigError(
            f"expected an architecture among {', '.join(REGISTRY)}, found {shown(name)}"
        )
    return revive(REGISTRY[name].config, settings, "model")
