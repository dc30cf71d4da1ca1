"""Known inputs that stay the same along a track, given by the names of their columns."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from vrnn.errors import ConfigError


def constant_inputs(
    names: tuple[str, ...], given: Mapping[str, str | float], count: int, steps: int
) -> Float[np.ndarray, "{count} {steps} inputs"]:
    """Return inputs in data units whose every row holds the given values.

    Args:
        names: columns of the inputs. The column `kind=tug` is 1 for tracks of the kind tug.
        given: a number for each column, or the kind for the columns of kinds.

    Raises:
        ConfigError: an unknown column, a column without a value, or an unknown kind.

    >>> names, given = ("kind=ferry", "kind=tug", "load"), {"kind": "tug", "load": 2.5}
    >>> constant_inputs(names, given, 1, 2).tolist()
    [[[0.0, 1.0, 2.5], [0.0, 1.0, 2.5]]]
    """
    parts = [(n, "") if n in given else (n.partition("=")[0], n.partition("=")[2]) for n in names]
    kinds: dict[str, list[str]] = {}
    for base, kind in parts:
        kinds.setdefault(base, []).append(kind)
    differing = set(kinds) ^ set(given)
    if differing:
        raise ConfigError(
            f"expected a value for each known input ({', '.join(kinds)}), "
            f"found {', '.join(given) or 'none'}: look at {', '.join(sorted(differing))}"
        )
    row = [_value(base, kind, kinds[base], given[base]) for base, kind in parts]
    if not np.isfinite(row).all():
        raise ConfigError(f"expected finite known inputs, found {dict(given)}")
    return np.broadcast_to(np.array(row), (count, steps, len(names)))


def _value(base: str, kind: str, kinds: list[str], value: str | float) -> float:
    """Return the value of one column: a number, or 1 in the column of the given kind."""
    if kind:
        if str(value) not in kinds:
            raise ConfigError(
                f"{base}: expected one of the kinds {', '.join(kinds)}, found {str(value)!r}"
            )
        return float(str(value) == kind)
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{base}: expected a number, found {value!r}") from error
