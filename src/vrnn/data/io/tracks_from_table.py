"""Tracks from a table of rows, with every check that can name a line."""

from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int

from vrnn.column_names import latitude_longitude
from vrnn.data.clock import DAY, Clock
from vrnn.data.io.categories import name_categories, one_hot_column, source_column
from vrnn.data.io.parse_cells import (
    Column,
    holds_numbers,
    is_text,
    not_a_number,
    parse_numbers,
    without_missing,
)
from vrnn.data.io.parse_times import to_times
from vrnn.data.io.roles import MANY_DOUBLES, absent, choose_roles, other_type
from vrnn.data.io.table import Columns, Table
from vrnn.data.origin import Origin
from vrnn.data.tracks import Tracks
from vrnn.data.wording import plural
from vrnn.errors import DataError, Setting
from vrnn.geo import in_degrees, unwrap

Duplicates = Literal["auto", "first", "mean", "error"]
FEW = 0.01
"""Share of tracks with a bad cell up to which these are left out; above, the file is refused."""
MANY_EMPTY = 0.5
"""Share of rows without an id above which a file is refused."""


class Rows(NamedTuple):
    """The rows of a table while they are put in order.

    Attributes:
        table: the table, to say where a row is.
        row: the row of the table that each one is, (rows,).
        t: times, (rows,).
        codes: the track of each, an index into `ids`, (rows,).
        ids: the tracks, in order of first appearance.
        x, u, y: values, (rows, columns).
    """

    table: Table
    row: Int[np.ndarray, " rows"]
    t: Float[np.ndarray, " rows"]
    codes: Int[np.ndarray, " rows"]
    ids: list[str]
    x: Float[np.ndarray, "rows columns"]
    u: Float[np.ndarray, "rows inputs"]
    y: Float[np.ndarray, "rows targets"]

    def take(self, places: Int[np.ndarray, " kept"] | Bool[np.ndarray, " rows"]) -> "Rows":
        """Return some of the rows, in this order."""
        names = ("row", "t", "codes", "x", "u", "y")
        return self._replace(**{name: getattr(self, name)[places] for name in names})

    def at(self, i: int) -> str:
        """Return where a row is in the source."""
        return self.table.at(int(self.row[i]))

    def line(self, i: int) -> str:
        """Return the line of a row without the name of the source."""
        return f"{self.table.unit} {self.table.locate(int(self.row[i]))}"

    @property
    def same_track(self) -> Bool[np.ndarray, " pairs"]:
        """Whether each row but the first is of the track of the row before."""
        return np.diff(self.codes) == 0


class Bad(NamedTuple):
    """Rows with a value that no track may have.

    Attributes:
        rows: which rows, (rows,).
        first: what is wrong with the first of them, with its line.
    """

    rows: Bool[np.ndarray, " rows"]
    first: str


