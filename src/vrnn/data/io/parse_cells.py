"""Numbers and times from the cells of a table."""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
from jaxtyping import Float, Shaped

from vrnn.errors import DataError

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "nil", "-", "?", "."})
"""Texts that stand for a missing value, in lower case."""


def to_numbers(
    cells: Shaped[np.ndarray, " rows"], at: Callable[[int], str]
) -> Float[np.ndarray, " rows"]:
    """Return the cells of a column as float64, with NaN where one is missing.

    Args:
        cells: numbers, or objects that are text, None or numbers.
        at: says where a row is, for the message.

    Raises:
        DataError: a cell that is neither a number nor missing.

    >>> to_numbers(np.array(["1.5", "", "NA"], object), str)
    array([1.5, nan, nan])
    """
    if cells.dtype.kind != "O":
        return cells.astype(np.float64)
    try:
        return np.array([float(cell) for cell in cells.tolist()])
    except (TypeError, ValueError):
        return np.array([_number(cell, row, at) for row, cell in enumerate(cells.tolist())])


def to_times(
    cells: Shaped[np.ndarray, " rows"], at: Callable[[int], str]
) -> Float[np.ndarray, " rows"]:
    """Return a column of times as float64.

    Numbers stay as they are. ISO 8601 dates become seconds since 1970-01-01 UTC; a date without an
    offset is in UTC.

    Args:
        cells: numbers, or objects that are text, None or numbers.
        at: says where a row is, for the message.

    Raises:
        DataError: a cell that is neither a time nor missing.

    >>> to_times(np.array(["1970-01-01T01:00:00Z", "1970-01-02"], object), str).tolist()
    [3600.0, 86400.0]
    """
    if cells.dtype.kind == "O" and isinstance(cells[0], str) and not is_number(cells[0]):
        try:
            return np.array([np.nan if is_missing(c) else _seconds(c) for c in cells.tolist()])
        except (TypeError, ValueError):
            pass  # the message for numbers names the cell and the format of dates
    return to_numbers(cells, at)


def is_missing(cell: object) -> bool:
    """Return whether a cell stands for a missing value."""
    return (
        cell is None or cell != cell or (isinstance(cell, str) and cell.strip().lower() in MISSING)
    )


def is_number(cell: str) -> bool:
    """Return whether a text is a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _seconds(cell: str) -> float:
    moment = datetime.fromisoformat(cell.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _number(cell: object, row: int, at: Callable[[int], str]) -> float:
    if is_missing(cell):
        return np.nan
    try:
        return float(cell)  # pyrefly: ignore[bad-argument-type] (the except below says what it is)
    except (TypeError, ValueError) as error:
        text = str(cell)
        hint = "map another column, or leave the cell empty where the value is missing"
        if is_number(text.replace(",", ".")) and "," in text:
            hint = "write decimals with a point, not a comma"
        elif len(text) >= 8 and text[:4].isdigit():
            hint = (
                "if it is a date, write all of the column in ISO 8601, such as 2024-05-01T12:00:00"
            )
        raise DataError(f"{at(row)}: expected a number, found {text!r}; {hint}") from error
