"""Tracks from a table of rows, with every check that can name a line."""

from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int

from vrnn.data.clock import Clock
from vrnn.data.io.categories import name_categories, one_hot_column, source_column
from vrnn.data.io.parse_cells import Column, is_text, not_a_number, parse_numbers, without_missing
from vrnn.data.io.parse_times import to_times
from vrnn.data.io.roles import absent, choose_roles, select
from vrnn.data.io.table import Columns, Table
from vrnn.data.origin import Origin
from vrnn.data.tracks import Tracks
from vrnn.errors import DataError, Setting
from vrnn.geo import in_degrees, latitude_longitude, unwrap

Duplicates = Literal["auto", "first", "mean", "error"]
FEW = 0.01
"""Share of tracks with a bad cell up to which these are left out; above, the file is refused."""
MANY_EMPTY = 0.5
"""Share of rows without an id above which a file is refused."""
MANY_DOUBLES = 0.05
"""Share of rows with the id and time of another above which a file is refused."""


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
    table = replace(table, columns=table.columns | {ROW: pa.array(np.arange(len(table)))})
    table, t, clock = _with_times(table, columns.t, notes)
    table, t, codes, ids, whole = _with_ids(table, columns.id, t, notes)
    values, bad = _all_values(table, columns)
    table, t, codes, ids, values = _without_bad(table, t, codes, ids, values, bad, notes)
    order = _order(table, t, codes, ids, sort, notes)
    t, codes, row = t[order], codes[order], order
    values = {role: array[order] for role, array in values.items()}
    values["x"], longitude = _continuous(values["x"], columns.x, codes)
    if columns.t is not None:
        kept, values = _without_doubles(table, t, codes, ids, row, values, duplicates, notes)
        t, codes, row = t[kept], codes[kept], row[kept]
    starts = np.searchsorted(codes, np.arange(1, len(ids)))
    if columns.t is None:
        t = np.arange(float(len(codes))) - np.r_[0, starts][codes]
    origin = Origin(
        source=table.source,
        id=columns.id or "id",
        t=columns.t or "t",
        clock=clock,
        whole_ids=whole,
        frame=table.frame,
        extra=extra,
        **longitude,
    )
    parts = {
        "x": values["x"],
        "u": values["u"],
        "y": values["y"],
        "t": t,
        "row": _rows_of(table)[row],
    }
    for array in parts.values():
        array.flags.writeable = False  # so that tracks need no copies of their own
    cut = {name: np.split(array, starts) for name, array in parts.items()}
    return Tracks(
        cut["x"],
        ids,
        cut["t"],
        cut["u"],
        cut["y"],
        columns.x,
        columns.u,
        columns.y,
        origin=replace(origin, notes=tuple(text for text in notes if text)),
        rows=cut["row"] if extra else [],
    )


ROW = "\0row"
"""Name of the column that counts the rows of a source while some are left out."""


def _extra(table: Table, columns: Columns) -> dict[str, Column]:
    """Return the columns without a role."""
    u = {source_column(name, set(table.columns)) for name in columns.u}
    roles = {columns.id, columns.t, *columns.x, *u, *columns.y}
    return {name: column for name, column in table.columns.items() if name not in roles}


def _rows_of(table: Table) -> Int[np.ndarray, " rows"]:
    return np.asarray(table.columns[ROW].to_numpy(), np.int64)


def _with_times(
    table: Table, name: str | None, notes: list[str]
) -> tuple[Table, Float[np.ndarray, " rows"], Clock]:
    """Return the rows that have a time, their times and how they are written."""
    if name is None:
        return table, np.zeros(len(table)), Clock()
    t, clock = to_times(table.columns[name], lambda row: f"{table.at(row)}, column {name!r}", name)
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
        notes.append(
            f"{_plural(int(bad.sum()), 'row')} without a time left out, "
            f"the first in {table.unit} {table.locate(int(bad.argmax()))}"
        )
        table, t = select(table, np.flatnonzero(~bad)), t[~bad]
    return table, t, clock


def _with_ids(
    table: Table, name: str | None, t: Float[np.ndarray, " rows"], notes: list[str]
) -> tuple[Table, Float[np.ndarray, " rows"], Int[np.ndarray, " rows"], list[str], bool]:
    """Return the rows that have an id, their times, the track of each, the ids and their type."""
    if name is None:
        return table, t, np.zeros(len(table), np.int64), ["0"], False
    texts, whole = id_texts(table.columns[name])
    empty = np.asarray(texts.is_null().to_numpy(zero_copy_only=False), bool)
    if empty.mean() > MANY_EMPTY:
        raise DataError(
            f"{table.at(int(empty.argmax()))}, column {name!r}: expected the id of a track, "
            "found an empty cell; fill it in or drop the row"
        )
    if empty.any():
        notes.append(
            f"{_plural(int(empty.sum()), 'row')} without an id left out, "
            f"the first in {table.unit} {table.locate(int(empty.argmax()))}"
        )
        there = np.flatnonzero(~empty)
        table, t, texts = select(table, there), t[there], texts.take(pa.array(there))
    encoded = texts.dictionary_encode()
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    codes = np.asarray(encoded.indices.to_numpy(), np.int64)
    return table, t, codes, encoded.dictionary.to_pylist(), whole


