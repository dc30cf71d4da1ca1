"""Tracks from a table of rows, with every check that can name a line."""

import numpy as np
from jaxtyping import Float, Int

from vrnn.data.io.categories import name_categories, one_hot_column, source_column
from vrnn.data.io.parse_cells import to_numbers, to_times
from vrnn.data.io.table import Columns, Table
from vrnn.data.tracks import Tracks
from vrnn.errors import DataError, Setting


def tracks_from_table(table: Table, columns: Columns | None = None) -> Tracks:
    """Return the rows grouped by id, in order of first appearance.

    Rows of different tracks may be interleaved. Rows of one track must rise in time. An empty cell,
    NaN or NA is missing. A track of one row is kept. A column of text among the inputs holds
    categories, and each becomes a 0/1 input.

    Args:
        table: rows with named columns.
        columns: which columns hold what; the usual ones of the table where they name none.

    Raises:
        DataError: no rows, an absent column, text in place of a number, a missing id or time, an
            infinite value, or times of one track that repeat or fall.

    >>> ids, t = np.array(["b", "a", "b"], object), np.array([0.0, 0.0, 1.0])
    >>> table = Table("rows", {"id": ids, "t": t, "x": np.arange(3.0)}, np.arange(3))
    >>> tracks = tracks_from_table(table, Columns(x=("x",)))
    >>> tracks.ids, tracks.x[0].ravel().tolist()
    (['b', 'a'], [0.0, 2.0])
    """
    columns = name_categories([table], columns or Columns())
    names = {role: getattr(columns, role) or getattr(table.usual, role) for role in ("x", "u", "y")}
    both = set(names["x"]) & set(names["u"])
    if both:
        raise DataError(
            f"{table.source}: {', '.join(sorted(both))} cannot be an observation and a known input "
            "at once: as an input it would tell the model what it is to draw"
        )
    if not len(table.lines):
        raise DataError(
            f"{table.source}: expected rows of tracks, found none; is the file complete?"
        )
    ids = _ids(table, _column(table, columns, "id"))
    index = {name: code for code, name in enumerate(dict.fromkeys(ids))}
    codes = np.array([index[name] for name in ids])
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(1, len(index)))
    values = {role: _values(table, names[role], role)[order] for role in names}
    time = _column(table, columns, "t")
    if time is None:
        times = np.split(np.arange(len(order)), starts)
        times = [rows - rows[0] for rows in times]
    else:
        t = _times(table, time)[order]
        _check_rising(table, t, order, codes[order], list(index))
        times = np.split(t, starts)
    parts = {role: np.split(array, starts) for role, array in values.items()}
    return Tracks(
        parts["x"], list(index), times, parts["u"], parts["y"], names["x"], names["u"], names["y"]
    )


_LIKE = {
    "id": (
        "",
        "track",
        "ped",
        "pedestrian",
        "agent",
        "object",
        "mmsi",
        "individual",
        "trajectory",
        "vehicle",
        "storm",
    ),
    "t": ("t", "time", "frame", "date", "timestamp", "datetime", "basedatetime", "seconds"),
}


def _column(table: Table, columns: Columns, role: str) -> str | None:
    """Return the column of ids or times; None where none has the default name.

    Raises:
        DataError: a mapped column that is absent, or another column that looks like the role.
    """
    name = getattr(columns, role)
    if name is None or name in table.columns:
        return name
    if name != role:
        raise _absent(table, name, role, name)
    taken = {*columns.x, *columns.u, *columns.y}
    plain = {
        c: c.lower().replace("_", "").replace(" ", "") for c in table.columns if c not in taken
    }
    stem = {c: p.removesuffix("id") if role == "id" else p for c, p in plain.items()}
    likely = next((c for c, s in stem.items() if s in _LIKE[role]), None)
    if likely is None:
        return None
    what = {"id": "the track that a row belongs to", "t": "the time of a row"}[role]
    raise DataError(
        f"no column {role!r}, but {likely!r} looks like {what}",
        where=table.source,
        hint=(
            "map it: ",
            Setting(f"Columns.{role}", likely),
            ", or ",
            Setting(f"Columns.{role}", None),
            " if it is not",
        ),
    )


