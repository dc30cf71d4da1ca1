"""GeoLife trajectories (.plt): one file a track, six lines of header."""

from pathlib import Path

from vrnn.data.io.table import Columns, Table, make_table
from vrnn.data.io.text_file import read_text
from vrnn.errors import DataError

HEADER = 6


def read_geolife(path: Path) -> Table:
    """Return latitude, longitude, height in feet, and the time of each point in UTC.

    A file holds one track, so there is no id.

    Raises:
        DataError: a row that has no seven fields, or no rows.

    Source: Zheng et al. 2009, "Mining interesting locations and travel sequences from GPS
    trajectories".

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.plt"
    >>> row = "39.9,116.3,0,492,39744.1,2008-10-23,02:53:04"
    >>> _ = path.write_text("\\n".join([*["header"] * 6, row]))
    >>> read_geolife(path).columns["time"].to_pylist()
    ['2008-10-23 02:53:04']
    """
    rows = []
    for line, text in enumerate(read_text(path).splitlines(), 1):
        if line <= HEADER or not text.strip():
            continue
        fields = text.split(",")
        if len(fields) != 7:
            raise DataError(
                f"{path}, line {line}: expected 7 fields (latitude, longitude, 0, height, days, "
                f"date, time), found {len(fields)}; is the line cut off?"
            )
        rows.append(fields)
    if not rows:
        raise DataError(f"{path}: expected rows below {HEADER} lines of header, found none")
    lat, lon, _, height, _, date, clock = (list(cells) for cells in zip(*rows, strict=True))
    columns = {
        "time": [f"{d.strip()} {c.strip()}" for d, c in zip(date, clock, strict=True)],
        "lat": lat,
        "lon": lon,
        "height": height,
    }
    usual = Columns(id=None, t="time", x=("lat", "lon"))
    return make_table(str(path), columns, lambda row: row + HEADER + 1, usual)
