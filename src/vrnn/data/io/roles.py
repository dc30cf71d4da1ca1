"""Which column of a table is the id, the time and the position, where nobody has said so."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vrnn.column_names import name_words
from vrnn.data.io.parse_cells import Column, is_plain, is_text
from vrnn.data.io.recognise import (
    IDS,
    PAIRS,
    TIMES,
    comparable,
    holds_dates,
    is_index,
    is_numeric,
    likely_ids,
    likely_pair,
    likely_times,
    may_be_recording,
    plain,
    usual_pair,
)
from vrnn.data.io.reshape import (
    TOGETHER,
    join_dates,
    join_ids,
    one_below_the_other,
    split_pair,
    without_flagged,
    without_unknown,
)
from vrnn.data.io.table import Columns, Table
from vrnn.errors import DataError, Setting, joined

LOOK = 200_000
"""Rows in which ids and times are looked at together."""
MANY_DOUBLES = 0.05
"""Share of rows whose id and time repeat, above which the two columns do not belong together."""


class Roles(NamedTuple):
    """A table whose columns all have their roles.

    Attributes:
        table: the table, with columns that were made of others.
        columns: the column of each role; None where there is none.
        note: a sentence about what was recognised; empty where the columns have the usual names.
    """

    table: Table
    columns: Columns
    note: str


def choose_roles(table: Table, columns: Columns) -> Roles:
    """Return the column of each role: the one that is named, or the one that is recognised.

    Args:
        table: rows with named columns.
        columns: the roles that a user has named.

    Raises:
        DataError: no positions, or several columns that may be the id or the time.

    >>> from vrnn.data.io.table import make_table
    >>> rows = {"MMSI": [7, 7], "BaseDateTime": ["2024-01-01", "2024-01-02"], "LAT": [1.0, 2],
    ...         "LON": [5.0, 6]}
    >>> choose_roles(make_table("a.csv", rows, range(2)), Columns()).note
    'id MMSI, time BaseDateTime, positions LAT LON'
    """
    usual = table.usual
    table, notes = without_flagged(table)
    # lists, structures and bytes have no role, but stay beside the others
    other = {name: c for name, c in table.columns.items() if not is_plain(c.type)}
    for role in ("id", "t", "x", "u", "y"):
        given = getattr(columns, role)
        _refuse_other(table, role, getattr(usual, role) if given in ("", ()) else given, other)
    plain_columns = {name: c for name, c in table.columns.items() if name not in other}
    table, notes = without_unknown(replace(table, columns=plain_columns), notes)
    alone = not (columns.id or columns.x or columns.u or columns.y or usual.x)
    if alone and (wide := one_below_the_other(table, columns.t or "")) is not None:
        (table, usual), other = wide, {}
        notes = [*notes, f"{len(table):,} rows of tracks that stood side by side"]
    table, both = join_dates(table) if columns.t == "" and not usual.t else (table, "")
    x = columns.x or usual.x
    if not x:
        table, x = _positions(table, columns)
    taken = {*x, *columns.u, *columns.y}
    table, time, track = _together(table, columns, usual, both, taken)
    chosen = replace(
        columns, id=track, t=time, x=x, u=columns.u or usual.u, y=columns.y or usual.y, names=()
    )
    words = "; ".join([*_words(table, columns, chosen), *notes])
    return Roles(replace(table, columns=table.columns | other), chosen, words)


def _refuse_other(table: Table, role: str, named: Any, other: dict[str, Column]) -> None:
    """Refuse a column of lists, structures or bytes that is named for a role.

    Raises:
        DataError: names the first.
    """
    names = (named,) if isinstance(named, str | None) else named
    for name in (name for name in names if name in other):
        raise other_type(table, name, role, "numbers, text or dates")


def _words(table: Table, given: Columns, chosen: Columns) -> Iterator[str]:
    """Yield what was recognised, unless the names are the usual ones."""
    if table.usual.x and table.usual.id:
        return
    usual = Columns(id="id", t="t", x=("x", "y"))
    found = [role for role in ("id", "t", "x") if getattr(given, role) in ("", ())]
    if all(getattr(chosen, role) == getattr(usual, role) for role in found):
        return
    track = f"id {chosen.id}" if chosen.id else "one track"
    time = f"time {chosen.t}" if chosen.t else "rows counted as time"
    yield f"{track}, {time}, positions {' '.join(chosen.x)}"


def _together(
    table: Table, columns: Columns, usual: Columns, both: str, taken: set[str]
) -> tuple[Table, str | None, str | None]:
    """Return the columns of times and ids, chosen together; None where there is none.

    Where ids are used again in another recording, the table gets a column `recording/id`.

    Raises:
        DataError: a named column that is absent, or columns that may be one of the two.
    """
    for role, name in (("id", columns.id), ("t", columns.t)):
        if name and name not in table.columns:
            raise absent(table, name, role)
    free = [name for name in table.columns if name not in taken]
    times = (
        [columns.t]
        if columns.t != ""
        else [usual.t]
        if usual.t
        else likely_times(table, free, both)
    )
    free = [name for name in free if name not in times]
    tracks = [columns.id] if columns.id != "" else [usual.id]
    if tracks == [""]:
        tracks = likely_ids(table, free, [name for name in times if name])
    if not times:
        times = [None]
    best = None
    for time in times:
        for track in tracks or [None]:
            doubles = _doubles(table, track, time)
            if doubles <= MANY_DOUBLES and track is not None:
                return table, time, track
            if best is None or doubles < best[0]:
                best = doubles, time, track
    doubles, time, track = best or (0.0, times[0], None)
    if columns.id == "" and usual.id == "":
        if track is None:
            _refuse_unclear(table, columns, time, [n for n in free if n != time])
        elif doubles > MANY_DOUBLES:
            return _in_recordings(table, time, track, free)
    return table, time, track


def _in_recordings(
    table: Table, time: str | None, track: str, free: list[str]
) -> tuple[Table, str | None, str]:
    """Return a table whose tracks are told apart by a recording and an id, where that helps.

    If ids begin anew in each recording, an id alone would merge tracks of several recordings.
    """
    for name in free:
        if name != track and may_be_recording(name, table.columns[name]):
            joint = join_ids(table, (name, track))
            if _doubles(joint, (both := f"{name}/{track}"), time) <= MANY_DOUBLES:
                return joint, time, both
    return table, time, track


def _doubles(table: Table, track: str | None, time: str | None) -> float:
    """Return the share of rows whose id and time occur before."""
    if time is None:
        return 0.0
    parts = [table.columns[name][:LOOK] for name in (track, time) if name is not None]
    codes = np.zeros(len(parts[0]), np.int64)
    for part in parts:
        encoded = pc.rank(part, sort_keys="ascending", tiebreaker="dense")
        codes = codes * (len(part) + 1) + np.array(encoded, dtype=np.int64)
    return 1 - len(np.unique(codes)) / max(len(codes), 1)


def _refuse_unclear(table: Table, columns: Columns, time: str | None, free: list[str]) -> None:
    """Refuse a table without an id whose other columns may be the id.

    Raises:
        DataError: names every flag that is needed.
    """
    rows = len(table)
    texts, counts = [], []
    for name in free:
        column = table.columns[name]
        values = pc.count_distinct(column).as_py()
        if not 1 < values < rows:
            continue
        if is_text(column) and not holds_dates(column):
            texts.append(name)
        elif pa.types.is_integer(column.type) and name not in (*columns.u, *columns.y):
            counts.append(name)
    seconds = None if time is None else comparable(table.columns[time])
    falls = seconds is not None and not (seconds[1:] >= seconds[:-1]).all()
    doubled = time is not None and _doubles(table, None, time) > MANY_DOUBLES
    if doubled:  # an id tells the repeated times apart
        likely = [n for n in (*texts, *counts) if _doubles(table, n, time) <= MANY_DOUBLES]
    else:
        likely = texts or (counts if falls else [])
    if not likely and not doubled:
        return
    options = [Setting("Columns.id", name) for name in likely[:3]]
    if not doubled:  # one track has no time twice
        way_out = (joined([*options, Setting("Columns.id", None)], " or "), " for one track")
    elif options:
        way_out = joined(options, " or ")
    else:
        way_out = (
            *(Setting("Columns.id", "COLUMN"), ", or count the rows of a single track with "),
            Setting("Columns.t", None),
        )
    raise DataError(
        where=table.source,
        expected="a column that names the track of a row",
        found=f"none of a known name among {', '.join(table.columns)}",
        cause="times repeat, so there are several tracks" if doubled else "",
        hint=("name it: ", way_out),
    )


def _positions(table: Table, columns: Columns) -> tuple[Table, tuple[str, ...]]:
    """Return the columns of the observations, made of one column where both stand in one.

    Raises:
        DataError: none is recognised.
    """
    other = {columns.id, columns.t, *columns.u, *columns.y}
    free = [name for name in table.columns if name not in other]
    numeric = [name for name in free if is_numeric(table.columns[name])]
    if pair := usual_pair(free) or likely_pair(numeric):
        return table, pair
    for name in free:
        if is_text(table.columns[name]) and set(name_words(name)) & TOGETHER:
            split = split_pair(table, name)
            if split is not None:
                return split
    rest = [n for n in numeric if plain(n) not in IDS and plain(n) not in TIMES and not is_index(n)]
    halves = {plain(n) for n in rest} & {part for pair in PAIRS for part in pair}
    if 0 < len(rest) <= 2 and not halves and not any(is_text(table.columns[n]) for n in rest):
        return table, tuple(rest)
    raise DataError(
        where=table.source,
        expected="columns of positions, such as x y or lat lon",
        found=", ".join(table.columns),
        hint=("name them: ", Setting("Columns.x", ("COLUMN", "COLUMN"))),
    )


def other_type(table: Table, name: str, role: str, expected: str) -> DataError:
    """Return the error for a named column whose type does not fit its role."""
    return DataError(
        where=f"{table.source}, column {name!r}",
        expected=expected,
        found=f"the type {table.columns[name].type}",
        hint=("name another column with ", Setting(f"Columns.{role}")),
    )


def absent(table: Table, name: str, role: str, count: int = 1) -> DataError:
    """Return the error for a named column that is not in the table.

    Args:
        table: the table.
        name: the column.
        role: id, t, x, u or y.
        count: how many columns were named for the role.
    """
    example = "COLUMN" if role in ("id", "t") else ("COLUMN",) * count
    return DataError(
        where=table.source,
        expected=f"a column {name!r} for {role}",
        found=", ".join(table.columns) or "no columns",
        hint=("name columns of the file: ", Setting(f"Columns.{role}", example)),
    )
