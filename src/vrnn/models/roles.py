"""Which columns a model observes and which it is given."""

from typing import Protocol, runtime_checkable

from vrnn.errors import ConfigError


@runtime_checkable
class HasWidths(Protocol):
    x_dim: int
    u_dim: int
    y_dim: int


def roles(config: HasWidths, supervised: bool) -> tuple[int, int, bool]:
    """Give (width of the observation, width of the known inputs, supervised) as `Batch.swap_target` lays them out.

    Raises:
        ConfigError: a width that the setting needs is 0.
    """
    if config.x_dim < 1:
        raise ConfigError(f"expected x_dim of at least 1, found {config.x_dim}; name the columns of x")
    if not supervised:
        return config.x_dim, config.u_dim, False
    if config.y_dim < 1:
        raise ConfigError(
            "a supervised model needs a target: expected y_dim of at least 1, found 0; name the columns of y"
        )
    return config.y_dim, config.u_dim + config.x_dim + 1, True
