"""Comma-, semicolon- or tab-separated values with a header line (CSV, TSV)."""

import csv
import io
from pathlib import Path

import numpy as np

from vrnn.data.io.parse_cells import is_number
from vrnn.data.io.table import Table
from vrnn.data.io.text_file import read_text
from vrnn.errors import DataError

DELIMITERS = ",;\t"


def read_csv(path: Path) -> Table:
    r"""Return a table whose first line names the columns.

    The delimiter is the most frequent of comma, semicolon and tab in that line. Cells stay text.
    Empty lines are skipped.

    Raises:
        DataError: no header, a name that repeats, no rows, or a row with more or fewer fields than
            the header.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = path.write_text("id;t;x;y\nanna;0;1.5;2\n")
    >>> read_csv(path).columns["x"]
    array(['1.5'], dtype=object)
    """
    text = read_text(path)
    first = next(line for line in text.splitlines() if line.strip())
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=max(DELIMITERS, key=first.count), strict=True
    )
    lines, rows = [], []
    try:
        for row in reader:
            if row and (len(row) > 1 or row[0].strip()):
                lines.append(reader.line_num)
                rows.append(row)
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: {error}; "
            "is a quotation mark not closed or not doubled?"
        ) from error
    header = _header(path, [name.strip() for name in rows.pop(0)], lines.pop(0))
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(header):
            raise DataError(
                f"{path}, line {line}: expected {len(header)} fields as in the header, "
                f"found {len(row)}; is the line cut off, or does a text need quotation marks?"
            )
    if not rows:
        raise DataError(
            f"{path}: expected rows below the header, found none; is the file complete?"
        )
    cells = np.array(rows, dtype=object).T
    return Table(str(path), dict(zip(header, cells, strict=True)), np.array(lines))


def _header(path: Path, names: list[str], line: int) -> list[str]:
    """Return the names of the columns, or refuse what is no header."""
    if all(is_number(name) for name in names):
        raise DataError(
            f"{path}, line {line}: expected a header that names the columns, found the numbers "
            f"{', '.join(names[:5])}; add a first line such as id,t,x,y. "
            "(Files of `frame ped x y` without a header are read with the extension .txt, "
            "fields separated by spaces or tabs.)"
        )
    repeated = [name for i, name in enumerate(names) if name in names[:i]]
    if repeated:
        raise DataError(
            f"{path}, line {line}: the header names the column {repeated[0]!r} twice; "
            "rename one of them"
        )
    return names
