"""Checks of a model's settings before any network is built, and the widths they mean."""

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from vrnn.errors import ConfigError

LEAST = {"x_dim": 1, "u_dim": 0, "y_dim": 0, "hidden": 1, "latent_dim": 1, "depth": 0}


@dataclass(frozen=True)
class ModelConfig:
    """Base of the configs of all models; it checks the settings.

    Args:
        x_dim: width of an observation.
    """

    x_dim: int

    def __post_init__(self) -> None:
        check_settings(self)


def check_settings(config: Any) -> None:
    """Refuse widths below their least and words that are not among the choices of their field.

    Raises:
        ConfigError: names the setting, what was expected and what was found.

    >>> from vrnn.models.rnn import RNNConfig
    >>> RNNConfig(x_dim=2, cell="tanh")
    Traceback (most recent call last):
    vrnn.errors.ConfigError: cell: expected one of gru, lstm, found 'tanh'
    """
    hints = get_type_hints(type(config))
    for field in fields(config):
        value, hint = getattr(config, field.name), hints[field.name]
        if get_origin(hint) is Literal and value not in get_args(hint):
            raise ConfigError(
                f"{field.name}: expected one of {', '.join(map(str, get_args(hint)))}, found {value!r}"
            )
        if hint is bool and not isinstance(value, bool):
            raise ConfigError(f"{field.name}: expected True or False, found {value!r}")
        if field.name in LEAST and (not isinstance(value, int) or value < LEAST[field.name]):
            raise ConfigError(
                f"{field.name}: expected a whole number of at least {LEAST[field.name]}, found {value!r}"
            )


def roles(
    x_dim: int, u_dim: int, y_dim: int = 0, supervised: bool = False
) -> tuple[int, int, bool]:
    """Return the widths of observation and known inputs, and whether the model is supervised.

    Of a supervised model they are those that `Batch.swap_target` makes.

    Raises:
        ConfigError: a width that the setting needs is 0.
    """
    if x_dim < 1:
        raise ConfigError(f"expected x_dim of at least 1, found {x_dim}; name the columns of x")
    if not supervised:
        return x_dim, u_dim, False
    if y_dim < 1:
        raise ConfigError(
            "a supervised model needs a target: expected y_dim of at least 1, found 0; set it, or map columns to y"
        )
    return y_dim, u_dim + x_dim + 1, True
