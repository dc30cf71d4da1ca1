"""A table of rows as any reader hands it over, and the names that say which column holds what."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vrnn.errors import ConfigError


@dataclass(frozen=True)
class Columns:
    """Name the columns that hold ids, times, observations, inputs and targets.

    Args:
        id: the track that a row belongs to, any text. Where no column has the default name, the whole table
            is one track; None asks for that.
        t: time, a number or an ISO 8601 date (which becomes seconds since 1970-01-01 UTC). Where no column
            has the default name, rows are counted 0, 1, 2, ... within each track; None asks for that.
        x: observations. Empty: the usual ones of the format, which are `x, y` except `lat, lon` in HURDAT2
            and all columns of `x` in NPZ.
        u: known inputs, such as a speed over ground or an action. A column of text holds kinds, such as the type of a vessel: it
            becomes a 0/1 input for each kind, named column=kind.
        y: supervised targets.

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

    Args:
        source: the file, for messages.
        columns: one array (rows,) a column: float64, or objects (text; None where a cell is empty).
        lines: the line of each row in the source, (rows,), from 1.
        usual: the columns that hold x, u and y where the caller names none.
        unit: what `lines` counts.
    """

    source: str
    columns: dict[str, np.ndarray]
    lines: np.ndarray
    usual: Columns = Columns(x=("x", "y"))
    unit: str = "line"

    def at(self, row: int) -> str:
        """Say where a row is.

        >>> Table("a.csv", {}, np.array([2, 3])).at(1)
        'a.csv, line 3'
        """
        return f"{self.source}, {self.unit} {self.lines[row]}"
