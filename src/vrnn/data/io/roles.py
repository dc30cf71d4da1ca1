"""Which column of a table is the id, the time and the position, where nobody has said so."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vrnn.data.io.parse_cells import Column, is_text, parse_numbers, without_missing
from vrnn.data.io.parse_times import FORMS
from vrnn.data.io.table import Columns, Table
from vrnn.errors import DataError, Setting, joined
from vrnn.geo import LATITUDES, LONGITUDES, name_words

IDS = (
    "id", "trackid", "trajectoryid", "trajid", "tripid", "uniqueid", "individuallocalidentifier",
    "individualid", "animalid", "mmsi", "icao24", "vehicleid", "agentid", "objectid", "pedestrianid",
    "pedid", "personid", "playerid", "stormid", "shipid", "vesselid", "deviceid", "entityid", "targetid",
    "userid", "tagid", "taglocalidentifier", "individual", "track", "trajectory", "particle", "ped",
    "pedestrian", "person", "player", "agent", "object", "vehicle", "storm", "animal", "vessel", "ship",
    "boat", "bus", "subject", "sid", "tid", "trackn", "trackno", "tracknr", "callsign", "imo", "name",
)  # fmt: skip
"""Names of ids, without marks and in lower case, the likeliest first."""
TIMES = (
    "t", "time", "timestamp", "datetime", "ds", "basedatetime", "date", "positiont", "timesteptime",
    "frame", "frameid", "framenumber", "seconds", "sec", "ts", "utc", "epoch", "unixtime", "gpstime",
    "timems", "timestampms", "globaltime", "eventtime", "zeit", "datum", "slice", "slicen", "day", "step",
)  # fmt: skip
"""Names of times, the likeliest first."""
PAIRS = (
    ("x", "y"), ("lat", "lon"), ("latitude", "longitude"), ("locationlat", "locationlong"),
    ("positionx", "positiony"), ("posx", "posy"), ("xm", "ym"), ("xcoord", "ycoord"),
    ("easting", "northing"), ("utmeasting", "utmnorthing"), ("vehiclex", "vehicley"), ("cx", "cy"),
    ("xcenter", "ycenter"), ("centerx", "centery"), ("localx", "localy"), ("bbleft", "bbtop"),
)  # fmt: skip
"""Names of two columns of positions, the likeliest first."""
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
    table, notes = _ais_missing(*_without_flagged(table))
    alone = not (columns.id or columns.x or columns.u or columns.y or usual.x)
    if alone and (wide := _wide(table, columns.t or "")) is not None:
        table, usual = wide
        notes = [*notes, f"{len(table):,} rows of tracks that stood side by side"]
    table, both = _date_and_time(table) if columns.t == "" and not usual.t else (table, "")
    x = columns.x or usual.x
    if not x:
        table, x = _positions(table, columns)
    taken = {*x, *columns.u, *columns.y}
    time, track = _together(table, columns, usual, both, taken)
    chosen = replace(
        columns, id=track, t=time, x=x, u=columns.u or usual.u, y=columns.y or usual.y, names=()
    )
    return Roles(table, chosen, "; ".join([*_words(table, columns, chosen), *notes]))


def plain(name: str) -> str:
    """Return a name without marks and without a unit in brackets, in lower case.

    >>> plain("individual-local-identifier"), plain("# Timestamp")
    ('individuallocalidentifier', 'timestamp')
    """
    return re.sub(r"[^a-z0-9]", "", re.sub(r"[\[(].*?[\])]", "", name.lower()))


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
) -> tuple[str | None, str | None]:
    """Return the columns of times and ids, chosen together; None where there is none.

    Raises:
        DataError: a named column that is absent, or columns that may be one of the two.
    """
    for role, name in (("id", columns.id), ("t", columns.t)):
        if name and name not in table.columns:
            raise absent(table, name, role, name)
    free = [name for name in table.columns if name not in taken]
    times = [columns.t] if columns.t != "" else [usual.t] if usual.t else _times(table, free, both)
    free = [name for name in free if name not in times]
    tracks = [columns.id] if columns.id != "" else [usual.id]
    if tracks == [""]:
        tracks = _ids(table, free, [name for name in times if name])
    if not times:
        times = [None]
    best = None
    for time in times:
        for track in tracks or [None]:
            doubles = _doubles(table, track, time)
            if doubles <= MANY_DOUBLES and track is not None:
                return time, track
            if best is None or doubles < best[0]:
                best = doubles, time, track
    _, time, track = best or (0.0, times[0], None)
    if track is None and columns.id == "" and usual.id == "":
        _refuse_unclear(table, columns, time, [n for n in free if n != time])
    return time, track


def _ids(table: Table, free: list[str], times: list[str]) -> list[str]:
    """Return the columns that may be the id, the likeliest first."""
    named = {}
    for name in free:
        known = plain(name)
        if known in IDS:
            named[name] = IDS.index(known)
        elif name_words(name)[-1:] in (["id"], ["identifier"], ["nr"], ["no"]):
            named[name] = len(IDS)
    holes = {name: table.columns[name].null_count > 0 for name in named}
    order = sorted(named, key=lambda name: (holes[name], named[name]))
    repeating = [name for name in order if _repeats(table.columns[name])]
    if repeating:
        return repeating
    return [name for name in order if named[name] < len(IDS) and not _counts(table, name, times)][
        :1
    ]


def _repeats(column: Column) -> bool:
    """Return whether a value occurs in more than one row."""
    known = column.drop_null()
    return len(known) > pc.count_distinct(known).as_py()


def _counts(table: Table, name: str, times: list[str]) -> bool:
    """Return whether a column counts the rows of one track, and is no id therefore."""
    column = table.columns[name]
    if is_text(column) or len(column) < 2:
        return False
    steps = np.diff(parse_numbers(column)[0])
    if not (steps > 0).all():
        return False
    if not times:
        return True
    seconds = _comparable(table.columns[times[0]])
    return bool((seconds[1:] > seconds[:-1]).all())


def _times(table: Table, free: list[str], both: str) -> list[str]:
    """Return the columns that may be the time, the likeliest first."""
    ranks = {}
    for name in free:
        column, known = table.columns[name], plain(name)
        words = set(name_words(name))
        if pa.types.is_boolean(column.type):
            continue
        if both and name == both:
            ranks[name] = -1
        elif known in TIMES:
            ranks[name] = TIMES.index(known)
        elif words & {"time", "timestamp", "datetime", "date"} and _is_time(column):
            ranks[name] = len(TIMES)
        elif _is_date(column):
            ranks[name] = len(TIMES) + 1 + (not known)
    return sorted(ranks, key=lambda name: ranks[name])


def _is_time(column: Column) -> bool:
    return not is_text(column) or _is_date(column) or not parse_numbers(column[:100])[1].any()


def _is_date(column: Column) -> bool:
    """Return whether the first cells of a column are dates."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return True
    if not is_text(column):
        return False
    some = [cell for cell in without_missing(column[:100]).to_pylist() if cell is not None]
    return bool(some) and all(any(form.fullmatch(cell) for form in FORMS) for cell in some)


