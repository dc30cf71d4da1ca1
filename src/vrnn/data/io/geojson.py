"""GeoJSON: points with properties, or lines with the times of their points."""

import json
from pathlib import Path
from typing import Any

from vrnn.data.io.table import Columns, Table, make_table
from vrnn.data.io.text_file import read_text
from vrnn.errors import DataError
from vrnn.stored import shown

TIMES = ("coordTimes", "times", "timestamps")
"""Properties that hold the times of the points of a line."""


def is_geojson(content: Any) -> bool:
    """Return whether parsed JSON is GeoJSON."""
    kinds = ("FeatureCollection", "Feature")
    return isinstance(content, dict) and content.get("type") in kinds


def read_geojson(path: Path) -> Table:
    """Return the points of features.

    A point is a row with its properties as columns. A line is a track: its points are rows, and
    its times are in the property `coordTimes` or `times`. Without times rows are counted.

    Raises:
        DataError: text that is not GeoJSON, or features that are neither points nor lines.

    Source: RFC 7946.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.geojson"
    >>> _ = path.write_text('{"type": "Feature", "properties": {"id": "a"}, '
    ...                     '"geometry": {"type": "LineString", "coordinates": [[1, 2], [3, 4]]}}')
    >>> read_geojson(path).columns["lon"].to_pylist()
    [1.0, 3.0]
    """
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected GeoJSON, found an error of syntax: {error}") from error
    if not is_geojson(content):
        raise DataError(f"{path}: expected a FeatureCollection of GeoJSON, found other JSON")
    features = content.get("features", [content])
    if not isinstance(features, list):
        raise DataError(f"{path}: expected a list of features, found {shown(features)}")
    rows: list[dict[str, Any]] = []
    for i, feature in enumerate(features):
        at = f"{path}, feature {i}"
        feature = _object(feature, at)
        rows += _rows(
            at, i, _object(feature.get("geometry"), at), _object(feature.get("properties"), at)
        )
    if not rows:
        raise DataError(f"{path}: expected points or lines, found no feature with coordinates")
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    for name, cells in columns.items():
        if any(isinstance(cell, str) for cell in cells):
            columns[name] = [None if cell is None else str(cell) for cell in cells]
    usual = Columns(x=("lon", "lat"))
    if "line" in columns:
        usual = Columns(id="line", t="time" if "time" in columns else "", x=("lon", "lat"))
    return make_table(str(path), columns, lambda row: row + 1, usual, "point")


def _object(value: Any, at: str) -> dict[str, Any]:
    """Return an object of JSON; an empty one for null.

    Raises:
        DataError: another value.
    """
    if value is not None and not isinstance(value, dict):
        raise DataError(f"{at}: expected an object of GeoJSON, found {shown(value)}")
    return value or {}


def _times_of(properties: dict[str, Any]) -> list[Any]:
    """Return the times of the points of a line; none where there are none."""
    inner = properties.get("coordinateProperties")
    every = {**properties, **inner} if isinstance(inner, dict) else properties
    return next((every[name] for name in TIMES if isinstance(every.get(name), list)), [])


def _rows(
    at: str, i: int, geometry: dict[str, Any], properties: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the rows of one feature."""
    kind = geometry.get("type")
    places: Any = geometry.get("coordinates")
    plain = {k: v for k, v in properties.items() if not isinstance(v, list | dict)}
    try:
        if kind == "Point":
            return [plain | _place(places)]
        if kind == "MultiLineString":
            times = _times_of(properties)
            nested = len(times) == len(places) and all(isinstance(t, list) for t in times)
            parts = [
                _rows(
                    at,
                    i,
                    {"type": "LineString", "coordinates": part},
                    plain | {"times": times[j] if nested else []},
                )
                for j, part in enumerate(places)
            ]
            return [row | {"line": f"{row['line']}/{j}"} for j, p in enumerate(parts) for row in p]
        if kind == "LineString":
            times = _times_of(properties)
            name = str(next((plain[n] for n in ("id", "name") if plain.get(n) is not None), i))
            rows = []
            for j, place in enumerate(places):
                time = {"time": times[j]} if len(times) == len(places) else {}
                rows.append({"line": name, **time, **_place(place)})
            return rows
    except (TypeError, LookupError, OverflowError) as error:
        raise DataError(
            f"{at}: expected coordinates [longitude, latitude], found {shown(places)}"
        ) from error
    raise DataError(
        f"{at}: expected a Point or a LineString, found {shown(kind) if kind else 'no geometry'}; "
        "leave other features out"
    )


def _place(place: Any) -> dict[str, float]:
    """Return the coordinates of a point.

    Raises:
        TypeError, LookupError, OverflowError: no two numbers.
    """
    lon, lat = place[0], place[1]
    if not all(isinstance(part, int | float) and not isinstance(part, bool) for part in (lon, lat)):
        raise TypeError
    return {"lon": float(lon), "lat": float(lat)}
