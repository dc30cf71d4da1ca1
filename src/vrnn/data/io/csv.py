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
from vrnn.data.io.dialect import (
    LOOK,
    MOT,
    SPACES,
    WITH_COMMA,
    Dialect,
    find_dialect,
    split,
    whole_lines,
)
from vrnn.data.io.parse_cells import MISSING, Column, is_missing
from vrnn.data.io.parse_times import is_date
from vrnn.data.io.recognise import names_an_id
from vrnn.data.io.table import Columns, Table, make_table
from vrnn.data.io.text_file import UTF_16, decode
from vrnn.data.wording import plural
from vrnn.errors import DataError

LOOK_AT_ONCE = 1 << 22  # bytes that are looked at together
NULLS = [form for text in sorted(MISSING) for form in {text, text.upper(), text.capitalize()}]


def read_csv(path: Path, names: tuple[str, ...] = (), ids: tuple[str, ...] = ()) -> Table:
    r"""Return a table of delimited text.

    The delimiter is comma, semicolon, tab, bar or blanks, whichever splits the lines evenly. A first line
    of names is the header. Lines that begin with # are comments, and empty lines are skipped. Where
    fields are not split by commas, decimal commas are read too.

    Args:
        path: the file, which may be compressed.
        names: names of the columns of a file without a header.
        ids: columns of ids whose names do not say so; they are kept as they are written.

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
    head = whole_lines(raw)
    dialect = find_dialect(path, decode(path, head), names, ids)
    if raw.find(b"\n#", max(len(head) - 1, 0)) >= 0:
        dialect = dialect._replace(commented=True)
    ids = tuple(name for name in dialect.names if name in ids or names_an_id(name))
    table = _read_fast(path, raw, dialect, ids)
    if table is None:
        table = _read_carefully(path, decode(path, raw), dialect, ids)
    if not len(table):
        raise DataError(
            where=path,
            expected="rows below the header",
            found="none",
            cause="lines that begin with # are comments" if dialect.commented else "",
            hint="is the file complete?",
        )
    return table


def _read_fast(path: Path, raw: bytes, dialect: Dialect, ids: tuple[str, ...]) -> Table | None:
    """Return the table that Arrow reads; None where the file has to be read line by line."""
    if dialect.delimiter == SPACES or dialect.commented:
        return None
    quoted = b'"' in raw
    kept = _text_columns(dialect, raw)
    try:
        found = _arrow_table(raw, dialect, quoted, kept)
        whole = [f.name for f in found.schema if pa.types.is_integer(f.type)]
        changed = [n for n in ids if not pa.types.is_string(found[n].type) and n not in whole]
        if whole and _any_padded(raw, dialect.delimiter):  # 007 is not 7
            texts = _arrow_table(raw, dialect, quoted, [*kept, *whole])
            changed += [n for n in whole if _has_padded(texts[n])]
        if changed:  # 1.10 is not 1.1, and 4e5 is no number either
            found = _arrow_table(raw, dialect, quoted, [*kept, *changed])
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
    """Return whether some cell begins with a zero and another digit or an x, with -0, or with a plus.

    >>> _any_padded(b"id,x\\n007,1\\n", ","), _any_padded(b"id,x\\n0,0.5\\n", ",")
    (True, False)
    """
    marks = np.frombuffer(f'{delimiter}" \t\n'.encode(), np.uint8)
    for start in range(0, len(raw), LOOK_AT_ONCE):
        before = raw[start - 1 : start] or b"\n"
        part = np.frombuffer(before + raw[start : start + LOOK_AT_ONCE + 2] + b"\n", np.uint8)
        first, second, third = part[1:-2], part[2:-1], part[3:]
        digit = (second >= ord("0")) & (second <= ord("9"))
        hexadecimal = (first == ord("0")) & ((second | 32) == ord("x"))
        padded = ((first == ord("0")) | (first == ord("+"))) & digit | hexadecimal
        minus = (first == ord("-")) & (second == ord("0")) & (third != ord("."))
        if (np.isin(part[:-3], marks) & (padded | minus)).any():
            return True
    return False


def _has_padded(column: Column) -> bool:
    """Return whether a column of whole numbers as text has leading zeros, 0x, -0 or a plus."""
    return bool(pc.any(pc.match_substring_regex(column, r"^\s*(0[\dxX]|-0|\+)")).as_py())


def _text_columns(dialect: Dialect, raw: bytes) -> list[str]:
    """Return the columns that stay text: dates and times of day."""
    head = whole_lines(raw).decode("utf-8", "replace").splitlines()[dialect.first_row :]
    rows = [split(line, dialect.delimiter) for line in head[:LOOK] if line.strip()]
    rows = [row for row in rows if len(row) == len(dialect.names)]
    return [
        name
        for i, name in enumerate(dialect.names)
        if any(is_date(row[i]) or re.match(r"\s*\d+:\d", row[i]) for row in rows)
    ]


class _Locator:
    """Find the line of a row in text with quotation marks or empty lines.

    The text is read only where a message needs the line.
    """

    def __init__(self, path: Path, raw: bytes, dialect: Dialect):
        self._path, self._raw, self._dialect = path, raw, dialect

    def __call__(self, row: int) -> int:
        lines = _Lines(decode(self._path, self._raw), self._dialect)
        rows = _rows(self._path, lines, self._dialect)
        return next((line for i, (line, _) in enumerate(rows) if i == row), 0)


class _Lines:
    """Yield the lines below the header, without comments between the rows.

    Attributes:
        number: the line that was yielded last, from 1.
        between: whether the next line begins a row; a line inside quotation marks is no comment.
        comments: the comments that have as many fields as a row.
    """

    def __init__(self, text: str, dialect: Dialect):
        self._stream, self._dialect = io.StringIO(text, newline=""), dialect
        for _ in range(dialect.first_row):
            self._stream.readline()
        self.number, self.between = dialect.first_row, True
        self.comments: list[int] = []

    def __iter__(self) -> Iterator[str]:
        width = len(self._dialect.names)
        for line in self._stream:
            self.number += 1
            if self.between and self._dialect.commented and line.startswith("#"):
                if line.count(self._dialect.delimiter) == width - 1 > 0:
                    self.comments.append(self.number)
                continue
            self.between = False
            yield line


def _rows(path: Path, lines: _Lines, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with its line.

    Raises:
        DataError: a row that cannot be read, or has another number of fields.
    """
    if dialect.delimiter == SPACES:
        rows = (line.split() for line in lines)
    else:
        rows = csv.reader(lines, delimiter=dialect.delimiter, strict=True, skipinitialspace=True)
    last = dialect.first_row
    try:
        for row in rows:
            last, lines.between = lines.number, True
            if not row or (len(row) == 1 and not row[0].strip()):
                continue
            if len(row) != len(dialect.names):
                raise DataError(
                    f"{path}, line {last}: expected {len(dialect.names)} fields "
                    f"as in the {'header' if dialect.header else 'first row'}, found {len(row)}; "
                    "is the line cut off, or does a text need quotation marks?"
                )
            yield last, row
    except csv.Error as error:
        raise DataError(
            f"{path}, line {last + 1}: {error}; is a quotation mark not closed or not doubled?"
        ) from error


def _read_carefully(path: Path, text: str, dialect: Dialect, ids: tuple[str, ...]) -> Table:
    """Return the table line by line, or say which line is wrong."""
    below = _Lines(text, dialect)
    lines, rows = [], []
    for line, row in _rows(path, below, dialect):
        lines.append(line)
        rows.append(row)
    notes = _notes(dialect)
    if below.comments:
        count = plural(len(below.comments), "row")
        notes.append(
            f"{count} after a # left out as comments, the first in line {below.comments[0]}"
        )
    columns = {}
    for name, cells in zip(dialect.names, zip(*rows, strict=True), strict=False):
        given = [None if is_missing(cell) else cell.strip() for cell in cells]
        if dialect.decimal == "," and name not in ids:
            given = [c and WITH_COMMA.sub(r"\1.\2", c) for c in given]
        columns[name] = pa.array(given, pa.string())
    return make_table(str(path), columns, np.array(lines), _usual(dialect), notes=notes)


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
