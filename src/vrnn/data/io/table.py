"""A table of rows as a format module returns it, and the columns that have a role in tracks."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from vrnn.errors import ConfigError


@dataclass(frozen=True)
class Columns:
    """The names of the columns of ids, times, observations, inputs and targets.

    Args:
        id: the track of a row, any text. Without a column of the default name the whole table is
            one track; None asks for that.
        t: the time of a row, a number or an ISO 8601 date, which becomes seconds since 1970-01-01
            UTC. Without a column of the default name, rows are counted 0, 1, 2, ... within each
            track; None asks for that.
        x: observations. Empty: the usual ones of the format. These are `lat, lon` in HURDAT2, all
            columns of `x` in NPZ, and else `x, y`.
        u: known inputs, such as a speed over ground or an action. A column of text holds
            categories, such as the type of a vessel. It becomes one 0/1 input for each category,
            named column=category.
        y: supervised targets.

    Raises:
        ConfigError: a role that names a column twice.

    >>> Columns(id="mmsi", t="time", x=("lon", "lat"), u=("sog",)).x
    ('lon', 'lat')
    """

    id: str | None = "id"
    t: str | None = "t"
    x: tuple[str, ...] = ()
    u: tuple[str, ...] = ()
    y: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for role in ("x", "u", "y"):
            names = getattr(self, role)
            names = (names,) if isinstance(names, str) else tuple(names)
            object.__setattr__(self, role, names)
            if len(set(names)) < len(names):
                raise ConfigError(f"Columns: {role} names a column twice: {', '.join(names)}")


class Table(NamedTuple):
    """Rows of a source, before anything is known about tracks.

    Attributes:
        source: the file, for messages.
        columns: one array (rows,) for each column: float64, or objects, which are text or None.
        lines: the line of each row in the source, from 1, (rows,).
        usual: the columns of x, u and y where the caller names none.
        unit: what `lines` counts.
    """

    source: str
    columns: dict[str, Shaped[np.ndarray, " rows"]]
    lines: Int[np.ndarray, " rows"]
    usual: Columns = Columns(x=("x", "y"))
    unit: str = "line"

    def at(self, row: int) -> str:
        """Return where a row is.

        >>> Table("a.csv", {}, np.array([2, 3])).at(1)
        'a.csv, line 3'
        """
        return f"{self.source}, {self.unit} {self.lines[row]}"
