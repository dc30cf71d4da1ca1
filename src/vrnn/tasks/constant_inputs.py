"""Known inputs that stay the same along a track, by the names of their columns."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from vrnn.errors import ConfigError


def constant_inputs(
    names: tuple[str, ...], given: Mapping[str, str | float], count: int, steps: int
) -> Float[np.ndarray, "{count} {steps} inputs"]:
    """Give inputs in data units that hold what is given in every row.

    Args:
        names: columns of the inputs; column=kind is 1 for tracks of that kind.
        given: a number for each column by its name, or the kind for a column of kinds.

    Raises:
        ConfigError: a column that is not there, one that is left out, or a kind that was not trained on.

    >>> constant_inputs(("kind=ferry", "kind=tug", "load"), {"kind": "tug", "load": 2.5}, 1, 2).tolist()
    [[[0.0, 1.0, 2.5], [0.0, 1.0, 2.5]]]
    """
    kinds: dict[str, list[str]] = {}
    parts = [
        (name, "") if name in given else (name.partition("=")[0], name.partition("=")[2])
        for name in names
    ]
    for base, kind in parts:
        kinds.setdefault(base, []).append(kind)
    wanted, found = set(kinds), set(given)
    if wanted != found:
        off = ", ".join(sorted(wanted ^ found))
        raise ConfigError(
            f"expected a value for each known input ({', '.join(kinds)}), found {', '.join(given) or 'none'}: look at {off}"
        )
    row = []
    for base, kind in parts:
        value = given[base]
        if kind and str(value) not in kinds[base]:
            raise ConfigError(
                f"{base}: expected one of the kinds {', '.join(kinds[base])}, found {str(value)!r}"
            )
        try:
            row.append(float(str(value) == kind) if kind else float(value))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{base}: expected a number, found {value!r}") from error
    if not np.isfinite(row).all():
        raise ConfigError(f"expected finite known inputs, found {dict(given)}")
    return np.broadcast_to(np.array(row), (count, steps, len(names)))