def tracks_from_table(
    table: Table,
    columns: Columns | None = None,
    *,
    sort: bool = True,
    duplicates: Duplicates = "auto",
    month_first: bool | None = None,
) -> Tracks:
    """Return the rows grouped by id, in order of first appearance.

    Rows of different tracks may be interleaved. An empty cell, NaN or NA is missing. A track of one
    row is kept. A column of text among the inputs holds categories, and each becomes a 0/1 input.
    What is mended or left out is counted in `origin.notes`: unsorted and repeated rows, rows
    without an id or a time, and tracks with a bad cell where these are few.

    Args:
        table: rows with named columns.
        columns: which columns hold what; recognised where they name none.
        sort: sort the rows of each track by time; else refuse unsorted ones.
        duplicates: what becomes of rows with the id and time of an earlier one. "first" drops
            them, "mean" averages the values, "error" refuses them. "auto" drops them where they
            are few.
        month_first: whether the month comes before the day in dates such as 3/12/2024; None lets
            the column decide.

    Raises:
        DataError: no rows, an absent column, text in place of a number, infinite values, too many
            rows without an id, or many repeated rows.

    >>> from vrnn.data.io.table import make_table
    >>> rows = {"id": np.array(["b", "a", "b"], object), "t": [0.0, 0.0, 1.0], "x": np.arange(3.0)}
    >>> tracks = tracks_from_table(make_table("rows", rows, range(3)), Columns(x=("x",)))
    >>> tracks.ids, tracks.x[0].ravel().tolist()
    (['b', 'a'], [0.0, 2.0])
    """
    if not len(table):
        raise DataError(
            f"{table.source}: expected rows of tracks, found none; is the file complete?"
        )
    table, columns, note = choose_roles(table, columns or Columns())
    columns = name_categories([table], columns)
    both = set(columns.x) & set(columns.u)
    if both:
        raise DataError(
            f"{table.source}: {', '.join(sorted(both))} cannot be an observation and a known input "
            "at once: as an input it would tell the model what it is to draw"
        )
    notes = [note, *table.notes]
    extra = _extra(table, columns)
    there, t, clock = _times(table, columns.t, notes, month_first)
    rows = np.flatnonzero(there)
    codes, ids, whole, named = _tracks(table, columns.id, rows, notes)
    rows, t = rows[named], t[rows[named]]
    values, bad = _all_values(table, columns, rows)
    t, clock = _past_midnight(t, clock, codes, notes)
    found = Rows(table, rows, t, codes, ids, **values)
    found = _without_bad(found, bad, notes)
    found = _in_order(found, sort, notes)
    x, longitude = _continuous(found.x, columns.x, found.codes)
    found = found._replace(x=x)
    if columns.t is not None:
        found = _without_doubles(found, duplicates, notes)
    origin = Origin(
        source=table.source,
        id=columns.id or "id",
        t=columns.t or "t",
        clock=clock,
        whole_ids=whole,
        frame=table.frame,
        extra=extra,
        notes=tuple(text for text in notes if text),
        **longitude,
    )
    return _cut(found, columns, origin)


def _cut(rows: Rows, columns: Columns, origin: Origin) -> Tracks:
    """Return the tracks of rows in order of track and time."""
    starts = np.searchsorted(rows.codes, np.arange(1, len(rows.ids)))
    t = rows.t
    if columns.t is None:
        t = np.arange(float(len(t))) - np.r_[0, starts][rows.codes]
    parts = []
    for array in (rows.x, t, rows.u, rows.y, rows.row):
        array.flags.writeable = False  # so that tracks need no copies of their own
        parts.append(np.split(array, starts))
    x, times, u, y, row = parts
    return Tracks(
        x,
        rows.ids,
        times,
        u,
        y,
        columns.x,
        columns.u,
        columns.y,
        origin=origin,
        rows=row if origin.extra else [],
    )


def _extra(table: Table, columns: Columns) -> dict[str, Column]:
    """Return the columns without a role."""
    u = {source_column(name, set(table.columns)) for name in columns.u}
    roles = {columns.id, columns.t, *columns.x, *u, *columns.y}
    return {name: column for name, column in table.columns.items() if name not in roles}


def _times(
    table: Table, name: str | None, notes: list[str], month_first: bool | None
) -> tuple[Bool[np.ndarray, " rows"], Float[np.ndarray, " rows"], Clock]:
    """Return which rows have a time, the times, and how they are written."""
    if name is None:
        return np.ones(len(table), bool), np.zeros(len(table)), Clock()
    where = lambda row: f"{table.at(row)}, column {name!r}"  # noqa: E731
    t, clock = to_times(table.columns[name], where, name, month_first)
    bad = ~np.isfinite(t)
    if bad.all() or np.isinf(t).any() or bad.mean() > MANY_EMPTY:
        row = int(np.isinf(t).argmax() if np.isinf(t).any() else bad.argmax())
        raise DataError(
            where=f"{table.at(row)}, column {name!r}",
            expected="a time in every row",
            found="no time" if np.isnan(t[row]) else str(t[row]),
            hint=("fill it in, drop the row, or count rows with ", Setting("Columns.t", None)),
        )
    if bad.any():
        notes.append(_left_out(table, np.flatnonzero(bad), "without a time"))
    return ~bad, t, clock


