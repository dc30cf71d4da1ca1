"""Columns of categories, such as the type of a vessel, as one 0/1 input for each category.

An input is named after its column and category: `type=tug`.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from vrnn.data.io.parse_cells import Column, is_missing, is_number, is_text, without_missing
from vrnn.data.io.table import Columns, Table
from vrnn.errors import DataError

MOST = 100
"""Categories that a column may have; a column with more of them holds names or remarks."""


def source_column(name: str, found: set[str]) -> str:
    """Return the column of a file that an input is made of.

    >>> found = {"type", "a=b"}
    >>> source_column("type=tug", found), source_column("speed", found), source_column("a=b", found)
    ('type', 'speed', 'a=b')
    """
    return name if name in found or "=" not in name else name.split("=", 1)[0]


def name_categories(tables: Sequence[Table], columns: Columns) -> Columns:
    """Return the columns with each text column of u replaced by one input for each category.

    The categories are those found in all tables.

    Raises:
        DataError: a column of more than 100 categories.

    >>> from vrnn.data.io.table import make_table
    >>> table = make_table("a.csv", {"type": ["tug", "ferry", None]}, range(3))
    >>> name_categories([table], Columns(u=("type",))).u
    ('type=ferry', 'type=tug')
    """
    named: list[str] = []
    for name in columns.u or tables[0].usual.u:
        cells = [cell for t in tables if name in t.columns for cell in _texts(t.columns[name])]
        if not cells or any(is_number(cell) for cell in cells):
            named.append(name)
            continue
        categories = sorted(set(cells))
        if len(categories) > MOST:
            raise DataError(
                f"{tables[0].source}: column {name!r} has {len(categories)} different texts; "
                f"expected numbers, or at most {MOST} categories, each of which becomes an input; "
                "is it a column of names or remarks?"
            )
        named += [f"{name}={category}" for category in categories]
    return replace(columns, u=tuple(named))


def one_hot_column(table: Table, name: str, names: Sequence[str]) -> Float[np.ndarray, " rows"]:
    """Return 1 where a text column has the category of an input, 0 elsewhere, NaN where empty.

    Args:
        table: rows with the text column.
        name: column=category.
        names: all inputs; a category that none of them has is refused.

    Raises:
        DataError: names the first line with an unknown category.
    """
    column, category = name.split("=", 1)
    known = {other.split("=", 1)[1] for other in names if other.startswith(f"{column}=")}
    cells = [
        "" if cell is None or is_missing(str(cell)) else str(cell).strip()
        for cell in table.columns[column].to_pylist()
    ]
    for row, cell in enumerate(cells):
        if cell and cell not in known:
            raise DataError(
                f"{table.at(row)}, column {column!r}: expected one of the categories "
                f"{', '.join(sorted(known))}, found {cell!r}; "
                "train on data that has it, or drop its tracks"
            )
    return np.array([np.nan if not cell else float(cell == category) for cell in cells])


def _texts(cells: Column) -> list[str]:
    """Return the different texts of a column; none if it is no column of text."""
    return without_missing(cells).drop_null().unique().to_pylist() if is_text(cells) else []
