"""Tables of results as .csv, .parquet or .npz, each written whole or not at all."""

import csv
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from jaxtyping import Int

from vrnn.data.origin import FROM_MEMORY, Origin
from vrnn.errors import DataError, require
from vrnn.files import user_path, whole_file

OutputTable = dict[str, np.ndarray]
"""Columns of results by name, all of the same length, (rows,) or, in .npz alone, (rows, width).

The columns `id` and `t` are written in the form of their source."""
Written = dict[str, np.ndarray | pa.Array]
"""The columns as they are written."""


def write_table(
    table: OutputTable,
    path: str | Path,
    origin: Origin = FROM_MEMORY,
    rows: Int[np.ndarray, " rows"] | None = None,
) -> Path:
    """Write columns of equal length to a file, in the format that its ending names.

    Args:
        table: name to values, (rows,) each; text or numbers.
        path: .csv, .parquet or .npz (one array for each column).
        origin: the source of the tracks: names and types of ids and times, the range of longitudes.
        rows: the row of the source that each row is about, whose other columns are written too.

    Returns:
        The path written.

    Raises:
        DataError: another ending, or a place that cannot be written.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> write_table({"id": np.array(["a", "b"]), "x": np.array([1.5, np.nan])}, path).read_text()
    'id,x\\na,1.5\\nb,\\n'
    """
    path = user_path(path)
    writers = {".csv": _write_csv, ".parquet": _write_parquet, ".npz": _write_npz}
    check_ending(path)
    with whole_file(path) as temporary:
        text = path.suffix == ".csv"
        writers[path.suffix](in_form_of(origin, table, rows, text=text), temporary)
    return path


def check_ending(path: str | Path) -> None:
    """Refuse a path whose ending names no known format, before any work is done for it.

    Raises:
        DataError: another ending than .csv, .parquet and .npz.
    """
    if Path(path).suffix not in (".csv", ".parquet", ".npz"):
        raise DataError(f"{path}: expected an output file ending in .csv, .parquet or .npz")


def to_frame(
    table: OutputTable, origin: Origin = FROM_MEMORY, rows: Int[np.ndarray, " rows"] | None = None
) -> Any:
    """Return columns as a DataFrame of the library that the tracks came from, else of pandas.

    Args:
        table: name to values, (rows,) each.
        origin: the source of the tracks.
        rows: the row of the source that each row is about, whose other columns are added.

    Raises:
        MissingExtraError: the library is not installed.
    """
    written = in_form_of(origin, table, rows, text=False)
    found = pa.table({name: _as_column(values) for name, values in written.items()})
    if origin.frame == "polars":
        return import_module("polars").from_arrow(found)  # the tracks came from it
    if origin.frame == "pyarrow":
        return found
    require("pandas", "frames")
    return found.to_pandas()


def in_form_of(
    origin: Origin, table: OutputTable, rows: Int[np.ndarray, " rows"] | None, *, text: bool
) -> Written:
    """Return columns with the names and types of a source of tracks.

    Args:
        origin: the source.
        table: the columns; `id` and `t` get the names of the source.
        rows: the row of the source that each row is about, below 0 where there is none.
        text: write dates as the source does, in place of timestamps.
    """
    written: Written = {}
    for name, values in table.items():
        if name == "id":
            written[origin.id] = origin.to_ids(values.tolist())
        elif name == "t":
            clock = origin.clock if text or origin.frame else origin.clock.column
            dates = clock.kind == "date" and text and not clock.text
            written[origin.t] = pa.array(clock.to_text(values)) if dates else clock.to_arrow(values)
        else:
            new = name if name not in (origin.id, origin.t) else f"{name}_"
            written[new] = origin.wrap(name, values) if values.dtype.kind == "f" else values
    if rows is not None and len(rows):
        index = pa.array(np.where(rows < 0, 0, rows), mask=rows < 0)
        for name, column in origin.extra.items():
            if name not in written:
                taken = column.take(index)
                written[name] = taken.combine_chunks() if hasattr(taken, "chunks") else taken
    return written


def _as_column(values: np.ndarray | pa.Array) -> pa.Array:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    return pa.array(values.tolist() if values.dtype == object else values)


def _write_csv(table: Written, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        writer.writerows(zip(*(_cells(v) for v in table.values()), strict=True))


def _cells(values: np.ndarray | pa.Array) -> list:
    """Return the shortest texts that read back to the same numbers; empty where missing."""
    if isinstance(values, pa.Array):
        if not pa.types.is_floating(values.type):
            texts = pa.types.is_timestamp(values.type) or pa.types.is_date(values.type)
            cells = values.cast(pa.string()) if texts else values
            return ["" if cell is None else cell for cell in cells.to_pylist()]
        values = values.to_numpy(zero_copy_only=False)
    if values.dtype.kind != "f":
        return values.tolist()
    return ["" if np.isnan(v) else repr(v) for v in values.tolist()]


def _write_parquet(table: Written, path: Path) -> None:
    pyarrow.parquet.write_table(pa.table({name: _as_column(v) for name, v in table.items()}), path)


def _write_npz(table: Written, path: Path) -> None:
    arrays: dict[str, Any] = {}
    for name, values in table.items():
        array = values.to_numpy(zero_copy_only=False) if isinstance(values, pa.Array) else values
        arrays[name] = array.astype(str) if array.dtype == object else array
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)
