"""What a column may be, by its name, its type and its values."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vrnn.column_names import LATITUDES, LONGITUDES, name_words
from vrnn.data.io.parse_cells import Column, is_text, parse_numbers, without_missing
from vrnn.data.io.parse_times import is_date
from vrnn.data.io.table import Table

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
RECORDINGS = {
    "recording", "rec", "scene", "scenario", "session", "sequence", "seq", "video", "clip", "file",
    "match", "game", "period", "half", "trial", "experiment", "run", "flight", "trip", "voyage",
    "camera", "location", "site", "dataset", "movie", "plate", "well", "field", "fov", "day", "date",
}  # fmt: skip
"""Words in the names of recordings, in each of which ids may begin anew."""


def plain(name: str) -> str:
    """Return a name without marks and without a unit in brackets, in lower case.

    >>> plain("individual-local-identifier"), plain("# Timestamp")
    ('individuallocalidentifier', 'timestamp')
    """
    return re.sub(r"[^a-z0-9]", "", re.sub(r"[\[(].*?[\])]", "", name.lower()))


def names_an_id(name: str) -> bool:
    """Return whether a name is one that common tools give to ids, or ends in such a word.

    >>> names_an_id("MMSI"), names_an_id("lap_id"), names_an_id("speed")
    (True, True, False)
    """
    return plain(name) in IDS or name_words(name)[-1:] in (["id"], ["identifier"], ["nr"], ["no"])


def likely_ids(table: Table, free: list[str], times: list[str]) -> list[str]:
    """Return the columns that may be the id, the likeliest first."""
    ranks = {known: rank for rank, known in enumerate(IDS)}
    named = {n: ranks.get(plain(n), len(IDS)) for n in free if names_an_id(n)}
    holes = {name: table.columns[name].null_count > 0 for name in named}
    order = sorted(named, key=lambda name: (holes[name], named[name]))
    repeating = [name for name in order if repeats(table.columns[name])]
    if repeating:
        return repeating
    return [name for name in order if named[name] < len(IDS) and not _counts(table, name, times)][
        :1
    ]


def may_be_recording(name: str, column: Column) -> bool:
    """Return whether a column may name the recording of a row: by its name, as text or integers."""
    named = RECORDINGS & set(name_words(name)) or plain(name) in IDS
    return bool(named) and (is_text(column) or pa.types.is_integer(column.type)) and repeats(column)


def repeats(column: Column) -> bool:
    """Return whether a value occurs in more than one row."""
    known = column.drop_null()
    return len(known) > pc.count_distinct(known).as_py()


def _counts(table: Table, name: str, times: list[str]) -> bool:
    """Return whether a column counts the rows of one track, and is no id therefore."""
    column = table.columns[name]
    if is_text(column) or len(column) < 2:
        return False
    steps = np.diff(comparable(column))
    if not (steps > 0).all():
        return False
    if not times:
        return True
    seconds = comparable(table.columns[times[0]])
    return bool((seconds[1:] > seconds[:-1]).all())


def likely_times(table: Table, free: list[str], both: str) -> list[str]:
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
        elif holds_dates(column):
            ranks[name] = len(TIMES) + 1 + (not known)
        elif holds_times_of_day(column):
            ranks[name] = len(TIMES) + 3
    return sorted(ranks, key=lambda name: ranks[name])


def _is_time(column: Column) -> bool:
    return not is_text(column) or holds_dates(column) or not parse_numbers(column[:100])[1].any()


def holds_dates(column: Column) -> bool:
    """Return whether the first cells of a column are dates."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return True
    if not is_text(column):
        return False
    some = [cell for cell in without_missing(column[:100]).to_pylist() if cell is not None]
    return bool(some) and all(is_date(cell) for cell in some)


def holds_times_of_day(column: Column) -> bool:
    """Return whether a column has a type for them, or its first cells are such as 23:59:58."""
    if pa.types.is_time(column.type):
        return True
    if not is_text(column):
        return False
    some = without_missing(column[:100]).drop_null()
    pattern = r"^\d{1,2}:\d{2}:\d{2}([.,]\d+)?$"
    return len(some) > 0 and bool(pc.all(pc.match_substring_regex(some, pattern)).as_py())


def comparable(column: Column) -> np.ndarray:
    """Return a column as numbers that rise where text rises, for a look at its order."""
    if is_text(column):
        return np.array(pc.rank(column, sort_keys="ascending", tiebreaker="dense"), dtype=float)
    if pa.types.is_temporal(column.type):
        short = pa.types.is_date32(column.type) or pa.types.is_time32(column.type)
        column = column.cast(pa.int32() if short else pa.int64())
    return parse_numbers(column)[0]


def usual_pair(names: list[str]) -> tuple[str, str] | None:
    """Return two columns of positions by the names of `PAIRS`, in the order of the file."""
    by_plain = {plain(name): name for name in reversed(names)}
    for pair in PAIRS:
        if all(part in by_plain for part in pair):
            one, two = (by_plain[part] for part in pair)
            return _in_order(names, one, two)
    return None


def likely_pair(names: list[str]) -> tuple[str, str] | None:
    """Return two columns of numbers whose names hold a latitude and a longitude, or end in x and y."""
    lat, lon = (
        [n for n in names if words & set(name_words(n))] for words in (LATITUDES, LONGITUDES)
    )
    if len(lat) == 1 and len(lon) == 1:
        return _in_order(names, lat[0], lon[0])
    found = stems(names)
    return found[0][1:] if len(found) == 1 else None


def _in_order(names: list[str], one: str, two: str) -> tuple[str, str]:
    return (one, two) if names.index(one) < names.index(two) else (two, one)


def stems(names: list[str]) -> list[tuple[str, str, str]]:
    """Return each stem that has a column _x and a column _y, with both."""
    found = []
    for name in names:
        match = re.fullmatch(r"(.+?)([_.\- ]?)([xX])", name)
        if match and (match[2] or match[3] == "X"):
            partner = match[1] + match[2] + ("y" if match[3] == "x" else "Y")
            if partner in names:
                found.append((match[1], name, partner))
    return found


def is_numeric(column: Column) -> bool:
    """Return whether a column is of numbers, or of texts most of which are."""
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return True
    if pa.types.is_decimal(column.type):
        return True
    if not is_text(column):
        return False
    values, bad = parse_numbers(column[:200])
    return bool(np.isfinite(values).any()) and bad.mean() < 0.5


def is_empty(column: Column) -> bool:
    """Return whether a column has no value."""
    return column.null_count == len(column)


def is_index(name: str) -> bool:
    """Return whether a name is that of an index or an id."""
    return name_words(name)[-1:] in (["id"], ["index"]) or name.startswith("Unnamed")
