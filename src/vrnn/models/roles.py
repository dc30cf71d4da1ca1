"""Which columns a model observes and which it is given."""

from vrnn.errors import ConfigError, Setting


def roles(
    x_dim: int, u_dim: int, y_dim: int = 0, supervised: bool = False
) -> tuple[int, int, bool]:
    """Give (width of the observation, width of the known inputs, supervised) as `Batch.swap_target` lays them out.

    Raises:
        ConfigError: a width that the setting needs is 0.
    """
    if x_dim < 1:
        raise ConfigError(f"expected x_dim of at least 1, found {x_dim}; name the columns of x")
    if not supervised:
        return x_dim, u_dim, False
    if y_dim < 1:
        raise ConfigError(
            "a supervised model needs a target",
            hint=("map columns to ", Setting("Columns.y"), ", from which y_dim follows"),
        )
    return y_dim, u_dim + x_dim + 1, True
