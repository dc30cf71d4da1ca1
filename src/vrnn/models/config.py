"""The base of all models' configs, and the widths that a config means."""

from dataclasses import dataclass

from vrnn.errors import ConfigError, Setting
from vrnn.models.settings import check_settings


@dataclass(frozen=True)
class ModelConfig:
    """Base of the configs of all models; it checks the settings.

    Args:
        x_dim: width of an observation.
    """

    x_dim: int

    def __post_init__(self) -> None:
        check_settings(self)


def roles(
    x_dim: int, u_dim: int, y_dim: int = 0, supervised: bool = False
) -> tuple[int, int, bool]:
    """Return the widths of observation and known inputs, and whether the model is supervised.

    Of a supervised model they are those that `Batch.swap_target` makes.

    Raises:
        ConfigError: a width that the setting needs is 0.
    """
    if not supervised:
        return x_dim, u_dim, False
    if y_dim < 1:
        raise ConfigError(
            "a supervised model needs a target",
            hint=("map columns to ", Setting("Columns.y"), ", from which y_dim follows"),
        )
    return y_dim, u_dim + x_dim + 1, True
