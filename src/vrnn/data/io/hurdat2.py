"""HURDAT2, the best tracks of tropical cyclones (NOAA, National Hurricane Center)."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from vrnn.data.io.parse_cells import is_number
from vrnn.data.io.table import Columns, Table, make_table
from vrnn.data.io.text_file import read_text
from vrnn.errors import DataError

HEADER = re.compile(r"^\s*([A-Z]{2}\d{6})\s*,\s*([^,]*?)\s*,\s*(\d+)\s*,?\s*$")
TROPICAL = frozenset({"TD", "TS", "HU", "SD", "SS"})
"""The statuses whose forecasts the agency verifies: tropical and subtropical."""


def read_hurdat2(path: Path) -> Table:
    """Return the fixes of storms in the agency's format.

    A storm is a header `AL011970, ALMA, 39,` and that many rows. Wind -99 and any -999 are missing.
    Longitude is continuous where a storm crosses the date line. The columns of the table are:

        id                    the storm, such as AL011970
        t                     hours since 1970-01-01 00 UTC
        lat, lon              degrees north and east
        wind, pressure        knots and millibars
        tropical              1 where the status is TD, TS, HU, SD or SS, else 0
        name, record, status  text; a record is, for example, L for landfall

    Raises:
        DataError: rows that do not follow the format, or fewer rows than a header announces.

    Source: Landsea & Franklin 2013, https://www.nhc.noaa.gov/data/#hurdat.
    """
    lines, rows, storms = [], [], []
    announced, storm = 0, ("", "")
    for line, text in enumerate(read_text(path).splitlines(), 1):
        if not text.strip():
            continue
        if announced == 0:
            header = HEADER.match(text)
            if not header:
                raise DataError(
                    f"{path}, line {line}: expected the header of a storm, such as "
                    f"'AL011970, ALMA, 39,', found {text[:40]!r}; "
                    "do the headers announce the right number of rows?"
                )
            storm, announced = header.groups()[:2], int(header[3])
            continue
        fields = text.split(",", 8)
        if len(fields) < 8:
            raise DataError(
                f"{path}, line {line}: expected date, time, record, status, latitude, longitude, "
                f"wind and pressure of {storm[0]}, found {text[:40]!r}; "
                f"its header announces {announced} more rows"
            )
        lines.append(line)
        storms.append(storm)
        rows.append([field.strip() for field in fields[:8]])
        announced -= 1
    if announced:
        raise DataError(
            f"{path}: the file ends {announced} rows before the end of {storm[0]}; is it complete?"
        )
    if not rows:
        raise DataError(f"{path}: expected rows below the header of a storm, found none")
    return _table(path, np.array(lines), storms, rows)


def _table(
    path: Path,
    lines: Int[np.ndarray, " rows"],
    storms: list[tuple[str, str]],
    rows: list[list[str]],
) -> Table:
    """Return the table of the fields (rows, 8), checked cell by cell."""
    date, clock, record, status, lat, lon, wind, pressure = np.array(rows, dtype=object).T
    ids, names = np.array(storms, dtype=object).T
    at = lambda row, what: f"{path}, line {lines[row]}: expected {what}"  # noqa: E731
    t = _each(
        zip(date, clock, strict=True),
        _hours,
        lambda row: at(row, "a date and time such as 19700517, 1800"),
    )
    latitude = _each(
        lat, lambda cell: _degrees(cell, "NS"), lambda row: at(row, "a latitude such as 11.5N")
    )
    longitude = _each(
        lon, lambda cell: _degrees(cell, "EW"), lambda row: at(row, "a longitude such as 79.0W")
    )
    for start in np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]]):
        storm = slice(start, start + int((ids[start:] == ids[start]).sum()))
        longitude[storm] = np.unwrap(longitude[storm], period=360.0)
    columns = {
        "id": ids,
        "t": t,
        "lat": latitude,
        "lon": longitude,
        "wind": _each(wind, _measured, lambda row: at(row, "a wind in knots")),
        "pressure": _each(pressure, _measured, lambda row: at(row, "a pressure in millibars")),
        "tropical": np.array([float(s in TROPICAL) for s in status]),
        "name": names,
        "record": record,
        "status": status,
    }
    return make_table(str(path), columns, lines, Columns(id="id", t="t", x=("lat", "lon")))


def _each(cells, parse, at) -> Float[np.ndarray, " rows"]:
    """Return every cell parsed; `at` says where a cell is and what it should be."""
    values = []
    for row, cell in enumerate(cells):
        try:
            values.append(parse(cell))
        except ValueError as error:
            raise DataError(
                f"{at(row)}, found {', '.join(cell) if isinstance(cell, tuple) else cell!r}"
            ) from error
    return np.array(values, dtype=np.float64)


def _hours(cell: tuple[str, str]) -> float:
    date, clock = cell
    digits = re.fullmatch(r"[0-9]{8} [0-9]{4}", f"{date} {clock}")
    if not digits or int(clock[:2]) >= 24 or int(clock[2:]) >= 60:
        raise ValueError
    day = np.datetime64(f"{date[:4]}-{date[4:6]}-{date[6:]}", "D")
    return float(day.astype(np.int64)) * 24 + int(clock[:2]) + int(clock[2:]) / 60


def _degrees(cell: str, signs: str) -> float:
    if cell[-1:] not in signs or not cell:
        raise ValueError
    value = _number(cell[:-1])
    return value if cell[-1] in "NE" else -value


def _measured(cell: str) -> float:
    value = _number(cell)
    return np.nan if value in (-99, -999) else value


def _number(cell: str) -> float:
    if not is_number(cell) or not np.isfinite(float(cell)):
        raise ValueError
    return float(cell)
