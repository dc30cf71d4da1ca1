"""Times from the cells of a column: numbers, durations, or dates in any common form."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float

from vrnn.data.clock import DAY, Clock
from vrnn.data.io.parse_cells import (
    Column,
    is_text,
    parse_numbers,
    without_missing,
)
from vrnn.errors import DataError

DATES = r"(?P<year>\d{4})(?P<a>[-/.])(?P<month>\d{1,2})(?P=a)(?P<day>\d{1,2})"
CLOCK = (
    r"(?:(?P<mark>[T ]) ?(?P<hour>\d{1,2}):\d{2}(?P<second>:\d{2})?"
    r"(?:[.,](?P<fraction>\d{1,9}))?(?: ?(?P<half>[AaPp][Mm]))?"
    r"(?P<zone> ?Z| ?UTC| ?[+-]\d{2}:?\d{2}| ?[+-]\d{2})?)?"
)
NUMERIC = r"(?P<first>\d{1,2})(?P<a>[-/.])(?P<other>\d{1,2})(?P=a)(?P<year>\d{4}|\d{2})"
NAMED = r"(?P<day>\d{1,2})(?P<a>[- /])(?P<month>[A-Za-z]{3,9})(?P=a)(?P<year>\d{4})"
FORMS = tuple(re.compile(form + CLOCK) for form in (DATES, NUMERIC, NAMED))
DIGITS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S", 7: "%Y%j"}
"""Dates that are written as one number, by its number of digits."""
DATE_LIKE = re.compile(r"date|day|time|^t$|^ds$", re.I)
DURATION = r"^(?P<sign>-?)(?:(?P<days>\d+) days?,? \+?)?(?P<hours>\d+):(?P<minutes>\d{2}):(?P<seconds>\d{2}(?:\.\d+)?)$"
TIME_UNITS = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}


def is_date(cell: str) -> bool:
    """Return whether a text is a date in a common form.

    >>> is_date("20/03/2021 00:22"), is_date("12.5")
    (True, False)
    """
    return any(form.fullmatch(cell.strip()) for form in FORMS)


class Form(NamedTuple):
    """A way to write dates as text.

    Attributes:
        pattern: how `strptime` reads it, without the fraction of a second and the zone.
        digits: digits of the fraction.
        zone: offset from UTC, such as "+02:00"; "UTC"; or empty.
        suffix: how the zone is written.
        padded: whether there is 05 for 5.
    """

    pattern: str
    digits: int = 0
    zone: str = ""
    suffix: str = ""
    padded: bool = True


def month_first(columns: Sequence[Column]) -> bool | None:
    """Return whether the month comes first in the dates of several columns; None where nothing says so.

    The order is chosen in which more cells are valid dates. If both orders read equally many, it is
    the one whose times jump less.

    >>> month_first([pa.array(["03/12/2024"]), pa.array(["03/13/2024"])])
    True
    """
    ranks = dict.fromkeys((True, False), (0, 0.0))
    for column in columns:
        cells = without_missing(column) if is_text(column) else column
        for form in _forms(cells) if is_text(column) else ():
            first = form.pattern[:2] == "%m"
            if _is_ambiguous(form):
                seconds = _parse(cells, form)
                count, span = ranks[first]
                ranks[first] = count + int(np.isfinite(seconds).sum()), span - _span(seconds)
    return None if ranks[True] == ranks[False] else ranks[True] > ranks[False]


def to_times(
    column: Column, at: Callable[[int], str], name: str = "", month_first: bool | None = None
) -> tuple[Float[np.ndarray, " rows"], Clock]:
    """Return a column of times as float64, NaN where one is missing, and how they are written.

    Numbers stay as they are. Dates become seconds since 1970-01-01 UTC; without a zone they are in
    UTC. Durations and times of day become seconds.

    Args:
        column: numbers, dates, durations, or text.
        at: says where a row is, for the message.
        name: name of the column. In one named after dates, numbers of 7, 8, 12 or 14 digits are
            dates such as 20240131, if all of them can be. Seven digits are a year and its day.
        month_first: whether the month comes before the day in dates such as 3/12/2024; None lets
            the column decide.

    Raises:
        DataError: a cell that is no time as most cells are.

    >>> times, clock = to_times(pa.array(["1970-01-01T01:00:00Z", "1970-01-02T00:00:00Z"]), str)
    >>> times.tolist(), clock.zone
    ([3600.0, 86400.0], 'UTC')
    >>> to_times(pa.array(["31/01/2024", "01/02/2024"]), str)[1].text
    '%d/%m/%Y'
    """
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _timestamps(column)
    if pa.types.is_time(kind):
        ticks = column.cast(pa.time64("ns")).cast(pa.int64())
        return parse_numbers(ticks)[0] / 1e9, Clock("time of day", unit=kind.unit)
    if pa.types.is_duration(kind):
        return parse_numbers(column)[0], Clock("duration", unit=kind.unit)
    if not is_text(column):
        return _numbers(column, name)
    cells = without_missing(column)
    values, bad = parse_numbers(cells)
    if not bad.any():
        known = cells.drop_null()
        whole = len(known) and bool(pc.all(pc.match_substring_regex(known, r"^[+-]?\d+$")).as_py())
        if whole and (dates := _date_numbers(cells, name)) is not None:
            return dates
        return values, Clock(whole=bool(whole))
    if (durations := _durations(cells)) is not None:
        return durations
    return _dates(cells, column, bad, at, month_first)


def _timestamps(column: Column) -> tuple[Float[np.ndarray, " rows"], Clock]:
    """Return dates of a type of their own as seconds."""
    if pa.types.is_date(column.type):
        unit = "ms" if pa.types.is_date64(column.type) else "s"
        column, form = column.cast(pa.timestamp(unit)), "%Y-%m-%d"
    else:
        form = ""
    unit, zone = column.type.unit, column.type.tz or ""
    ticks = column.cast(pa.int64())
    empty = np.asarray(ticks.is_null())
    raw = np.asarray(ticks.fill_null(0).to_numpy(), np.int64)
    whole, rest = np.divmod(raw, int(TIME_UNITS[unit]))
    seconds = whole + rest / TIME_UNITS[unit]
    seconds[empty] = np.nan
    return seconds, Clock("date", unit=unit, zone=zone, text=form)


def _numbers(column: Column, name: str) -> tuple[Float[np.ndarray, " rows"], Clock]:
    """Return a column of numbers, which may be dates such as 20240131."""
    whole = pa.types.is_integer(column.type)
    if whole and (dates := _date_numbers(column.cast(pa.string()), name)) is not None:
        return dates
    return parse_numbers(column)[0], Clock(whole=whole)


def _date_numbers(cells: Column, name: str) -> tuple[Float[np.ndarray, " rows"], Clock] | None:
    """Return dates that are written as one number; None where the cells are other numbers."""
    known = cells.drop_null()
    if not len(known) or not DATE_LIKE.search(name):
        return None
    lengths = pc.unique(pc.utf8_length(known)).to_pylist()
    if len(lengths) != 1 or lengths[0] not in DIGITS:
        return None
    pattern = DIGITS[lengths[0]]
    found = pc.strptime(cells, format=pattern, unit="s", error_is_null=True)
    years = pc.year(found.drop_null())
    valid = found.null_count == cells.null_count and bool(
        pc.all(pc.and_(pc.greater_equal(years, 1850), pc.less_equal(years, 2150))).as_py()
    )
    if not valid or not pc.strftime(found, format=pattern).equals(cells):
        return None  # 31 February would be March
    return _timestamps(found)[0], Clock("date", True, "s", text=pattern)


def _durations(cells: Column) -> tuple[Float[np.ndarray, " rows"], Clock] | None:
    """Return durations such as 1:30:00 or 0 days 00:00:00.04 in seconds; None for other text."""
    known = cells.drop_null()
    if not bool(pc.all(pc.match_substring_regex(known, DURATION)).as_py()):
        return None
    parts = pc.extract_regex(cells, DURATION)
    field = lambda name: pc.struct_field(parts, name)  # noqa: E731
    days, hours, minutes, rest = (
        parse_numbers(field(name))[0] for name in ("days", "hours", "minutes", "seconds")
    )
    seconds = (hours * 60 + minutes) * 60 + rest
    sign = np.where(np.array(pc.equal(field("sign"), "-").fill_null(False)), -1.0, 1.0)
    # in -1 day, 23:59:59 the sign is that of the day alone
    whole = np.isnan(days)
    seconds = np.where(whole, sign * seconds, sign * np.nan_to_num(days) * DAY + seconds)
    has = lambda pattern: bool(pc.any(pc.match_substring_regex(known, pattern)).as_py())  # noqa: E731
    before = "%j day, " if has("days?,") else "%j day " if has("day ") else ""
    before = before or ("%j days " if has("days") else "")
    digits = pc.max(pc.utf8_length(field("seconds"))).as_py() or 2
    clock = Clock(
        "duration",
        text=f"{before}%H:%M:%S",
        digits=max(digits - 3, 0),
        padded=not has(r"(^-?| )\d:"),
    )
    return seconds, clock


def _dates(
    cells: Column,
    column: Column,
    no_number: np.ndarray,
    at: Callable[[int], str],
    month_first: bool | None,
) -> tuple[Float[np.ndarray, " rows"], Clock]:
    """Return the dates of a column of text, in the form that most of its cells have."""
    best: tuple[int, np.ndarray, Clock] | None = None
    other = "" if month_first is None else "%d" if month_first else "%m"
    for form in _forms(cells):
        if other and _is_ambiguous(form) and form.pattern.startswith(other):
            continue
        seconds = _parse(cells, form)
        count = int(np.isfinite(seconds).sum())
        clock = Clock(
            "date", zone=form.zone, text=form.pattern, digits=form.digits,
            suffix=form.suffix, padded=form.padded,
        )  # fmt: skip
        if best is None or (count, -_span(seconds)) > (best[0], -_span(best[1])):
            best = count, seconds, clock
    given = np.asarray(cells.is_valid())
    numbers = int(given.sum() - no_number.sum())
    if best is None or best[0] <= numbers:
        row = int(no_number.argmax())
        raise DataError(
            where=at(row),
            expected="a time, which is a number or a date",
            found=repr(column[row].as_py()),
            hint="name another column, or write the dates in ISO 8601, such as 2024-05-01T12:00:00",
        )
    count, seconds, clock = best
    digits = max(form.digits for form in _forms(cells) if form.pattern == clock.text)
    clock = replace(clock, digits=digits)
    wrong = given & ~np.isfinite(seconds)
    if wrong.any():
        row = int(wrong.argmax())
        example = column[int(np.isfinite(seconds).argmax())].as_py()
        raise DataError(
            where=at(row),
            expected=f"a date such as {example!r}, as in {count:,} of {int(given.sum()):,} rows",
            found=repr(column[row].as_py()),
            hint="correct the cell, or leave it empty and the row is left out",
        )
    return seconds, clock


def _forms(cells: Column) -> list[Form]:
    """Return the forms that some cells of a column may have."""
    known = cells.drop_null()
    some = [
        known[i].as_py() for i in np.linspace(0, len(known) - 1, min(50, len(known))).astype(int)
    ]
    forms: dict[Form, None] = {}
    for cell in some:
        for form in _forms_of(cell):
            forms[form] = None
    return list(forms)


def _is_ambiguous(form: Form) -> bool:
    """Return whether day and month are numbers and the year comes last, as in 3/12/2024."""
    return form.pattern[:2] in ("%d", "%m") and form.pattern[3:5] in ("%d", "%m")


def _forms_of(cell: str) -> list[Form]:
    """Return the forms that one cell may have: the day may come before the month or after it."""
    match = next((m for pattern in FORMS if (m := pattern.fullmatch(cell))), None)
    if match is None:
        return []
    part = match.groupdict()
    mark = part["a"]
    if "first" in part:
        year = "%Y" if len(part["year"]) == 4 else "%y"
        days = [mark.join(order) for order in (("%d", "%m", year), ("%m", "%d", year))]
        padded = not any(len(part[name]) == 1 for name in ("first", "other"))
    elif part["month"].isdigit():
        days = [mark.join(("%Y", "%m", "%d"))]
        padded = len(part["month"]) == 2 and len(part["day"]) == 2
    else:
        days = [mark.join(("%d", "%b" if len(part["month"]) == 3 else "%B", "%Y"))]
        padded = len(part["day"]) == 2
    pattern, half = "", part["half"]
    if part["hour"]:
        pattern = f"{part['mark']}{'%I' if half else '%H'}:%M" + (":%S" if part["second"] else "")
        pattern += " %p" if half else ""
    zone, suffix = part["zone"] or "", part["zone"] or ""
    if zone.strip() in ("Z", "UTC"):
        zone = "UTC"
    elif zone:
        digits = zone.strip().replace(":", "")
        zone = f"{digits[:3]}:{digits[3:] or '00'}"
    fraction = len(part["fraction"] or "")
    return [Form(day + pattern, fraction, zone, suffix, padded) for day in days]


def _parse(cells: Column, form: Form) -> Float[np.ndarray, " rows"]:
    """Return the seconds of cells in one form, NaN for the others."""
    # cells of a column may differ in the fraction and in the offset
    pieces = pc.extract_regex(
        cells,
        r"^(?P<moment>.*?)(?P<fraction>[.,]\d{1,9})?(?P<zone> ?Z| ?UTC|(?P<sign> ?[+-])(?P<h>\d{2}):?(?P<m>\d{2})?)?$"
        if ":" in form.pattern
        else r"^(?P<moment>.*?)(?P<fraction>~)?(?P<zone>~)?(?P<sign>~)?(?P<h>~)?(?P<m>~)?$",
    )
    field = lambda name: pc.struct_field(pieces, name)  # noqa: E731
    moment = pc.replace_substring_regex(field("moment"), r"(\d)T ?(\d)", r"\1 \2")
    parsed = pc.strptime(
        moment, format=form.pattern.replace("T", " "), unit="s", error_is_null=True
    )
    seconds = _timestamps(parsed)[0]
    place = [d for d in re.findall(r"%[dmyYbBHIMSp]", form.pattern) if d != "%p"].index("%d")
    days = parse_numbers(
        pc.struct_field(pc.extract_regex(moment, rf"^(?:\d+\D+){{{place}}}(?P<day>\d+)"), "day")
    )[0]
    real = np.asarray(pc.day(parsed).cast(pa.float64()).to_numpy(zero_copy_only=False), float)
    seconds = np.where(days == real, seconds, np.nan)  # 31 February would be 2 March
    fraction = parse_numbers(pc.replace_substring(field("fraction"), ",", "."))[0]
    hours, minutes = (np.nan_to_num(parse_numbers(field(name))[0]) for name in ("h", "m"))
    minus = np.array(pc.match_substring(field("sign"), "-").fill_null(False))
    offset = np.where(minus, -1, 1) * (hours * 60 + minutes) * 60
    zoned = np.array(pc.not_equal(field("zone"), "").fill_null(False))
    seconds = np.where(zoned == bool(form.zone), seconds, np.nan)
    return seconds + np.nan_to_num(fraction) - offset


def _span(seconds: Float[np.ndarray, " rows"]) -> float:
    """Return the sum of the steps between known times, the shorter the likelier."""
    known = seconds[np.isfinite(seconds)]
    return float(np.abs(np.diff(known)).sum())
