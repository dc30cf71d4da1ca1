"""How delimited text is written: its delimiter, header, comments and decimal mark."""

import csv
import re
from pathlib import Path
from typing import NamedTuple

from vrnn.data.io.parse_cells import is_missing, is_number
from vrnn.data.io.parse_times import is_date
from vrnn.data.io.recognise import names_an_id
from vrnn.errors import DataError, Setting

SPACES = " "
LOOK = 60  # lines that show what the delimiter is
HEAD = 1 << 16  # bytes of the beginning that hold them
MOT = ("frame", "id", "bb_left", "bb_top", "bb_width", "bb_height", "conf", "x", "y", "z")
WITH_COMMA = re.compile(r"^([+-]?\d+),(\d+(?:[eE][+-]?\d+)?)$")
"""A number with a decimal comma."""
DESCRIBED = {"LABEL", "ID", "TRACK_ID", "POSITION_X"}
"""Columns of a table of spots by TrackMate, whose header is followed by three lines of words."""


class Dialect(NamedTuple):
    """How a file of text is written.

    Attributes:
        delimiter: between the fields; a space stands for any number of blanks.
        skip: lines before the header or the first row.
        header: whether the line after them names the columns.
        names: the columns.
        described: lines of words below the header.
        decimal: the mark in decimal numbers.
        commented: whether lines that begin with # are no rows.
    """

    delimiter: str
    skip: int
    header: bool
    names: tuple[str, ...]
    described: int = 0
    decimal: str = "."
    commented: bool = False

    @property
    def first_row(self) -> int:
        """Lines before the first row."""
        return self.skip + self.header + self.described


def find_dialect(
    path: Path, head: str, names: tuple[str, ...] = (), ids: tuple[str, ...] = ()
) -> Dialect:
    """Return how a file is written, from its beginning.

    Args:
        path: the file, for messages.
        head: its first lines.
        names: names of the columns of a file without a header.
        ids: columns of ids whose names do not say so.

    Raises:
        DataError: no line, a header that is missing or names a column twice.
    """
    lines = head.splitlines()
    skip = 0
    while skip < len(lines) and (not lines[skip].strip() or _is_comment(lines, skip)):
        skip += 1
    shown = [line for line in lines[skip:] if line.strip() and not line.startswith("#")][:LOOK]
    first = lines[skip] if skip < len(lines) else ""
    shown = shown if not first.startswith("#") else [first, *shown[: LOOK - 1]]
    if not shown:
        raise DataError(f"{path}: expected a table of tracks, found an empty file")
    delimiter = _delimiter(shown)
    cells = split(shown[0], delimiter)
    values = [is_number(c) or is_missing(c) or is_date(c) for c in cells]
    header = not (any(values) if names else all(values))
    commented = any(line.startswith("#") for line in lines[skip + 1 :])
    if header and (len(cells) == 1 or delimiter == SPACES) and len(shown) == 1:
        raise DataError(
            where=path,
            expected="delimited text with a header such as id,t,x,y, or rows of numbers",
            found=repr(first.strip()[:40]),
            hint="if the file holds no tracks, move it out of the folder",
        )
    if header:
        found = tuple(cell.strip().lstrip("#").strip() for cell in cells)
        _check_header(path, found, skip + 1)
        if names and names != found:
            raise DataError(
                where=path,
                expected="a file without a header beside names of its columns",
                found=f"the header {', '.join(found[:5])}",
                hint=("leave ", Setting("Columns.names"), " out"),
            )
    else:
        found = _names_of_bare(path, shown, cells, delimiter, skip + 1, names)
    described = 3 if set(found) >= DESCRIBED else 0
    words = {name for name in found if name in ids or names_an_id(name)}
    decimal = _decimal(shown[header + described :], delimiter, found, words)
    return Dialect(delimiter, skip, header, found, described, decimal, commented)


def split(line: str, delimiter: str) -> list[str]:
    """Return the fields of a line.

    >>> split('a, "b,c"', ","), split(" 1   2 ", " ")
    (['a', 'b,c'], ['1', '2'])
    """
    if delimiter == SPACES:
        return line.split()
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def whole_lines(raw: bytes) -> bytes:
    """Return the whole lines of the beginning."""
    if len(raw) <= HEAD:
        return raw
    return raw[: raw.rfind(b"\n", 0, HEAD) + 1 or HEAD].rstrip(b"\xc0\xc1\xc2\xc3")


