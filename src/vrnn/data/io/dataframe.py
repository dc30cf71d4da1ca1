"""DataFrames of any library that narwhals knows (pandas, polars, pyarrow, ...), and Parquet files."""

from pathlib import Path

import numpy as np

from vrnn.data.io.table import Table
from vrnn.errors import DataError, require


def table_from_frame(frame: object, source: str = "DataFrame") -> Table:
    """Take the columns of a DataFrame; dates become seconds since 1970-01-01 UTC, nulls are missing.

    Raises:
        DataError: something that is not a DataFrame.
        MissingExtraError: narwhals is not installed.

    >>> import pandas as pd
    >>> table_from_frame(pd.DataFrame({"x": [1, 2], "day": pd.to_datetime(["1970-01-02", None])})).columns
    {'x': array([1., 2.]), 'day': array([86400., nan])}
    """
    nw = require("narwhals", "frames")
    try:
        data = nw.from_native(frame)
    except TypeError as error:
        raise DataError(
            f"expected a path or a DataFrame (pandas, polars, pyarrow, ...), found {type(frame).__name__}"
        ) from error
    data = data.collect() if isinstance(data, nw.LazyFrame) else data
    columns = {str(name): _array(nw, data[name]) for name in data.columns}
    return Table(source, columns, np.arange(1, len(data) + 1), unit="row")


def read_parquet(path: Path) -> Table:
    """Read a Parquet file.

    Raises:
        DataError: a file that is damaged or not Parquet.
        MissingExtraError: pyarrow or narwhals is not installed.
    """
    parquet = require("pyarrow.parquet", "frames")
    try:
        frame = parquet.read_table(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected a Parquet file: {str(error).splitlines()[0]}") from error
    return table_from_frame(frame, str(path))


def _array(nw, series) -> np.ndarray:
    """A column (rows,) as float64 where it holds numbers or dates, else as objects."""
    if series.dtype in (nw.Datetime, nw.Date):
        if series.dtype == nw.Date:
            series = series.cast(nw.Datetime("ms"))
        return (
            series.dt.timestamp("us")
            .cast(nw.Float64)
            .fill_null(float("nan"))
            .to_numpy()
            .astype(float)
            / 1e6
        )
    # ids beyond 2^53 cannot be told apart as float64
    wide = series.dtype.is_integer() and bool((series.drop_nulls().abs() > 2**53).any())
    if (series.dtype.is_numeric() and not wide) or series.dtype == nw.Boolean:
        return np.asarray(
            series.cast(nw.Float64).fill_null(float("nan")).to_numpy(), dtype=np.float64
        )
    cells = np.empty(len(series), dtype=object)
    cells[:] = series.to_list()
    cells[series.is_null().to_numpy()] = None
    return cells