def id_texts(column: Column) -> tuple[Column, bool]:
    """Return ids as text, null where empty, and whether they were integers.

    Numbers without a fraction lose it, so that 1.0 and 1 are the same track.
    """
    if is_text(column):
        texts = without_missing_ids(column)
        whole = pc.all(pc.match_substring_regex(texts.drop_null(), r"^\d+\.0+$")).as_py()
        texts = pc.replace_substring_regex(texts, r"\.0+$", "") if whole else texts
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
    table: Table, columns: Columns
) -> tuple[dict[str, Float[np.ndarray, "rows columns"]], Bad | None]:
    """Return the columns of x, u and y, and the rows where one is no finite number."""
    values = {}
    bad = np.zeros(len(table), bool)
    first: tuple[int, str] | None = None
    for role in ("x", "u", "y"):
        names = getattr(columns, role)
        values[role] = np.zeros((len(table), len(names)))
        for i, name in enumerate(names):
            column = source_column(name, set(table.columns))
            if role == "u" and column != name and column in table.columns:
                values[role][:, i] = one_hot_column(table, name, names)
                continue
            if name not in table.columns:
                raise absent(table, name, role, names)
            numbers, wrong = parse_numbers(table.columns[name])
            values[role][:, i] = numbers
            wrong |= np.isinf(numbers)
            if wrong.any() and (first is None or wrong.argmax() < first[0]):
                row = int(wrong.argmax())
                cell = table.columns[name][row].as_py()
                what = (
                    f"expected a finite number, found {numbers[row]}; "
                    "leave the cell empty where the value is missing"
                    if np.isinf(numbers[row])
                    else not_a_number(cell)
                )
                first = row, f"{table.at(row)}, column {name!r}: {what}"
            bad |= wrong
    return values, None if first is None else Bad(bad, first[1])


def _without_bad(table, t, codes, ids, values, bad, notes):
    """Return the tracks without a bad cell, where the others are few.

    Raises:
        DataError: many tracks have one.
    """
    if bad is None:
        return table, t, codes, ids, values
    wrong = np.unique(codes[bad.rows])
    if len(wrong) > FEW * len(ids):
        raise DataError(bad.first)
    named = ", ".join(ids[i] for i in wrong[:3]) + (", ..." if len(wrong) > 3 else "")
    notes.append(f"{_plural(len(wrong), 'track')} with a bad cell left out ({named}): {bad.first}")
    there = ~np.isin(codes, wrong)
    kept = np.flatnonzero(there)
    places = np.cumsum(~np.isin(np.arange(len(ids)), wrong)) - 1
    ids = [name for i, name in enumerate(ids) if i not in set(wrong.tolist())]
    values = {role: array[kept] for role, array in values.items()}
    return select(table, kept), t[kept], places[codes[kept]], ids, values


def _order(table, t, codes, ids, sort, notes) -> Int[np.ndarray, " rows"]:
    """Return the rows by track and time.

    Raises:
        DataError: the first row that is not after the one before in its track, unless `sort`.
    """
    order = np.argsort(codes, kind="stable")
    falls = (np.diff(t[order]) < 0) & (np.diff(codes[order]) == 0)
    if not falls.any():
        return order
    if not sort:
        later = np.flatnonzero(falls) + 1
        i = int(later[order[later].argmin()])
        row, before = int(order[i]), int(order[i - 1])
        raise DataError(
            where=table.at(row),
            expected=f"the times of track {ids[codes[row]]} to rise",
            found=f"{t[row]:.10g} after {t[before]:.10g} in {table.unit} {table.locate(before)}",
            hint="sort the rows by id and time, or, if the id is used again for another track, "
            "give that its own",
        )
    tracks = len(np.unique(codes[order][1:][falls]))
    notes.append(f"the rows of {_plural(tracks, 'track')} are sorted by time")
    return np.lexsort((t, codes))


def _without_doubles(table, t, codes, ids, row, values, duplicates, notes):
    """Return which rows are the first of their track and time, and the values of all rows.

    Raises:
        DataError: repeated rows that are many, or any with duplicates="error".
    """
    again = np.zeros(len(t), bool)
    again[1:] = (np.diff(t) == 0) & (np.diff(codes) == 0)
    count = int(again.sum())
    if not count:
        return ~again, values
    if duplicates == "error" or (duplicates == "auto" and count > max(1, MANY_DOUBLES * len(t))):
        late = np.flatnonzero(again)
        i = int(late[row[late].argmin()])
        first = i - 1
        raise DataError(
            f"track {ids[codes[i]]} has time {t[i]:.10g} twice, first in "
            f"{table.unit} {table.locate(int(row[first]))}",
            where=table.at(int(row[i])),
            cause=f"{count:,} of {len(t):,} rows repeat an id and a time",
            hint=(
                "name the column of ids with ",
                Setting("Columns.id"),
                " if it is another, or keep the first row of each with ",
                Setting("duplicates", "first"),
            ),
        )
    kept = ~again
    if duplicates == "mean":
        values = {role: _means(array, kept) for role, array in values.items()}
    done = "averaged" if duplicates == "mean" else "left out"
    notes.append(f"{_plural(count, 'row')} with the id and time of another {done}")
    return kept, {role: array[kept] for role, array in values.items()}


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


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
