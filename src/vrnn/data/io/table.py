"""A table of rows as a format module returns it, and the columns that have a role in tracks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from vrnn.data.io.parse_cells import Column
from vrnn.errors import ConfigError


@dataclass(frozen=True)
class Columns:
    """The names of the columns of ids, times, observations, inputs and targets.

    A role that is not named is recognised: by the names that common tools write, by the types of
    the columns, and by which values repeat.

    Args:
        id: the track of a row. Empty: recognised. None: the whole table is one track.
        t: the time of a row, a number or a date in any common form. Empty: recognised. None: rows
            are counted 0, 1, 2, ... within each track.
        x: observations. Empty: recognised positions, such as `x, y` or `lat, lon`; all columns of
            `x` in NPZ.
        u: known inputs, such as a speed over ground or an action. A column of text holds
            categories, such as the type of a vessel. It becomes one 0/1 input for each category,
            named column=category.
        y: supervised targets.
        names: names of all columns of a file of text without a header, in order.

    Raises:
        ConfigError: a role that names a column twice.

    >>> Columns(id="mmsi", t="time", x=("lon", "lat"), u=("sog",)).x
    ('lon', 'lat')
    """

    id: str | None = ""
    t: str | None = ""
    x: tuple[str, ...] = ()
    u: tuple[str, ...] = ()
    y: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for role in ("x", "u", "y", "names"):
            names = getattr(self, role)
            names = (names,) if isinstance(names, str) else tuple(names)
            object.__setattr__(self, role, names)
            if len(set(names)) < len(names):
                raise ConfigError(f"Columns: {role} names a column twice: {', '.join(names)}")


@dataclass(frozen=True, repr=False)
class Table:
    """Rows of a source, before anything is known about tracks.

    Attributes:
        source: the file, for messages.
        columns: one Arrow column (rows,) for each name: numbers, text, dates or durations.
        locate: the line of a row in the source, from 1.
        usual: the columns of each role in this format, where it has some.
        unit: what `locate` counts.
        frame: the library of a DataFrame: "pandas", "polars" or "pyarrow"; empty for a file.
        notes: sentences about how the source was read.
    """

    source: str
    columns: dict[str, Column]
    locate: Callable[[int], int]
    usual: Columns = Columns()
    unit: str = "line"
    frame: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def at(self, row: int) -> str:
        """Return where a row is.

        >>> make_table("a.csv", {}, [2, 3]).at(1)
        'a.csv, line 3'
        """
        return f"{self.source}, {self.unit} {self.locate(row)}"


def make_table(
    source: str,
    columns: Mapping[str, Any],
    lines: Sequence[int] | np.ndarray | Callable[[int], int],
    usual: Columns = Columns(),
    unit: str = "line",
    notes: Sequence[str] = (),
    frame: str = "",
) -> Table:
    """Return a table of arrays or Arrow columns.

    Args:
        source: the file, for messages.
        columns: arrays or Arrow columns of equal length; objects are text or None.
        lines: the line of each row, or a function that finds it.
        usual: the columns of each role in this format.
        unit: what `lines` counts.
        notes: sentences about how the source was read.
        frame: the library of a DataFrame.

    >>> make_table("rows", {"x": np.array([1.5, np.nan])}, range(1, 3)).columns["x"].to_pylist()
    [1.5, nan]
    """
    locate = lines if callable(lines) else lambda row: int(lines[row])
    arrow = {str(name): as_arrow(column) for name, column in columns.items()}
    return Table(source, arrow, locate, usual, unit, frame, tuple(notes))


def as_arrow(column: Any) -> Column:
    """Return an Arrow column whose text has one type, without dictionaries and half floats."""
    if not isinstance(column, pa.Array | pa.ChunkedArray):
        if not isinstance(column, list) and np.asarray(column).dtype.kind != "O":
            return pa.array(np.asarray(column))
        cells = list(column)
        try:
            return as_arrow(pa.array(cells, from_pandas=True))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):  # texts beside numbers
            return pa.array([None if c is None or c != c else str(c) for c in cells], pa.string())
    kind = column.type
    if pa.types.is_dictionary(kind):
        return as_arrow(column.cast(kind.value_type))
    if pa.types.is_float16(kind):  # which few functions of Arrow take
        return column.cast(pa.float32())
    text = (pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    return column.cast(pa.string()) if any(check(kind) for check in text) else column
