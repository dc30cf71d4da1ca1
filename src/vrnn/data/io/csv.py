"""Delimited text: CSV, TSV and other delimiters, with a header or without."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from vrnn.data.io.compressed import read_bytes
from vrnn.data.io.dialect import LOOK, MOT, SPACES, Dialect, find_dialect, split, whole_lines
from vrnn.data.io.parse_cells import MISSING, Column, is_missing
from vrnn.data.io.parse_times import is_date
from vrnn.data.io.recognise import IDS, plain
from vrnn.data.io.table import Columns, Table, make_table
from vrnn.data.io.text_file import UTF_16, decode
from vrnn.errors import DataError

LOOK_AT_ONCE = 1 << 22  # bytes that are looked at together
NULLS = [form for text in sorted(MISSING) for form in {text, text.upper(), text.capitalize()}]


def read_csv(path: Path, names: tuple[str, ...] = ()) -> Table:
    r"""Return a table of delimited text.

    The delimiter is comma, semicolon, tab, bar or blanks, whichever splits the lines evenly. A first line
    of names is the header. Lines that begin with # are comments, and empty lines are skipped. Where
    fields are not split by commas, decimal commas are read too.

    Args:
        path: the file, which may be compressed.
        names: names of the columns of a file without a header.

    Raises:
        DataError: no header and no names, a name that repeats, no rows, or a row with more or fewer
            fields than the header.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = path.write_text("id;t;x;y\nanna;0;1,5;2\n")
    >>> read_csv(path).columns["x"].to_pylist()
    [1.5]
    """
    raw = read_bytes(path)
    if raw[:2] in UTF_16:
        raw = decode(path, raw).encode()
    while raw.startswith(b"\xef\xbb\xbf"):
        raw = raw[3:]
    dialect = find_dialect(path, decode(path, whole_lines(raw)), names)
    table = _read_fast(path, raw, dialect)
    if table is None:
        table = _read_carefully(path, decode(path, raw), dialect)
    if not len(table):
        raise DataError(
            f"{path}: expected rows below the header, found none; is the file complete?"
        )
    return table


def _read_fast(path: Path, raw: bytes, dialect: Dialect) -> Table | None:
    """Return the table that Arrow reads; None where the file has to be read line by line."""
    if dialect.delimiter == SPACES or dialect.commented:
        return None
    quoted = b'"' in raw
    kept = _text_columns(dialect, raw)
    try:
        found = _arrow_table(raw, dialect, quoted, kept)
        whole = [f.name for f in found.schema if pa.types.is_integer(f.type)]
        if whole and _any_padded(raw, dialect.delimiter):  # 007 is not 7
            texts = _arrow_table(raw, dialect, quoted, [*kept, *whole])
            padded = [n for n in whole if _has_padded(texts[n])]
            found = found if not padded else _arrow_table(raw, dialect, quoted, [*kept, *padded])
    except pa.ArrowInvalid:
        return None
    even = not (quoted or b"\n\n" in raw or b"\r\n\r\n" in raw)
    first = dialect.first_row + 1
    locate = (lambda row: row + first) if even else _Locator(path, raw, dialect)
    columns = dict(zip(found.column_names, found.columns, strict=True))
    return make_table(str(path), columns, locate, _usual(dialect), notes=_notes(dialect))


def _arrow_table(raw: bytes, dialect: Dialect, quoted: bool, texts: list[str]) -> pa.Table:
    """Return the table that Arrow reads, with some columns as text."""
    return arrow_csv.read_csv(
        pa.BufferReader(raw),
        read_options=arrow_csv.ReadOptions(
            column_names=list(dialect.names), skip_rows=dialect.first_row
        ),
        parse_options=arrow_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char='"' if quoted else False,
            newlines_in_values=quoted,
        ),
        convert_options=arrow_csv.ConvertOptions(
            null_values=NULLS,
            strings_can_be_null=True,
            decimal_point=dialect.decimal,
            true_values=["true", "TRUE", "True"],
            false_values=["false", "FALSE", "False"],
            timestamp_parsers=["%never"],  # dates stay text, because their form is kept
            column_types=dict.fromkeys(texts, pa.string()),
        ),
    )


def _any_padded(raw: bytes, delimiter: str) -> bool:
    """Return whether some cell begins with a zero and another digit, or with a plus.

    >>> _any_padded(b"id,x\\n007,1\\n", ","), _any_padded(b"id,x\\n0,0.5\\n", ",")
    (True, False)
    """
    for start in range(0, len(raw), LOOK_AT_ONCE):
        part = np.frombuffer(raw, np.uint8)[start : start + LOOK_AT_ONCE + 2]
        begins = np.isin(part[:-2], np.frombuffer(f'{delimiter}"\n'.encode(), np.uint8))
        digit = (part[2:] >= ord("0")) & (part[2:] <= ord("9"))
        if (begins & digit & np.isin(part[1:-1], (ord("0"), ord("+")))).any():
            return True
    return False


def _has_padded(column: Column) -> bool:
    """Return whether a column of whole numbers as text has leading zeros or a plus."""
    return bool(pc.any(pc.match_substring_regex(column, r"^[+-]?0\d|^\+")).as_py())


def _text_columns(dialect: Dialect, raw: bytes) -> list[str]:
    """Return the columns that stay text: dates, times of day, and ids such as 1.10."""
    head = whole_lines(raw).decode("utf-8", "replace").splitlines()[dialect.first_row :]
    rows = [split(line, dialect.delimiter) for line in head[:LOOK] if line.strip()]
    rows = [row for row in rows if len(row) == len(dialect.names)]
    return [
        name
        for i, name in enumerate(dialect.names)
        if any(is_date(row[i]) or re.match(r"\s*\d+:\d", row[i]) for row in rows)
        or (plain(name) in IDS and any(re.search(r"\d[.eE]", row[i]) for row in rows))
    ]


class _Locator:
    """Find the line of a row in text with quotation marks or empty lines.

    The text is read only where a message needs the line.
    """

    def __init__(self, path: Path, raw: bytes, dialect: Dialect):
        self._path, self._raw, self._dialect = path, raw, dialect

    def __call__(self, row: int) -> int:
        rows = _rows(self._path, decode(self._path, self._raw), self._dialect)
        return next((line for i, (line, _) in enumerate(rows) if i == row), 0)


def _rows(path: Path, text: str, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with its line.

    Raises:
        DataError: a row that cannot be read, or has another number of fields.
    """
    stream = io.StringIO(text, newline="")
    for _ in range(dialect.first_row):
        stream.readline()
    if dialect.delimiter == SPACES:
        numbered = ((i, line.split()) for i, line in enumerate(stream, 1))
    else:
        reader = csv.reader(stream, delimiter=dialect.delimiter, strict=True, skipinitialspace=True)
        numbered = ((reader.line_num, row) for row in reader)
    line = 0
    try:
        for line, row in numbered:
            if not row or (len(row) == 1 and not row[0].strip()):
                continue
            if dialect.commented and row[0].startswith("#"):
                continue
            if len(row) != len(dialect.names):
                raise DataError(
                    f"{path}, line {line + dialect.first_row}: expected {len(dialect.names)} fields "
                    f"as in the {'header' if dialect.header else 'first row'}, found {len(row)}; "
                    "is the line cut off, or does a text need quotation marks?"
                )
            yield line + dialect.first_row, row
    except csv.Error as error:
        raise DataError(
            f"{path}, line {line + dialect.first_row + 1}: {error}; "
            "is a quotation mark not closed or not doubled?"
        ) from error


def _read_carefully(path: Path, text: str, dialect: Dialect) -> Table:
    """Return the table line by line, or say which line is wrong."""
    lines, rows = [], []
    for line, row in _rows(path, text, dialect):
        lines.append(line)
        rows.append(row)
    columns = {}
    for name, cells in zip(dialect.names, zip(*rows, strict=True), strict=False):
        given = [None if is_missing(cell) else cell.strip() for cell in cells]
        if dialect.decimal == ",":
            given = [c and re.sub(r"^([+-]?\d+),(\d+)$", r"\1.\2", c) for c in given]
        columns[name] = pa.array(given, pa.string())
    return make_table(str(path), columns, np.array(lines), _usual(dialect), notes=_notes(dialect))


def _usual(dialect: Dialect) -> Columns:
    """Return the columns of boxes, whose corner is their position."""
    boxes = not dialect.header and dialect.names == MOT[: len(dialect.names)]
    return Columns(id="id", t="frame", x=("bb_left", "bb_top")) if boxes else Columns()


def _notes(dialect: Dialect) -> list[str]:
    notes = []
    if dialect.decimal == ",":
        notes.append("decimal commas are read as such")
    if dialect.described:
        notes.append("three lines of words below the header are left out")
    return notes
