"""Result files by extension: .csv, .parquet and .npz, each whole or not at all."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from vrnn.errors import DataError, require
from vrnn.files import whole_file

Columns = dict[str, np.ndarray]


def write_table(columns: Columns, path: str | Path) -> Path:
    """Write columns of equal length to a file, in the format that its ending names.

    Args:
        columns: name to values, (rows,) each; text or numbers.
        path: .csv, .parquet (extra `frames`) or .npz (one array a column).

    Raises:
        DataError: another ending.
        MissingExtraError: .parquet without the extra `frames`.
    """
    path = Path(path)
    writers = {".csv": _write_csv, ".parquet": _write_parquet, ".npz": _write_npz}
    check_ending(path)
    with whole_file(path) as temporary:
        writers[path.suffix](columns, temporary)
    return path


def check_ending(path: str | Path) -> None:
    """Refuse a path whose ending names no known format, before any work is done for it."""
    if Path(path).suffix not in (".csv", ".parquet", ".npz"):
        raise DataError(f"{path}: expected an output file ending in .csv, .parquet or .npz")


def _write_csv(columns: Columns, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(_cells(v) for v in columns.values()), strict=True))


def _cells(values: np.ndarray) -> list:
    """Shortest text that reads back to the same number; empty where missing."""
    if values.dtype.kind != "f":
        return values.tolist()
    return ["" if np.isnan(v) else repr(v) for v in values.tolist()]


def _write_parquet(columns: Columns, path: Path) -> None:
    arrow, parquet = require("pyarrow", "frames"), require("pyarrow.parquet", "frames")
    parquet.write_table(
        arrow.table({name: list(v) if v.dtype == object else v for name, v in columns.items()}),
        path,
    )


def _write_npz(columns: Columns, path: Path) -> None:
    arrays: dict[str, Any] = {
        name: v.astype(str) if v.dtype == object else v for name, v in columns.items()
    }
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)
