"""Tables of results as .csv, .parquet or .npz, written part by part, each whole or not at all."""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
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
AT_ONCE = 16_384
"""Rows that are turned into text together."""


class TableWriter:
    """Write the rows of one table part by part, see `table_writer`."""

    def __init__(self, parts: "Parts", origin: Origin, text: bool):
        self._parts, self._origin, self._text = parts, origin, text

    def append(self, table: OutputTable, rows: Int[np.ndarray, " rows"] | None = None) -> None:
        """Write rows below those written before.

        Args:
            table: name to values, (rows,) each, the same names in every part.
            rows: the row of the source that each row is about, whose other columns are written too.
        """
        self._parts.append(in_form_of(self._origin, table, rows, text=self._text))


@contextmanager
def table_writer(path: str | Path, origin: Origin = FROM_MEMORY) -> Iterator[TableWriter]:
    """Return, in a `with` block, a writer of a table that appears whole at the end of the block.

    Memory is that of one part, except for .npz, whose arrays are written at the end.

    Args:
        path: .csv, .parquet or .npz (one array for each column).
        origin: the source of the tracks: names and types of ids and times, the range of longitudes.

    Raises:
        DataError: another ending, or a place that cannot be written.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> with table_writer(path) as writer:
    ...     writer.append({"id": np.array(["a"]), "x": np.array([1.5])})
    ...     writer.append({"id": np.array(["b"]), "x": np.array([np.nan])})
    >>> path.read_text()
    'id,x\\na,1.5\\nb,\\n'
    """
    check_ending(path)
    path = user_path(path)
    with whole_file(path) as temporary:
        parts = PARTS[path.suffix](temporary)
        try:
            yield TableWriter(parts, origin, text=path.suffix == ".csv")
        except BaseException:
            with suppress(Exception):  # what stopped the writing is what a user has to know
                parts.close()
            raise
        parts.close()


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
    with table_writer(path, origin) as writer:
        writer.append(table, rows)
    return user_path(path)


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


class Parts(Protocol):
    """A file that takes the rows of a table part by part."""

    def append(self, table: Written) -> None: ...

    def close(self) -> None: ...


class _CsvParts:
    """Text with commas: the shortest numbers that read back to the same; empty where missing."""

    def __init__(self, path: Path):
        self._file = path.open("wb")
        self._header: list[str] = []

    def append(self, table: Written) -> None:
        if not self._header:
            self._header = list(table)
            line = io.StringIO()
            csv.writer(line, lineterminator="\n").writerow(self._header)
            self._file.write(line.getvalue().encode())
        columns = [_cells(values) for values in table.values()]
        quoted = any(_needs_quotes(column) for column in columns)
        options = arrow_csv.WriteOptions(
            include_header=False, batch_size=AT_ONCE, quoting_style="needed" if quoted else "none"
        )
        arrow_csv.write_csv(pa.table(columns, names=self._header), self._file, options)

    def close(self) -> None:
        self._file.close()


def _cells(values: np.ndarray | pa.Array) -> pa.Array:
    """Return a column in a type that Arrow writes as text, with nulls where values are missing."""
    column = _as_column(values)
    kind = column.type
    if pa.types.is_floating(kind):
        numbers = column.to_numpy(zero_copy_only=False)
        column = pa.array(numbers, from_pandas=True)  # NaN is missing
        if not len(numbers) or not (numbers == np.rint(numbers))[~np.isnan(numbers)].all():
            return column
        # A column of whole numbers keeps its fraction, so that it reads back as one of floats.
        texts = column.cast(pa.string())
        return pc.if_else(
            pc.match_substring(texts, "e"), texts, pc.binary_join_element_wise(texts, ".0", "")
        )
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return column.cast(pa.string())
    if pa.types.is_integer(kind) or pa.types.is_string(kind):
        return column
    return pa.array(
        [None if cell is None else str(cell) for cell in column.to_pylist()], pa.string()
    )


def _needs_quotes(column: pa.Array) -> bool:
    """Return whether a cell holds a comma, a quotation mark or the end of a line."""
    if not pa.types.is_string(column.type):
        return False
    return bool(pc.any(pc.match_substring_regex(column, '[,"\r\n]')).as_py())


class _ParquetParts:
    """A row group for each part; a column takes the widest type of all parts."""

    def __init__(self, path: Path):
        self._path = path
        self._writer: pyarrow.parquet.ParquetWriter | None = None
        self._schema = pa.schema([])

    def append(self, table: Written) -> None:
        part = pa.table({name: _as_column(v) for name, v in table.items()})
        if self._writer is None:
            self._schema = part.schema
            self._writer = pyarrow.parquet.ParquetWriter(self._path, self._schema)
        else:
            wider = _wider(self._schema, part.schema)
            if wider != self._schema:
                self._widen(wider)
        self._writer.write_table(part.cast(self._schema))

    def _widen(self, schema: pa.Schema) -> None:
        """Write the parts before anew with wider types, such as whole numbers as floats."""
        self.close()
        before = self._path.with_name(f"{self._path.name}.before")
        self._path.replace(before)
        try:
            self._writer, self._schema = pyarrow.parquet.ParquetWriter(self._path, schema), schema
            written = pyarrow.parquet.ParquetFile(before)
            for group in range(written.num_row_groups):
                self._writer.write_table(written.read_row_group(group).cast(schema))
        finally:
            before.unlink()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _wider(before: pa.Schema, part: pa.Schema) -> pa.Schema:
    """Return types that hold the values of both, text where there is no other."""
    fields = []
    for a, b in zip(before, part, strict=True):
        try:
            fields += pa.unify_schemas(
                [pa.schema([a]), pa.schema([b])], promote_options="permissive"
            )
        except pa.ArrowTypeError:
            fields.append(pa.field(a.name, pa.string()))
    return pa.schema(fields)


class _NpzParts:
    """One array for each column; the archive is written at the end, since it holds whole arrays."""

    def __init__(self, path: Path):
        self._path = path
        self._parts: list[Written] = []

    def append(self, table: Written) -> None:
        self._parts.append(table)

    def close(self) -> None:
        arrays: dict[str, Any] = {}
        for name in self._parts[0] if self._parts else ():
            each = (part[name] for part in self._parts)
            array = np.concatenate(
                [v.to_numpy(zero_copy_only=False) if isinstance(v, pa.Array) else v for v in each]
            )
            arrays[name] = array.astype(str) if array.dtype == object else array
        with self._path.open("wb") as file:
            np.savez_compressed(file, **arrays)


PARTS: dict[str, Callable[[Path], Parts]] = {
    ".csv": _CsvParts,
    ".parquet": _ParquetParts,
    ".npz": _NpzParts,
}
"""The writer of each ending."""
