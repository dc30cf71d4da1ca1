"""DataFrames of any library that narwhals knows: pandas, polars, pyarrow and others."""

from typing import Any

from vrnn.data.io.table import Table, make_table
from vrnn.errors import DataError, require


def table_from_dataframe(frame: Any) -> Table:
    """Return the columns of a DataFrame as a table.

    An index of pandas that has a name or holds dates becomes a column. Nulls are missing values.

    Args:
        frame: a DataFrame, or a lazy one, which is then collected.

    Raises:
        DataError: something that is not a DataFrame, or columns that Arrow cannot hold.
        MissingExtraError: narwhals is not installed.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"x": [1, 2], "day": pd.to_datetime(["1970-01-02", None])})
    >>> str(table_from_dataframe(frame).columns["day"].type)
    'timestamp[us]'
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
    library = data.implementation.name.lower()
    if library == "pandas":
        data = nw.from_native(_with_index(data.to_native()))
    try:
        found = data.to_arrow()
    except Exception as error:  # of any library
        raise DataError(
            f"DataFrame: expected columns of numbers, text or dates: {str(error).splitlines()[0]}"
        ) from error
    columns = dict(zip(found.column_names, found.columns, strict=True))
    return make_table("DataFrame", columns, lambda row: row + 1, unit="row", frame=library)


def _with_index(frame: Any) -> Any:
    """Return a DataFrame of pandas whose index is a column, unless it only counts rows."""
    index = frame.index
    named = [name for name in index.names if name is not None]
    if not named and index.dtype.kind != "M":
        return frame
    names = [name if name is not None else f"index{i or ''}" for i, name in enumerate(index.names)]
    clash = [name for name in names if name in frame.columns]
    return frame.rename_axis(index=names).reset_index() if not clash else frame
