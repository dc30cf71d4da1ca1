"""Parquet, GeoParquet and Feather files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet

from vrnn.data.io.compressed import renamed, unpacked
from vrnn.data.io.table import Table, make_table
from vrnn.errors import DataError

INDEX = "__index_level_"
"""Columns that pandas writes for an index without a name."""


def read_parquet(path: Path) -> Table:
    """Return the columns of a Parquet or GeoParquet file, or of a folder of partitions.

    Raises:
        DataError: a file that is damaged or not Parquet.
    """
    return _read(path, "Parquet", pyarrow.parquet.read_table)


def read_feather(path: Path) -> Table:
    """Return the columns of a Feather or Arrow file.

    Raises:
        DataError: a file that is damaged or not Feather.
    """
    return _read(path, "Feather", pyarrow.feather.read_table)


def _read(path: Path, kind: str, reader: Callable[[Any], Any]) -> Table:
    try:
        found = reader(unpacked(path))
    except (OSError, ValueError) as error:
        raise DataError(
            where=path,
            expected=f"a {kind} file",
            found="another format or a damaged file",
            hint=f"if it is delimited text, rename it to {renamed(path, '.csv')}",
        ) from error
    return _table(path, found)


def _table(path: Path, found: Any) -> Table:
    columns = {}
    for name, column in zip(found.column_names, found.columns, strict=True):
        if pa.types.is_binary(column.type) and (points := _points(column)) is not None:
            lon, lat = points
            columns |= {"lon": lon, "lat": lat}
        elif not name.startswith(INDEX):
            columns[name] = column
    return make_table(str(path), columns, lambda row: row + 1, unit="row")


def _points(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the coordinates of points in well-known binary; None where the bytes are others.

    A point is its byte order, the integer 1 and two float64.
    """
    cells = column.to_pylist()
    if not all(cell is None or (len(cell) >= 21 and cell[0] == 1) for cell in cells):
        return None
    empty = b"\x01\x01\0\0\0" + np.array([np.nan, np.nan]).tobytes()
    raw = np.frombuffer(b"".join((cell or empty)[:21] for cell in cells), np.uint8).reshape(-1, 21)
    if not (raw[:, 1:5] == (1, 0, 0, 0)).all():
        return None
    xy = np.ascontiguousarray(raw[:, 5:21]).view("<f8")
    return xy[:, 0].copy(), xy[:, 1].copy()
