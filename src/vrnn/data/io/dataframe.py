"""DataFrames of any library that narwhals knows: pandas, polars, pyarrow and others."""

import numpy as np
from jaxtyping import Shaped

from vrnn.data.io.table import Table
from vrnn.errors import DataError, require

LARGEST_EXACT = 2**53
"""Integers beyond it are not all different as float64, so that ids would be mixed up."""


def table_from_dataframe(frame: object, source: str = "DataFrame") -> Table:
    """Return the columns of a DataFrame as a table.

    Dates become seconds since 1970-01-01 UTC. Nulls are missing values.

    Args:
        frame: a DataFrame, or a lazy one, which is then collected.
        source: what messages call it.

    Raises:
        DataError: something that is not a DataFrame.
        MissingExtraError: narwhals is not installed.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"x": [1, 2], "day": pd.to_datetime(["1970-01-02", None])})
    >>> table_from_dataframe(frame).columns
    {'x': array([1., 2.]), 'day': array([86400., nan])}
    """
    nw = require("narwhals", "frames")
    try:
        data = nw.from_native(frame)
    except TypeError as error:
        raise DataError(
            "expected a path or a DataFrame (pandas, polars, pyarrow, ...), "
            f"found {type(frame).__name__}"
        ) from error
    data = data.collect() if isinstance(data, nw.LazyFrame) else data
    columns = {str(name): _array(nw, data[name]) for name in data.columns}
    return Table(source, columns, np.arange(1, len(data) + 1), unit="row")


def _array(nw, series) -> Shaped[np.ndarray, " rows"]:
    """Return a column as float64 where it has numbers or dates, else as objects."""
    if series.dtype in (nw.Datetime, nw.Date):
        if series.dtype == nw.Date:
            series = series.cast(nw.Datetime("ms"))
        microseconds = series.dt.timestamp("us").cast(nw.Float64).fill_null(float("nan"))
        return microseconds.to_numpy().astype(float) / 1e6
    wide = series.dtype.is_integer() and bool((series.drop_nulls().abs() > LARGEST_EXACT).any())
    if (series.dtype.is_numeric() and not wide) or series.dtype == nw.Boolean:
        return np.asarray(
            series.cast(nw.Float64).fill_null(float("nan")).to_numpy(), dtype=np.float64
        )
    cells = np.empty(len(series), dtype=object)
    cells[:] = series.to_list()
    cells[series.is_null().to_numpy()] = None
    return cells
