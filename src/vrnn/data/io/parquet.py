"""Parquet files."""

from pathlib import Path

from vrnn.data.io.dataframe import table_from_dataframe
from vrnn.data.io.table import Table
from vrnn.errors import DataError, require


def read_parquet(path: Path) -> Table:
    """Return the columns of a Parquet file as a table.

    Raises:
        DataError: a file that is damaged or not Parquet.
        MissingExtraError: pyarrow or narwhals is not installed.
    """
    parquet = require("pyarrow.parquet", "frames")
    try:
        frame = parquet.read_table(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected a Parquet file: {str(error).splitlines()[0]}") from error
    return table_from_dataframe(frame, str(path))
