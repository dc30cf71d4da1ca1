"""Tables of results as .csv, .parquet or .npz, each written whole or not at all."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from vrnn.errors import DataError, require
from vrnn.files import user_path, whole_file

OutputTable = dict[str, np.ndarray]
"""Columns of results by name, all of the same length, (rows,) or, in .npz alone, (rows, width)."""


def write_table(table: OutputTable, path: str | Path) -> Path:
    """Write columns of equal length to a file, in the format that its ending names.

    Args:
        table: name to values, (rows,) each; text or numbers.
        path: .csv, .parquet (needs the extra `frames`) or .npz (one array for each column).

    Returns:
        The path written.

    Raises:
        DataError: another ending, or a place that cannot be written.
        MissingExtraError: .parquet without the extra `frames`.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> write_table({"id": np.array(["a", "b"]), "x": np.array([1.5, np.nan])}, path).read_text()
    'id,x\\na,1.5\\nb,\\n'
    """
    path = user_path(path)
    writers = {".csv": _write_csv, ".parquet": _write_parquet, ".npz": _write_npz}
    check_ending(path)
    with whole_file(path) as temporary:
        writers[path.suffix](table, temporary)
    return path


def check_ending(path: str | Path) -> None:
    """Refuse a path whose ending names no known format, before any work is done for it.

    Raises:
        DataError: another ending than .csv, .parquet and .npz.
    """
    if Path(path).suffix not in (".csv", ".parquet", ".npz"):
        raise DataError(f"{path}: expected an output file ending in .csv, .parquet or .npz")


def _write_csv(table: OutputTable, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        writer.writerows(zip(*(_cells(v) for v in table.values()), strict=True))


def _cells(values: Shaped[np.ndarray, " rows"]) -> list:
    """Return the shortest texts that read back to the same numbers; empty where missing."""
    if values.dtype.kind != "f":
        return values.tolist()
    return ["" if np.isnan(v) else repr(v) for v in values.tolist()]


def _write_parquet(table: OutputTable, path: Path) -> None:
    arrow, parquet = require("pyarrow", "frames"), require("pyarrow.parquet", "frames")
    parquet.write_table(
        arrow.table({name: list(v) if v.dtype == object else v for name, v in table.items()}), path
    )


def _write_npz(table: OutputTable, path: Path) -> None:
    arrays: dict[str, Any] = {
        name: v.astype(str) if v.dtype == object else v for name, v in table.items()
    }
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)
