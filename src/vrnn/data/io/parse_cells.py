"""Numbers from the cells of a column."""

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float

from vrnn.errors import DataError
from vrnn.stored import shown

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "nil", "-", "?", "."})
"""Texts that stand for a missing value, in lower case."""
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?", re.ASCII | re.I)
THOUSANDS = re.compile(
    r"[+-]?\d{1,3}((,\d{3}){2,}|(,\d{3})+\.\d+|(\.\d{3}){2,}|(\.\d{3})+,\d+|([ ']\d{3})+([.,]\d+)?)"
)
"""Numbers with marks between thousands, as in 1,234.5 or 1.234,5."""

Column = pa.Array | pa.ChunkedArray


def to_numbers(column: Column, at: Callable[[int], str]) -> Float[np.ndarray, " rows"]:
    """Return the cells of a column as float64, with NaN where one is missing.

    Args:
        column: numbers, or text.
        at: says where a row is, for the message.

    Raises:
        DataError: a cell that is neither a number nor missing.

    >>> to_numbers(pa.array(["1.5", "", "NA"]), str)
    array([1.5, nan, nan])
    """
    values, bad = parse_numbers(column)
    if bad.any():
        row = int(bad.argmax())
        raise DataError(f"{at(row)}: {not_a_number(column[row].as_py())}")
    return values


def parse_numbers(column: Column) -> tuple[Float[np.ndarray, " rows"], Bool[np.ndarray, " rows"]]:
    """Return the cells of a column as float64, and which of them are no numbers.

    >>> parse_numbers(pa.array(["1", "2_0", None]))
    (array([ 1., nan, nan]), array([False,  True, False]))
    """
    if not is_text(column):
        return _as_float(column), np.zeros(len(column), bool)
    cells = without_missing(column)
    try:
        return _as_float(cells.cast(pa.float64())), np.zeros(len(column), bool)
    except pa.ArrowInvalid:
        known = cells.to_pylist()
        good = [cell is not None and bool(NUMBER.fullmatch(cell)) for cell in known]
        values = [float(c) if ok else np.nan for c, ok in zip(known, good, strict=True)]
        bad = [c is not None and not ok for c, ok in zip(known, good, strict=True)]
        return np.array(values), np.array(bad)


def not_a_number(cell: object) -> str:
    """Return what is wrong with a cell, and the way out."""
    text = str(cell)
    hint = "map another column, or leave the cell empty where the value is missing"
    if THOUSANDS.fullmatch(text):
        hint = "write numbers without thousands separators"
    elif "," in text and is_number(text.replace(",", ".")):
        hint = "write decimals with a point, not a comma"
    elif "_" in text and is_number(text.replace("_", "")):
        hint = "write numbers without underscores"
    elif len(text) >= 8 and text[:4].isdigit():
        hint = "if it is a date, write all of the column in ISO 8601, such as 2024-05-01T12:00:00"
    return f"expected a number, found {shown(text)}; {hint}"


def is_text(column: Column) -> bool:
    """Return whether the cells of a column are text."""
    return pa.types.is_string(column.type) or pa.types.is_large_string(column.type)


def is_plain(kind: pa.DataType) -> bool:
    """Return whether a type is of numbers, texts, dates or durations, and not of lists or bytes.

    >>> is_plain(pa.float32()), is_plain(pa.list_(pa.float32())), is_plain(pa.binary())
    (True, False, False)
    """
    timely = pa.types.is_temporal(kind) and not pa.types.is_interval(kind)
    return holds_numbers(kind) or pa.types.is_string(kind) or timely


def holds_numbers(kind: pa.DataType) -> bool:
    """Return whether a type is of numbers; truth values are 0 and 1, and durations are seconds."""
    checks = (
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_decimal,
        pa.types.is_boolean,
        pa.types.is_duration,
    )
    return any(check(kind) for check in checks)


def without_missing(column: Column) -> Column:
    """Return a column of text without blanks around it, and null where a value is missing."""
    cells = pc.utf8_trim_whitespace(column)
    missing = pc.is_in(pc.utf8_lower(cells), pa.array(sorted(MISSING), cells.type))
    return pc.if_else(missing, pa.scalar(None, cells.type), cells)


def is_number(cell: str) -> bool:
    """Return whether a text is a number of ASCII digits, or infinity.

    >>> is_number(" 1.5e3"), is_number("1_5"), is_number("١")
    (True, False, False)
    """
    return bool(NUMBER.fullmatch(cell.strip()))


def is_missing(cell: str) -> bool:
    """Return whether a text stands for a missing value."""
    return cell.strip().lower() in MISSING


def _as_float(column: Column) -> Float[np.ndarray, " rows"]:
    """Return a column of numbers as float64, NaN for null."""
    if pa.types.is_duration(column.type):
        ticks = _as_float(column.cast(pa.int64()))
        return ticks / {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[column.type.unit]
    numbers = column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column
    if pa.types.is_decimal(column.type):  # Arrow's own way is off by a rounding error
        numbers = column.cast(pa.string())
    numbers = numbers.cast(pa.float64(), safe=False)
    combined = numbers.combine_chunks() if isinstance(numbers, pa.ChunkedArray) else numbers
    return np.array(combined.to_numpy(zero_copy_only=False), np.float64)