def _past_midnight(
    t: Float[np.ndarray, " rows"], clock: Clock, codes: Int[np.ndarray, " rows"], notes: list[str]
) -> tuple[Float[np.ndarray, " rows"], Clock]:
    """Return times of day with a day added after each midnight, in tracks without other long steps back."""
    like_a_clock = clock.kind == "duration" and clock.text == "%H:%M:%S"
    wraps = clock.kind == "time of day" or like_a_clock
    if not wraps or not len(t) or t.max() >= DAY:
        return t, clock
    order = np.argsort(codes, kind="stable")
    falls = _newest_first(t[order], codes[order])
    place = np.arange(len(t))
    order = np.lexsort((np.where(falls[codes], -place, place), codes))
    track, steps = codes[order][1:], np.diff(t[order])
    steps[np.diff(codes[order]) != 0] = 0.0
    midnight = steps <= -DAY / 2
    unsorted = np.unique(track[(steps < -DAY / 24) & ~midnight])
    midnight &= ~np.isin(track, unsorted)
    if not midnight.any():
        return t, clock
    days = np.r_[0, np.cumsum(midnight)]
    days -= days[np.searchsorted(codes[order], codes[order])]
    t = t.copy()
    t[order] += DAY * days
    over = len(np.unique(track[midnight]))
    notes.append(f"times of day pass midnight in {plural(over, 'track')}: days are counted on")
    return t, replace(clock, kind="time of day")


def _newest_first(
    t: Float[np.ndarray, " rows"], codes: Int[np.ndarray, " rows"]
) -> Bool[np.ndarray, " tracks"]:
    """Return which tracks have their newest row first: two more times of day fall than rise.

    Args:
        t, codes: times and tracks of rows, track after track.
    """
    steps = np.where(np.diff(codes) == 0, np.diff(t), 0.0)
    steps = np.where(np.abs(steps) < DAY / 2, np.sign(steps), 0.0)
    return np.bincount(codes[1:], steps, minlength=int(codes.max()) + 1) <= -2


def _tracks(
    table: Table, name: str | None, rows: Int[np.ndarray, " rows"], notes: list[str]
) -> tuple[Int[np.ndarray, " kept"], list[str], bool, Bool[np.ndarray, " rows"]]:
    """Return the track of each row that has an id, the ids, whether they are integers, and which rows have one."""
    if name is None:
        return np.zeros(len(rows), np.int64), ["0"], False, np.ones(len(rows), bool)
    texts, whole = id_texts(table.columns[name].take(pa.array(rows)))
    empty = np.asarray(texts.is_null().to_numpy(zero_copy_only=False), bool)
    if empty.mean() > MANY_EMPTY:
        raise DataError(
            f"{table.at(int(rows[empty.argmax()]))}, column {name!r}: expected the id of a track, "
            "found an empty cell; fill it in or drop the row"
        )
    if empty.any():
        notes.append(_left_out(table, rows[empty], "without an id"))
    encoded = texts.drop_null().dictionary_encode()
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    codes = np.asarray(encoded.indices.to_numpy(), np.int64)
    return codes, encoded.dictionary.to_pylist(), whole, ~empty


def _left_out(table: Table, rows: Int[np.ndarray, " rows"], why: str) -> str:
    """Return the sentence about rows that are left out."""
    first = f"{table.unit} {table.locate(int(rows[0]))}"
    return f"{plural(len(rows), 'row')} {why} left out, the first in {first}"


