"""Tracks of the GPS Exchange Format (GPX) and of the Keyhole Markup Language (KML)."""

import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path
from typing import Any

from vrnn.data.io.compressed import read_bytes
from vrnn.data.io.table import Columns, Table, make_table
from vrnn.errors import DataError

USUAL = Columns(id="id", t="time", x=("lat", "lon"))


def read_gpx(path: Path) -> Table:
    """Return the points of all tracks and routes.

    Each segment of a track is a track of its own, because a segment ends where the signal was lost.
    The columns are id, time, lat, lon and ele, the height in metres.

    Raises:
        DataError: text that is not GPX, or no points.

    Source: https://www.topografix.com/GPX/1/1.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.gpx"
    >>> _ = path.write_text('<gpx><trk><trkseg><trkpt lat="1" lon="2"><ele>3</ele></trkpt>'
    ...                     '</trkseg></trk></gpx>')
    >>> read_gpx(path).columns["lat"].to_pylist()
    ['1']
    """
    root, notes = _parse(path, "GPX")
    rows: list[tuple] = []
    names: Counter[str] = Counter()
    for kind, points in (("trk", "trkpt"), ("rte", "rtept")):
        for track in _all(root, kind):
            name = _own_name(_child_text(track, "name"), names)
            segments = _all(track, "trkseg") if kind == "trk" else [track]
            for j, segment in enumerate(segments):
                own = name if len(segments) == 1 else f"{name}/{j}"
                rows += [
                    (own, _text(p, "time"), p.get("lat"), p.get("lon"), _text(p, "ele"))
                    for p in _all(segment, points)
                ]
    return _table(path, rows, "GPX", notes)


def read_kml(path: Path) -> Table:
    """Return the points of all tracks (`gx:Track`), and of points with a time stamp.

    Raises:
        DataError: text that is not KML, or no points with times.
    """
    root, notes = _parse(path, "KML")
    rows: list[tuple] = []
    names: Counter[str] = Counter()
    for track in _all(root, "Track"):
        own = _own_name(None, names)
        moments = [when.text for when in _all(track, "when")]
        places = [(coord.text or "").split() for coord in _all(track, "coord")]
        for moment, place in zip(moments, places, strict=False):
            if len(place) >= 2:
                rows.append((own, moment, *place[1::-1], place[2] if len(place) > 2 else None))
    for mark in _all(root, "Placemark"):
        moment, place = _text(mark, "when"), _text(mark, "coordinates")
        parts = (place or "").strip().split(",")
        if moment and len(parts) >= 2 and len(_all(mark, "Track")) == 0:
            name = _child_text(mark, "name") or "points"
            rows.append((name, moment, *parts[1::-1], parts[2] if len(parts) > 2 else None))
    return _table(path, rows, "KML", notes)


def _parse(path: Path, kind: str) -> tuple[Any, list[str]]:
    """Return the root element, of a file that is cut off up to where it ends."""
    raw = read_bytes(path)
    if b"<!ENTITY" in raw.replace(b"\0", b""):  # also in UTF-16
        raise DataError(f"{path}: expected plain {kind}, found a file that defines entities")
    parser = ElementTree.XMLPullParser(["start"])
    try:
        parser.feed(raw)
        parser.close()
    except ElementTree.ParseError as error:
        root = _root(parser)
        if root is None or "no element found" not in error.msg:
            raise DataError(
                f"{path}, line {error.position[0]}: expected {kind}, found an error of syntax: "
                f"{error.msg}; is it another format?"
            ) from error
        return root, [f"the file ends in the middle of its {kind}; what is there is read"]
    return _root(parser), []


def _root(parser: ElementTree.XMLPullParser) -> Any:
    """Return the first element that a parser has met; None where it has met none."""
    try:
        event: Any = next(parser.read_events(), None)
    except ElementTree.ParseError:  # at the very beginning
        event = None
    return event and event[1]


def _all(element: Any, name: str) -> list[Any]:
    """Return the elements of a name below another, whatever their namespace."""
    return [e for e in element.iter() if isinstance(e.tag, str) and e.tag.split("}")[-1] == name]


def _own_name(name: str | None, taken: Counter[str]) -> str:
    """Return the name of a track, with a number where there is none or another has it.

    >>> names = Counter()
    >>> [_own_name(name, names) for name in ("Run", None, "Run", None)]
    ['Run', '0', 'Run/1', '1']
    """
    taken[name or ""] += 1
    count = taken[name or ""] - 1
    if not name:
        return str(count)
    return f"{name}/{count}" if count else name


def _child_text(element: Any, name: str) -> str | None:
    """Return the text of a child of an element, not of one further down."""
    return next((e.text for e in element if str(e.tag).split("}")[-1] == name), None)


def _text(element: Any, name: str) -> str | None:
    return next((e.text for e in _all(element, name)), None)


def _table(path: Path, rows: list[tuple], kind: str, notes: list[str]) -> Table:
    if not rows:
        raise DataError(f"{path}: expected points of a track in {kind}, found none")
    ids, times, lat, lon, height = (list(cells) for cells in zip(*rows, strict=True))
    columns = {"id": ids, "time": times, "lat": lat, "lon": lon, "ele": height}
    usual = USUAL
    if not any(times):  # a planned route
        usual = Columns(id="id", x=("lat", "lon"))
        del columns["time"]
    return make_table(str(path), columns, lambda row: row + 1, usual, "point", notes)
