"""Columns of kinds, such as the type of a vessel or a letter: one 0/1 input for each kind, named column=kind."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vrnn.data.io.cells import is_missing, is_number
from vrnn.data.io.table import Columns, Table
from vrnn.errors import DataError

MOST = 100  # kinds of a column; with more it is a name or a remark


def base_of(name: str, found: set[str]) -> str:
    """Give the column of a file that an input is made of.

    >>> base_of("kind=tug", {"kind"}), base_of("speed", {"speed"}), base_of("a=b", {"a=b"})
    ('kind', 'speed', 'a=b')
    """
    return name if name in found or "=" not in name else name.split("=", 1)[0]


def spell_out(tables: Sequence[Table], columns: Columns) -> Columns:
    """Name an input for each kind of the text columns among u, as they are found in all tables.

    >>> table = Table("a.csv", {"kind": np.array(["tug", "ferry", None], object)}, np.arange(3))
    >>> spell_out([table], Columns(u=("kind",))).u
    ('kind=ferry', 'kind=tug')

    Raises:
        DataError: a column of more than 100 kinds.
    """
    named: list[str] = []
    for name in columns.u or tables[0].usual.u:
        cells = [cell for t in tables if name in t.columns for cell in _texts(t.columns[name])]
        if not cells or any(is_number(cell) for cell in cells):
            named.append(name)
            continue
        kinds = sorted(set(cells))
        if len(kinds) > MOST:
            raise DataError(
                f"{tables[0].source}: column {name!r} has {len(kinds)} different texts; expected numbers, or at most {MOST} kinds, "
                f"each of which becomes an input"
            )
        named += [f"{name}={kind}" for kind in kinds]
    return replace(columns, u=tuple(named))


def indicator(table: Table, name: str, names: Sequence[str]) -> np.ndarray:
    """Give 1 where a text column has the kind that an input is named after, 0 elsewhere, NaN where it is empty.

    Args:
        name: column=kind.
        names: all inputs; a kind that none of them is named after is refused.

    Raises:
        DataError: names the first line with an unknown kind.
    """
    base, kind = name.split("=", 1)
    known = {other.split("=", 1)[1] for other in names if other.startswith(f"{base}=")}
    cells = ["" if is_missing(cell) else str(cell).strip() for cell in table.columns[base].tolist()]
    for row, cell in enumerate(cells):
        if cell and cell not in known:
            raise DataError(
                f"{table.at(row)}, column {base!r}: expected one of the kinds {', '.join(sorted(known))}, found {cell!r}; train on data "
                f"that has it, or drop its tracks"
            )
    return np.array([np.nan if not cell else float(cell == kind) for cell in cells])


def _texts(cells: np.ndarray) -> list[str]:
    """Give the cells of a column that are text and not missing; a column with a number in it has none."""
    if cells.dtype.kind != "O":
        return []
    there = [cell for cell in cells.tolist() if not is_missing(cell)]
    return [cell.strip() for cell in there] if all(isinstance(cell, str) for cell in there) else []