def id_texts(column: Column) -> tuple[Column, bool]:
    """Return ids as text, null where empty, and whether they were integers.

    Numbers without a fraction lose it, so that 1.0 and 1 are the same track. Texts such as 1.0 and
    1.00 in one column stay apart.
    """
    if is_text(column):
        texts = without_missing_ids(column)
        if pc.all(pc.match_substring_regex(texts.drop_null(), r"^\d+\.0+$")).as_py():
            whole = pc.replace_substring_regex(texts, r"\.0+$", "")
            if pc.count_distinct(whole).as_py() == pc.count_distinct(texts).as_py():
                texts = whole
        return texts, False
    kind = column.type
    if pa.types.is_floating(kind):
        known = column.drop_null()
        finite = pc.all(pc.is_finite(known)).as_py()
        if finite and bool(pc.all(pc.equal(known, pc.floor(known))).as_py()):
            given = pc.if_else(pc.is_nan(column), None, column)
            largest = pc.max(pc.abs(given)).as_py() or 0
            if largest < 2**63:
                return given.cast(pa.int64()).cast(pa.string()), False
        return pc.if_else(pc.is_nan(column), None, column).cast(pa.string()), False
    return column.cast(pa.string()), pa.types.is_integer(kind)


def without_missing_ids(column: Column) -> Column:
    """Return ids as they are written, null where empty or missing."""
    empty = without_missing(column).is_null()
    return pc.if_else(empty, pa.scalar(None, pa.string()), pc.utf8_trim_whitespace(column))


def _all_values(
    table: Table, columns: Columns, rows: Int[np.ndarray, " rows"]
) -> tuple[dict[str, Float[np.ndarray, "rows columns"]], Bad | None]:
    """Return the columns of x, u and y in some rows, and the rows where one is no finite number."""
    values = {}
    bad = np.zeros(len(rows), bool)
    first: tuple[int, str] | None = None
    for role in ("x", "u", "y"):
        names = getattr(columns, role)
        values[role] = np.zeros((len(rows), len(names)))
        for i, name in enumerate(names):
            column = source_column(name, set(table.columns))
            if role == "u" and column != name and column in table.columns:
                values[role][:, i] = one_hot_column(table, name, names)[rows]
                continue
            if name not in table.columns:
                raise absent(table, name, role, len(names))
            if not (is_text(table.columns[name]) or holds_numbers(table.columns[name].type)):
                raise other_type(table, name, role, "numbers")
            numbers, wrong = (part[rows] for part in parse_numbers(table.columns[name]))
            values[role][:, i] = numbers
            wrong = wrong | np.isinf(numbers)
            if wrong.any() and (first is None or wrong.argmax() < first[0]):
                i_bad = int(wrong.argmax())
                row = int(rows[i_bad])
                what = (
                    f"expected a finite number, found {numbers[i_bad]}; "
                    "leave the cell empty where the value is missing"
                    if np.isinf(numbers[i_bad])
                    else not_a_number(table.columns[name][row].as_py())
                )
                first = i_bad, f"{table.at(row)}, column {name!r}: {what}"
            bad |= wrong
    return values, None if first is None else Bad(bad, first[1])


def _without_bad(rows: Rows, bad: Bad | None, notes: list[str]) -> Rows:
    """Return the tracks without a bad cell, where the others are few.

    Raises:
        DataError: many tracks have one.
    """
    if bad is None:
        return rows
    wrong = np.unique(rows.codes[bad.rows])
    if len(wrong) > FEW * len(rows.ids):
        raise DataError(bad.first)
    named = ", ".join(rows.ids[i] for i in wrong[:3]) + (", ..." if len(wrong) > 3 else "")
    notes.append(f"{plural(len(wrong), 'track')} with a bad cell left out ({named}): {bad.first}")
    good = np.ones(len(rows.ids), bool)
    good[wrong] = False
    kept = rows.take(good[rows.codes])
    ids = [name for name, is_good in zip(rows.ids, good.tolist(), strict=True) if is_good]
    return kept._replace(codes=(np.cumsum(good) - 1)[kept.codes], ids=ids)