def _comparable(column: Column) -> np.ndarray:
    """Return a column as numbers that rise where text rises, for a look at its order."""
    if is_text(column):
        return np.array(pc.rank(column, sort_keys="ascending", tiebreaker="dense"), dtype=float)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us")).cast(pa.int64())
    return parse_numbers(column)[0]


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
        if is_text(column) and not _is_date(column):
            texts.append(name)
        elif pa.types.is_integer(column.type) and name not in (*columns.u, *columns.y):
            counts.append(name)
    seconds = None if time is None else _comparable(table.columns[time])
    falls = seconds is not None and not (seconds[1:] >= seconds[:-1]).all()
    doubled = time is not None and _doubles(table, None, time) > MANY_DOUBLES
    likely = texts or (counts if falls or doubled else [])
    if not likely and not doubled:
        return
    cause = "times repeat, so there are several tracks" if doubled else ""
    options = [Setting("Columns.id", name) for name in likely[:3]]
    raise DataError(
        where=table.source,
        expected="a column that names the track of a row",
        found=f"none of a known name among {', '.join(table.columns)}",
        cause=cause,
        hint=(
            "name it: ",
            joined([*options, Setting("Columns.id", None)], " or "),
            " for one track",
        ),
    )


def _positions(table: Table, columns: Columns) -> tuple[Table, tuple[str, ...]]:
    """Return the columns of the observations, made of one column where both stand in one.

    Raises:
        DataError: none is recognised.
    """
    other = {columns.id, columns.t, *columns.u, *columns.y}
    free = [name for name in table.columns if name not in other]
    numeric = [name for name in free if _is_numeric(table.columns[name])]
    if pair := _usual_pair(free) or _likely_pair(numeric):
        return table, pair
    for name in free:
        if is_text(table.columns[name]) and set(name_words(name)) & TOGETHER:
            split = _split(table, name)
            if split is not None:
                return split
    rest = [
        n for n in numeric if plain(n) not in IDS and plain(n) not in TIMES and not _is_index(n)
    ]
    halves = {plain(n) for n in rest} & {part for pair in PAIRS for part in pair}
    if 0 < len(rest) <= 2 and not halves and not any(is_text(table.columns[n]) for n in rest):
        return table, tuple(rest)
    raise DataError(
        where=table.source,
        expected="columns of positions, such as x y or lat lon",
        found=", ".join(table.columns),
        hint=("name them: ", Setting("Columns.x", ("COLUMN", "COLUMN"))),
    )


def _is_index(name: str) -> bool:
    return name_words(name)[-1:] in (["id"], ["index"]) or name.startswith("Unnamed")


def _usual_pair(names: list[str]) -> tuple[str, str] | None:
    """Return two columns of positions by the names of `PAIRS`, in the order of the file."""
    by_plain = {plain(name): name for name in reversed(names)}
    for pair in PAIRS:
        if all(part in by_plain for part in pair):
            one, two = (by_plain[part] for part in pair)
            return _in_order(names, one, two)
    return None