def _is_comment(lines: list[str], at: int) -> bool:
    """Return whether a line is a comment, and not a header that begins with #."""
    if not lines[at].startswith("#"):
        return False
    later = next((line for line in lines[at + 1 :] if line.strip()), "")
    if not later or later.startswith("#"):
        return True
    delimiter = _delimiter([later])
    words = split(lines[at], delimiter)
    if delimiter == SPACES:
        words = words[1:] if words[:1] == ["#"] else words
    below = split(later, delimiter)
    names_below = not any(is_number(c) or is_missing(c) or is_date(c) for c in below)
    return len(words) != len(below) or len(words) < 2 or names_below


def _delimiter(lines: list[str]) -> str:
    """Return the delimiter that splits most lines into the same number of fields."""
    best, most = ",", (0.0, 0)
    for delimiter in ("\t", ";", "|", ",", SPACES):
        try:
            counts = [len(split(line, delimiter)) for line in lines]
        except csv.Error:
            continue
        usual = max(dict.fromkeys(counts), key=counts.count)
        share = counts.count(usual) / len(counts)
        # texts may hold blanks and marks, so more fields alone are no sign
        if usual > 1 and counts[0] > 1 and (round(share, 1), counts[0] == usual) > most:
            best, most = delimiter, (round(share, 1), counts[0] == usual)
    return best


def _decimal(lines: list[str], delimiter: str, names: tuple[str, ...], words: set[str]) -> str:
    """Return the decimal mark: a comma where numbers have one, none has a point, and no field ends.

    Columns of words say nothing, nor do ids such as 1.10.
    """
    if delimiter == ",":
        return "."
    rows = [row for line in lines if len(row := split(line, delimiter)) == len(names)]
    found: list[str] = []
    for name, cells in zip(names, zip(*rows, strict=True), strict=False):
        known = [cell.strip() for cell in cells if not is_missing(cell)]
        numbers = [cell for cell in known if is_number(cell) or WITH_COMMA.fullmatch(cell)]
        found += numbers if name not in words and 2 * len(numbers) > len(known) else []
    with_comma = any(WITH_COMMA.fullmatch(cell) for cell in found)
    return "," if with_comma and not any("." in cell for cell in found) else "."


def _check_header(path: Path, names: tuple[str, ...], line: int) -> None:
    repeated = [name for i, name in enumerate(names) if name in names[:i]]
    if repeated:
        raise DataError(
            f"{path}, line {line}: the header names the column {repeated[0]!r} twice; "
            "rename one of them"
        )


def _names_of_bare(
    path: Path,
    lines: list[str],
    cells: list[str],
    delimiter: str,
    line: int,
    names: tuple[str, ...],
) -> tuple[str, ...]:
    """Return the names of the columns of a file without a header."""
    if names:
        if len(names) != len(cells):
            raise DataError(
                where=f"{path}, line {line}",
                expected=("as many fields as ", Setting("Columns.names", names)),
                found=f"{len(cells)}: {', '.join(cells[:6])}",
            )
        return names
    if len(cells) in (9, 10) and delimiter == "," and _is_mot(lines):
        return MOT[: len(cells)]
    # names with which the file can be read: of few columns none is left for an id
    example = (("value",), ("x", "y"), ("t", "x", "y"), ("id", "t", "x", "y"))[
        min(len(cells), 4) - 1
    ]
    example = (*example, *(f"c{i}" for i in range(5, len(cells) + 1)))
    raise DataError(
        where=f"{path}, line {line}",
        expected="a header that names the columns",
        found=f"the numbers {', '.join(cells[:6])}",
        hint=("name the columns in order: ", Setting("Columns.names", example)),
    )


def _is_mot(lines: list[str]) -> bool:
    """Return whether rows are boxes of the Multiple Object Tracking challenge."""
    rows = [split(line, ",") for line in lines]
    boxes = all(len(r) == len(rows[0]) and all(is_number(c) for c in r) for r in rows)
    return boxes and all(float(r[0]) >= 1 and float(r[4]) > 0 and float(r[5]) > 0 for r in rows)