def _in_order(rows: Rows, sort: bool, notes: list[str]) -> Rows:
    """Return the rows by track and time.

    Raises:
        DataError: the first row that is not after the one before in its track, unless `sort`.
    """
    rows = rows.take(np.argsort(rows.codes, kind="stable"))
    falls = (np.diff(rows.t) < 0) & rows.same_track
    if not falls.any():
        return rows
    later = np.flatnonzero(falls) + 1
    if not sort:
        i = int(later[rows.row[later].argmin()])
        raise DataError(
            where=rows.at(i),
            expected=f"the times of track {rows.ids[rows.codes[i]]} to rise",
            found=f"{rows.t[i]:.10g} after {rows.t[i - 1]:.10g} in {rows.line(i - 1)}",
            hint=(
                *("sort the rows by id and time, leave ", Setting("sort", False), " out, or, "),
                "if the id is used again for another track, give that its own",
            ),
        )
    count = len(np.unique(rows.codes[later]))
    notes.append(f"the rows of {plural(count, 'track')} are sorted by time")
    return rows.take(np.lexsort((rows.t, rows.codes)))


def _without_doubles(rows: Rows, duplicates: Duplicates, notes: list[str]) -> Rows:
    """Return the first row of each track and time.

    Raises:
        DataError: repeated rows that are many, or any with duplicates="error".
    """
    again = np.zeros(len(rows.t), bool)
    again[1:] = (np.diff(rows.t) == 0) & rows.same_track
    count = int(again.sum())
    if not count:
        return rows
    many = count > max(1, MANY_DOUBLES * len(again))
    if duplicates == "error" or (duplicates == "auto" and many):
        late = np.flatnonzero(again)
        i = int(late[rows.row[late].argmin()])
        raise DataError(
            f"track {rows.ids[rows.codes[i]]} has time {rows.t[i]:.10g} twice, "
            f"first in {rows.line(i - 1)}",
            where=rows.at(i),
            cause=f"{count:,} of {len(again):,} rows repeat an id and a time",
            hint=(
                "name the column of ids with ",
                Setting("Columns.id"),
                " if it is another, or keep the first row of each with ",
                Setting("duplicates", "first"),
            ),
        )
    if duplicates == "mean":
        x, u, y = (_means(values, ~again) for values in (rows.x, rows.u, rows.y))
        rows = rows._replace(x=x, u=u, y=y)
    done = "averaged" if duplicates == "mean" else "left out"
    notes.append(f"{plural(count, 'row')} with the id and time of another {done}")
    return rows.take(~again)


def _means(array: Float[np.ndarray, "rows columns"], first: Bool[np.ndarray, " rows"]):
    """Return the mean of each row and of those that repeat it, in the first of them."""
    if not array.shape[1]:
        return array
    groups = np.flatnonzero(first)
    known = np.isfinite(array)
    total = np.add.reduceat(np.where(known, array, 0.0), groups)
    count = np.add.reduceat(known.astype(float), groups)
    array = array.copy()
    with np.errstate(invalid="ignore"):
        array[groups] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return array


def _continuous(
    x: Float[np.ndarray, "rows columns"], names: tuple[str, ...], codes: Int[np.ndarray, " rows"]
) -> tuple[Float[np.ndarray, "rows columns"], dict[str, Any]]:
    """Return positions whose longitudes do not jump at the antimeridian, and fields of their origin."""
    places = latitude_longitude(names)
    if places is None or not in_degrees(x, names):
        return x, {}
    lon = places[1]
    known = x[np.isfinite(x[:, lon]), lon]
    turn = 0.0 if len(known) and known.min() >= 0 and known.max() > 180 else -180.0
    x = x.copy()
    x[:, lon] = unwrap(x[:, lon], codes)
    return x, {"longitude": names[lon], "turn": turn}