def _absent(table: Table, name: str, role: str, example: object) -> DataError:
    """Return the error for a mapped column that is not in the table."""
    return DataError(
        where=table.source,
        expected=f"a column {name!r} for {role}",
        found=", ".join(table.columns) or "no columns",
        hint=("map the columns: ", Setting(f"Columns.{role}", example), " with names of the file"),
    )


def _values(table: Table, names: tuple[str, ...], role: str) -> Float[np.ndarray, "rows columns"]:
    """Return the columns of one role, (rows, len(names)), each number finite or missing."""
    values = np.zeros((len(table.lines), len(names)))
    for i, name in enumerate(names):
        column = source_column(name, set(table.columns))
        if role == "u" and column != name and column in table.columns:
            values[:, i] = one_hot_column(table, name, names)
            continue
        if name not in table.columns:
            raise _absent(table, name, role, names)
        values[:, i] = to_numbers(
            table.columns[name], lambda row, name=name: f"{table.at(row)}, column {name!r}"
        )
        infinite = np.isinf(values[:, i])
        if infinite.any():
            raise DataError(
                f"{table.at(int(infinite.argmax()))}, column {name!r}: expected a finite number, "
                f"found {values[infinite, i][0]}; leave the cell empty where the value is missing"
            )
    return values


def _ids(table: Table, name: str | None) -> list[str]:
    """Return the id of each row as text, whole numbers without a fraction."""
    if name is None:
        return ["0"] * len(table.lines)
    cells = table.columns[name]
    if cells.dtype.kind == "f":
        ids = [
            "" if np.isnan(v) else str(int(v)) if np.isfinite(v) and v == int(v) else str(v)
            for v in cells.tolist()
        ]
    else:
        ids = ["" if v is None or v != v else str(v).strip() for v in cells.tolist()]
    if "" in ids:
        raise DataError(
            f"{table.at(ids.index(''))}, column {name!r}: expected the id of a track, "
            "found an empty cell; fill it in or drop the row"
        )
    return ids


def _times(table: Table, name: str) -> Float[np.ndarray, " rows"]:
    """Return the time of each row, finite."""
    t = to_times(table.columns[name], lambda row: f"{table.at(row)}, column {name!r}")
    bad = ~np.isfinite(t)
    if bad.any():
        row = int(bad.argmax())
        found = "no time" if np.isnan(t[row]) else str(t[row])
        raise DataError(
            where=f"{table.at(row)}, column {name!r}",
            expected="a time in every row",
            found=found,
            hint=("fill it in, drop the row, or count rows with ", Setting("Columns.t", None)),
        )
    return t


def _check_rising(
    table: Table,
    t: Float[np.ndarray, " rows"],
    order: Int[np.ndarray, " rows"],
    codes: Int[np.ndarray, " rows"],
    ids: list[str],
) -> None:
    """Refuse the first row, by line, whose time is not after that of the row before in its track.

    Args:
        table: the rows, for messages.
        t: times, sorted by track.
        order: the row of the table that each time is from.
        codes: the track of each time, an index into `ids`.
        ids: names of the tracks.
    """
    bad = np.flatnonzero((np.diff(t) <= 0) & (np.diff(codes) == 0)) + 1
    if not len(bad):
        return
    i = int(bad[order[bad].argmin()])
    row, before, track = int(order[i]), int(order[i - 1]), ids[codes[i]]
    earlier = f"{table.unit} {table.lines[before]}"
    if t[i] == t[i - 1]:
        raise DataError(
            f"{table.at(row)}: track {track} has time {t[i]:.10g} twice, first in {earlier}; "
            "keep one of the rows, or give two tracks two ids"
        )
    raise DataError(
        f"{table.at(row)}: expected the times of track {track} to rise, found {t[i]:.10g} after "
        f"{t[i - 1]:.10g} in {earlier}; sort the rows by id and time, "
        "or, if the id is used again for another track, give that its own"
    )
