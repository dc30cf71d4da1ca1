"""Tables brought into one form: what one column holds for two, and what stands for nothing."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vrnn.column_names import name_words
from vrnn.data.io.parse_cells import Column, is_text, parse_numbers
from vrnn.data.io.recognise import (
    holds_dates,
    is_empty,
    is_numeric,
    likely_ids,
    likely_times,
    plain,
    repeats,
    stems,
)
from vrnn.data.io.table import Columns, Table
from vrnn.data.wording import plural

TOGETHER = {
    "position",
    "pos",
    "coordinates",
    "coords",
    "coordinate",
    "location",
    "geometry",
    "point",
    "wkt",
}
"""Words in the name of one column that holds both coordinates."""
PLACES = TOGETHER - {"pos", "point"}
"""Those of them that name places on the globe."""
PAIR = r"^\s*[\[(]?\s*(?P<a>[+-]?\d+(?:\.\d+)?)\s*[,;]\s*(?P<b>[+-]?\d+(?:\.\d+)?)\s*[\])]?\s*$"
POINT = r"^\s*POINT\s*Z?\s*\(\s*(?P<a>[+-]?\d+(?:\.\d+)?)\s+(?P<b>[+-]?\d+(?:\.\d+)?)[^)]*\)\s*$"
AIS = {
    "lat": 91.0, "latitude": 91.0, "lon": 181.0, "longitude": 181.0, "sog": 102.3, "cog": 360.0,
    "heading": 511.0,
}  # fmt: skip
"""Values that stand for a missing one in messages of the Automatic Identification System."""
FLAGGED = {"visible": "false", "manuallymarkedoutlier": "true", "algorithmmarkedoutlier": "true"}
"""Columns of Movebank, and the value of rows that are to be ignored."""
WIDE = 3
"""Tracks that stand side by side in columns such as home_1_x and home_1_y."""


def split_pair(table: Table, name: str) -> tuple[Table, tuple[str, str]] | None:
    """Return a table with both coordinates of one column, such as "42.78,141.68"; None if it has none."""
    cells = table.columns[name]
    for form, names in ((PAIR, ("lat", "lon")), (POINT, ("lon", "lat"))):
        known = cells.drop_null()
        if len(known) and bool(pc.all(pc.match_substring_regex(known, form)).as_py()):
            parts = pc.extract_regex(cells, form)
            numbers = [parse_numbers(pc.struct_field(parts, part))[0] for part in "ab"]
            words = set(name_words(name))
            far = np.nanmax(np.abs(numbers[names.index("lat")])) > 90
            if far or not (form is POINT or words & PLACES or set(table.columns) & {"altitude"}):
                names = ("x", "y")
            made = {n: pa.array(v) for n, v in zip(names, numbers, strict=True)}
            if made.keys() & table.columns.keys():
                return None
            return replace(table, columns=table.columns | made), names
    return None


def join_dates(table: Table) -> tuple[Table, str]:
    """Return a table with the date and the time of day in one column, and the name of that."""
    names = {plain(name): name for name in table.columns}
    day = next((names[n] for n in ("date", "datum") if n in names), None)
    time = next((names[n] for n in ("time", "timeofday", "uhrzeit", "zeit") if n in names), None)
    if day is None or time is None:
        return table, ""
    date, clock = table.columns[day], table.columns[time]
    if pa.types.is_time(clock.type):
        clock = clock.cast(pa.string())
    if pa.types.is_timestamp(date.type):
        date = date.cast(pa.date32())
    if pa.types.is_integer(date.type) or pa.types.is_date(date.type):
        date = date.cast(pa.string())
    if not (is_text(date) and is_text(clock)):
        return table, ""
    digits = pc.replace_substring_regex(date, r"^(\d{4})(\d{2})(\d{2})$", r"\1-\2-\3")
    date = digits if holds_dates(digits) else date
    known = clock.drop_null()
    if not bool(pc.all(pc.match_substring_regex(known, r"^\s*\d{1,2}:\d{2}")).as_py()):
        return table, ""
    joint = pc.binary_join_element_wise(date, clock, " ")
    name = f"{day} {time}"
    return replace(table, columns=table.columns | {name: joint}), name


def join_ids(table: Table, names: tuple[str, str]) -> Table:
    """Return a table with one more column of ids, such as recording/track with the cells 3/17."""
    cells = [table.columns[name].cast(pa.string()) for name in names]
    joint = pc.binary_join_element_wise(*cells, "/")
    return replace(table, columns=table.columns | {"/".join(names): joint})


def one_below_the_other(table: Table, time: str) -> tuple[Table, Columns] | None:
    """Return tracks that stand side by side, one below the other; None where they do not.

    Columns such as home_1_x and home_1_y are the track home_1.
    """
    names = list(table.columns)
    if {"x", "y"} <= {plain(name) for name in names}:
        return None
    usable = {n for n in names if is_numeric(column := table.columns[n]) or is_empty(column)}
    found = [stem for stem in stems(names) if usable.issuperset(stem[1:])]
    if len(found) < WIDE:
        return None
    times = [n for n in likely_times(table, names, "") if not repeats(table.columns[n])]
    times = [time] if time in table.columns else times
    ids = likely_ids(table, [n for n in names if "period" not in plain(n)], times)
    if not times or any(repeats(table.columns[n]) for n in ids):
        return None  # or the rows belong to several tracks already
    rows, count = len(table), len(found)
    x, y = (np.concatenate([parse_numbers(table.columns[s[k]])[0] for s in found]) for k in (1, 2))
    there = np.isfinite(x) & np.isfinite(y)
    index = np.tile(np.arange(rows), count)[there]
    stem = np.repeat(np.arange(count), rows)[there]
    columns: dict[str, Column] = {
        "id": pa.array([s[0] for s in found]).take(pa.array(stem)),
        times[0]: table.columns[times[0]].take(pa.array(index)),
        "x": pa.array(x[there]),
        "y": pa.array(y[there]),
    }
    locate = table.locate
    return (
        replace(table, columns=columns, locate=lambda row: locate(int(index[row]))),
        Columns(id="id", t=times[0], x=("x", "y")),
    )


def without_flagged(table: Table) -> tuple[Table, list[str]]:
    """Return the rows that Movebank does not mark as to be ignored, and how many those are."""
    keep = np.ones(len(table), bool)
    for name, column in table.columns.items():
        if plain(name) in FLAGGED and (is_text(column) or pa.types.is_boolean(column.type)):
            values = pc.utf8_lower(column.cast(pa.string()))
            marked = pc.equal(values, FLAGGED[plain(name)]).fill_null(False)
            keep &= ~np.array(marked, dtype=bool)
    if keep.all() or not keep.any():
        return table, []
    left = int((~keep).sum())
    return select(table, np.flatnonzero(keep)), [
        f"{plural(left, 'row')} marked as outliers left out"
    ]


def without_unknown(table: Table, notes: list[str]) -> tuple[Table, list[str]]:
    """Return a table of ships without the values that stand for a missing one."""
    if "mmsi" not in {plain(name) for name in table.columns}:
        return table, notes
    hits = {
        name: pc.equal(column.cast(pa.float64(), safe=False), AIS[plain(name)]).fill_null(False)
        for name, column in table.columns.items()
        if plain(name) in AIS and is_numeric(column) and not is_text(column)
    }
    count = sum(int(pc.sum(hit).as_py() or 0) for hit in hits.values())
    places = [name for name in hits if plain(name).startswith(("lat", "lon"))]
    if len(places) == 2:  # some write a longitude of 0 beside a latitude of 91
        hits |= dict.fromkeys(places, pc.or_(hits[places[0]], hits[places[1]]))
    columns = {
        name: pc.if_else(hits[name], pa.scalar(None, column.type), column)
        if name in hits
        else column
        for name, column in table.columns.items()
    }
    if count:
        notes = [*notes, f"{count:,} values that AIS writes for unknown are missing"]
    return replace(table, columns=columns), notes


def select(table: Table, rows: np.ndarray) -> Table:
    """Return some rows of a table."""
    locate, taken = table.locate, pa.array(rows)
    columns = {name: column.take(taken) for name, column in table.columns.items()}
    return replace(table, columns=columns, locate=lambda row: locate(int(rows[row])))