def _likely_pair(names: list[str]) -> tuple[str, str] | None:
    """Return two columns of numbers whose names hold a latitude and a longitude, or end in x and y."""
    lat, lon = (
        [n for n in names if words & set(name_words(n))] for words in (LATITUDES, LONGITUDES)
    )
    if len(lat) == 1 and len(lon) == 1:
        return _in_order(names, lat[0], lon[0])
    stems = _stems(names)
    return stems[0][1:] if len(stems) == 1 else None


def _in_order(names: list[str], one: str, two: str) -> tuple[str, str]:
    return (one, two) if names.index(one) < names.index(two) else (two, one)


def _stems(names: list[str]) -> list[tuple[str, str, str]]:
    """Return each stem that has a column _x and a column _y, with both."""
    found = []
    for name in names:
        match = re.fullmatch(r"(.+?)([_.\- ]?)([xX])", name)
        if match and (match[2] or match[3] == "X"):
            partner = match[1] + match[2] + ("y" if match[3] == "x" else "Y")
            if partner in names:
                found.append((match[1], name, partner))
    return found


def _is_numeric(column: Column) -> bool:
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return True
    if pa.types.is_decimal(column.type):
        return True
    if not is_text(column):
        return False
    values, bad = parse_numbers(column[:200])
    return bool(np.isfinite(values).any()) and bad.mean() < 0.5


def _is_empty(column: Column) -> bool:
    return column.null_count == len(column)


def _split(table: Table, name: str) -> tuple[Table, tuple[str, str]] | None:
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


def _date_and_time(table: Table) -> tuple[Table, str]:
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
    date = digits if _is_date(digits) else date
    known = clock.drop_null()
    if not bool(pc.all(pc.match_substring_regex(known, r"^\s*\d{1,2}:\d{2}")).as_py()):
        return table, ""
    joint = pc.binary_join_element_wise(date, clock, " ")
    name = f"{day} {time}"
    return replace(table, columns=table.columns | {name: joint}), name


def _wide(table: Table, time: str) -> tuple[Table, Columns] | None:
    """Return tracks that stand side by side, one below the other; None where they do not.

    Columns such as home_1_x and home_1_y are the track home_1.
    """
    names = list(table.columns)
    if {"x", "y"} <= {plain(name) for name in names}:
        return None
    usable = {n for n in names if _is_numeric(column := table.columns[n]) or _is_empty(column)}
    stems = [stem for stem in _stems(names) if usable.issuperset(stem[1:])]
    if len(stems) < WIDE:
        return None
    times = [n for n in _times(table, names, "") if not _repeats(table.columns[n])]
    times = [time] if time in table.columns else times
    ids = _ids(table, [n for n in names if "period" not in plain(n)], times)
    if not times or any(_repeats(table.columns[n]) for n in ids):
        return None  # or the rows belong to several tracks already
    rows, count = len(table), len(stems)
    x, y = (np.concatenate([parse_numbers(table.columns[s[k]])[0] for s in stems]) for k in (1, 2))
    there = np.isfinite(x) & np.isfinite(y)
    index = np.tile(np.arange(rows), count)[there]
    stem = np.repeat(np.arange(count), rows)[there]
    columns: dict[str, Column] = {
        "id": pa.array([s[0] for s in stems]).take(pa.array(stem)),
        times[0]: table.columns[times[0]].take(pa.array(index)),
        "x": pa.array(x[there]),
        "y": pa.array(y[there]),
    }
    locate = table.locate
    return (
        replace(table, columns=columns, locate=lambda row: locate(int(index[row]))),
        Columns(id="id", t=times[0], x=("x", "y")),
    )


def _without_flagged(table: Table) -> tuple[Table, list[str]]:
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
        f"{left:,} row{'' if left == 1 else 's'} marked as outliers left out"
    ]


def _ais_missing(table: Table, notes: list[str]) -> tuple[Table, list[str]]:
    """Return a table of ships without the values that stand for a missing one."""
    if "mmsi" not in {plain(name) for name in table.columns}:
        return table, notes
    columns, count = {}, 0
    for name, column in table.columns.items():
        sentinel = AIS.get(plain(name))
        if sentinel is not None and not is_text(column):
            hit = pc.equal(column.cast(pa.float64()), sentinel).fill_null(False)
            count += int(pc.sum(hit).as_py() or 0)
            column = pc.if_else(hit, pa.scalar(None, column.type), column)
        columns[name] = column
    if count:
        notes = [*notes, f"{count:,} values that AIS writes for unknown are missing"]
    return replace(table, columns=columns), notes


def select(table: Table, rows: np.ndarray) -> Table:
    """Return some rows of a table."""
    locate, taken = table.locate, pa.array(rows)
    columns = {name: column.take(taken) for name, column in table.columns.items()}
    return replace(table, columns=columns, locate=lambda row: locate(int(rows[row])))


def absent(table: Table, name: str, role: str, example: object) -> DataError:
    """Return the error for a named column that is not in the table."""
    return DataError(
        where=table.source,
        expected=f"a column {name!r} for {role}",
        found=", ".join(n for n in table.columns if n.isprintable()) or "no columns",
        hint=("map the columns: ", Setting(f"Columns.{role}", example), " with names of the file"),
    )
