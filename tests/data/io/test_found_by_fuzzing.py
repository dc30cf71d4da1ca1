"""Files that `make fuzz` has found to be read wrongly, and the like: what they hold, or why they are refused."""

import itertools
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from tests.helpers.fuzz import check_message

import vrnn
from vrnn.errors import DataError

MANY = "".join(f"{i},{t},{i},{t}\n" for i in range(40) for t in range(2))
WALK = vrnn.Columns(id="walk")
IDS: dict[str, tuple[str, vrnn.Columns | None, list[str]]] = {
    "decimals in a column of any name": (
        "walk,t,x,y\n1.10,0,1,2\n1.1,0,3,4\n",
        WALK,
        ["1.10", "1.1"],
    ),
    "exponents in a column of any name": ("walk,t,x,y\n0E0,0,1,2\n0,1,3,4\n", WALK, ["0E0", "0"]),
    "decimals below many whole numbers": (
        f"id,t,x,y\n{MANY}1.10,0,1,2\n1.1,0,1,2\n",
        None,
        [*map(str, range(40)), "1.10", "1.1"],
    ),
    "hexadecimal numbers that look like powers below whole ones": (
        f"icao24,t,x,y\n{MANY}4e1,0,1,2\n40e0,0,1,2\n",
        None,
        [*map(str, range(40)), "4e1", "40e0"],
    ),
    "more digits than an integer holds": (
        "id,t,x,y\n18446744073709551617,0,1,2\n18446744073709551618,0,1,2\n",
        None,
        ["18446744073709551617", "18446744073709551618"],
    ),
    "whole numbers of several forms": ("id,t,x,y\n1.0,0,1,2\n1.00,0,1,2\n", None, ["1.0", "1.00"]),
    "truth values": ("id,t,x,y\nTrue,0,1,2\nFALSE,0,1,2\n", None, ["True", "FALSE"]),
    "signs": ("id,t,x,y\n-0,0,1,2\n-05,0,1,2\n0,0,1,2\n", None, ["-0", "-05", "0"]),
    "hexadecimal numbers": ("id,t,x,y\n0x1F,0,1,2\n31,0,1,2\n", None, ["0x1F", "31"]),
    "blanks before a padded number": ("id, t, x, y\n1, 0, 1, 2\n 007, 0, 1, 2\n", None, ["1", "007"]),
    "a padded number in the first row": (
        "007,0,1,2\n8,0,1,2\n",
        vrnn.Columns(names=("id", "t", "x", "y")),
        ["007", "8"],
    ),
    "decimal commas": ("id;t;x;y\n1,50;0;1,5;2\n1,5;0;1,5;2\n", None, ["1,50", "1,5"]),
    "decimal commas in rows with comments": (
        "id;t;x;y\n1,50;0;1,5;2\n# lost\n1,5;0;1,5;2\n",
        None,
        ["1,50", "1,5"],
    ),
    "a quoted # among comments": ('id,t,x,y\n"#1",0,1,2\n# lost\n2,0,1,2\n', None, ["#1", "2"]),
}  # fmt: skip


@pytest.mark.parametrize("name", IDS)
def test_ids_are_kept_as_they_are_written(name: str, write) -> None:
    text, columns, ids = IDS[name]
    assert vrnn.read_tracks(write(text), columns).ids == ids


VALUES: dict[str, tuple[str, str, list]] = {
    "decimal commas beside ids with points": ("a.csv", "id;t;x;y\n1.1;0;1,5;2\n", [[[1.5, 2]]]),
    "decimal commas and exponents": ("a.csv", "id;t;x;y\n1;0;1,5e+02;-2,5E-1\n", [[[150, -0.25]]]),
    "decimal commas beside words with points": (
        "a.tsv",
        "id\tt\tx\ty\tremark\n1\t0\t1,5\t2\t1.5\n1\t1\t2,5\t2\tat 7\n1\t2\t2,5\t2\tat 9\n",
        [[[1.5, 2], [2.5, 2], [2.5, 2]]],
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_values(name: str, write) -> None:
    file, text, values = VALUES[name]
    assert [x.tolist() for x in vrnn.read_tracks(write(text, file)).x] == values


REFUSED: dict[str, tuple[str, str | bytes, dict[str, Any], str]] = {
    "hexadecimal positions": (
        "a.csv",
        "id,t,x,y\na,0,0x1F,2\na,1,0x20,2\n",
        {"columns": vrnn.Columns(x=("x", "y"))},
        "line 2, column 'x': expected a number, found '0x1F'",
    ),
    "nothing but comments": (
        "a.csv",
        "id,t,x,y\n#1,0,1,2\n#2,0,1,2\n",
        {},
        "expected rows below the header, found none; lines that begin with # are comments",
    ),
    "two bytes of UTF-16": ("a.csv", b"\xff\xfe", {}, "found an empty file"),
    "blanks of UTF-16": ("a.txt", " \n ".encode("utf-16"), {}, "found an empty file"),
    "words before XML": ("a.gpx", "0710<?xml version", {}, "line 1: expected GPX, found an error"),
    "XML of other letters": ("a.csv", "<í,id,id", {}, "line 1: expected GPX, found an error"),
    "entities far below": (
        "a.gpx",
        f'<!DOCTYPE gpx [<!--{"x" * 5000}--><!ENTITY a "b">]><gpx>&a;</gpx>',
        {},
        "defines entities",
    ),
    "entities in UTF-16": (
        "a.gpx",
        '<!DOCTYPE gpx [<!ENTITY a "b">]><gpx>&a;</gpx>'.encode("utf-16"),
        {},
        "defines entities",
    ),
    "a storm without rows": ("a.txt", "AL011970, X, 0,\n", {}, "expected rows below the header"),
    "a storm at an infinite place": (
        "a.txt",
        "AL012018, X, 1,\n20180525, 1200,  , SD, infN,  86.5W,  30, 1006,\n",
        {},
        "line 2: expected a latitude such as 11.5N, found 'infN'",
    ),
    "a storm before midnight": (
        "a.txt",
        "AL012018, X, 1,\n20180525, -100,  , SD, 18.0N,  86.5W,  30, 1006,\n",
        {},
        "line 2: expected a date and time such as 19700517, 1800",
    ),
    "TrajNet++ of lists": (
        "a.ndjson",
        '{"track": {"f": [1, 2], "p": [1, 2], "x": [1, 2], "y": [1, 2]}}\n',
        {},
        "column 'id': expected numbers, text or dates, found the type list<item: int64>",
    ),
    "TrajNet++ of thousands of digits": (
        "a.ndjson",
        f'{{"track": {"9" * 5000}}}\n',
        {},
        "line 1: expected one JSON object a line",
    ),
    "TrajNet++ of brackets": ("a.ndjson", "[" * 100_000, {}, "line 1: expected one JSON object"),
    "a time of thousands of letters": (
        "a.csv",
        f"id,t,x,y\na,{'x' * 2000},1,2\n",
        {},
        "expected a time, which is a number or a date, found 'xxx",
    ),
    "a position of thousands of letters": (
        "a.csv",
        f"id,t,x,y\na,0,{'x' * 2000},2\n",
        {"columns": vrnn.Columns(x=("x", "y"))},
        "expected a number, found 'xxx",
    ),
    "a header of thousands of letters": (
        "a.csv",
        f"id,t,{'x' * 2000},{'y' * 2000}\na,0,b,c\n",
        {},
        "expected columns of positions",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, write) -> None:
    file, text, settings, message = REFUSED[name]
    with pytest.raises(DataError, match=message) as error:
        vrnn.read_tracks(write(text, file), **settings)
    check_message(error.value)


def test_rows_after_a_hash_are_counted(write) -> None:
    tracks = vrnn.read_tracks(write("id,t,x,y\na,0,1,2\n#b,0,1,2\n# a remark\na,1,2,3\n"))
    assert tracks.origin.notes == ("1 row after a # left out as comments, the first in line 3",)


def test_comments_far_below_the_header(write) -> None:
    rows = "".join(f"a,{t},1,2\n" for t in range(20_000))
    tracks = vrnn.read_tracks(write(f"id,t,x,y\n{rows}# lost\n#b,0,1,2\nc,0,1,2\n"))
    assert (tracks.ids, tracks.lengths.tolist()) == (["a", "c"], [20_000, 1])


def test_decimals_are_the_nearest_numbers(tmp_path) -> None:
    x = pa.array([Decimal("0.059"), Decimal("-12.301")], pa.decimal128(20, 3))
    pyarrow.parquet.write_table(
        pa.table({"id": [1, 1], "t": [0, 1], "x": x, "y": x}), tmp_path / "a.parquet"
    )
    assert vrnn.read_tracks(tmp_path / "a.parquet").x[0][:, 0].tolist() == [0.059, -12.301]


POINT = {"type": "Point", "coordinates": [1, 2]}
LINE = {"type": "LineString", "coordinates": [[1, 2]]}
FEATURES: dict[str, tuple[dict[str, Any], str]] = {
    "a type that is an object": ({"type": {}}, "found an object with type"),
    "no features": (
        {"type": "FeatureCollection", "features": None},
        "list of features, found None",
    ),
    "a feature that is a text": (
        {"type": "FeatureCollection", "features": ["a"]},
        "feature 0: expected an object of GeoJSON, found 'a'",
    ),
    "a geometry that is a list": ({"type": "Feature", "geometry": [None]}, r"found \[None\]"),
    "properties that are a number": (
        {"type": "Feature", "geometry": LINE, "properties": 4},
        "feature 0: expected an object of GeoJSON, found 4",
    ),
    "a place that is an object": (
        {"type": "Feature", "geometry": LINE | {"coordinates": [{"lon": 1}]}},
        r"expected coordinates \[longitude, latitude\]",
    ),
    "a place of text": (
        {"type": "Feature", "geometry": POINT | {"coordinates": ["1_0", "2"]}},
        r"expected coordinates .* found \['1_0', '2'\]",
    ),
    "a place of hundreds of digits": (
        {"type": "Feature", "geometry": POINT | {"coordinates": [10**400, 2]}},
        "expected coordinates",
    ),
    "times that are lists": (
        {"type": "Feature", "geometry": LINE, "properties": {"times": [[1]]}},
        "column 'time': expected numbers, text or dates, found the type list",
    ),
}


@pytest.mark.parametrize("name", FEATURES)
def test_refused_features(name: str, notes) -> None:
    content, message = FEATURES[name]
    with pytest.raises(DataError, match=message) as error:
        vrnn.read_tracks(notes(content))
    check_message(error.value)


def test_properties_beyond_the_largest_integer(notes) -> None:
    feature = {"type": "Feature", "geometry": POINT, "properties": {"id": 10**25, "time": 0}}
    assert vrnn.read_tracks(notes(feature)).ids == [str(10**25)]


def test_archives_of_single_values(tmp_path) -> None:
    for arrays in ({"x": 1.0, "length": [1]}, {"x": np.zeros((1, 2)), "length": [1], "id": "a"}):
        np.savez(tmp_path / "a.npz", **arrays)
        with pytest.raises(DataError, match="to have rows, found a single value"):
            vrnn.read_tracks(tmp_path / "a.npz")


def test_archives_that_are_damaged_or_locked(tmp_path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=np.arange(200.0).reshape(100, 2), length=[100])
    raw = bytearray(path.read_bytes())
    for place, value in ((8, 9), (6, 1), (80, 255)):  # another compression, a password, damage
        changed = raw.copy()
        for start in (raw.find(b"PK\3\4"), raw.find(b"PK\1\2")):
            changed[start + place + (2 if raw[start + 2] == 1 and place < 10 else 0)] = value
        path.write_bytes(changed)
        with pytest.raises(DataError, match="expected an NPZ archive"):
            vrnn.read_tracks(path)


def test_a_zip_with_a_password(tmp_path) -> None:
    path = tmp_path / "a.csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "id,t,x,y\na,0,1,2\n")
    raw = bytearray(path.read_bytes())
    raw[6] = raw[raw.find(b"PK\1\2") + 8] = 1
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"expected a file compressed as zip, found .*encrypted"):
        vrnn.read_tracks(path)


NESTED = pa.array([[1.0, 2.0]] * 3)
TYPES: dict[str, pa.Array] = {
    "lists": NESTED,
    "lists of one length": NESTED.cast(pa.list_(pa.float64(), 2)),
    "structures": pa.array([{"x": 1.0}] * 3),
    "bytes": pa.array([b"a"] * 3),
    "intervals": pa.array([(1, 2, 3)] * 3, pa.month_day_nano_interval()),
}


@pytest.mark.parametrize("name", TYPES)
def test_columns_without_a_role_have_any_type(name: str) -> None:
    """They are kept, and refused where a role names them."""
    other = TYPES[name]
    usual = {"id": [1, 1, 2], "t": [0, 1, 0], "x": [1.0, 2, 3], "y": [4.0, 5, 6]}
    for column in ("remark", "trip", "frame", "position"):
        tracks = vrnn.read_tracks(pa.table({column: other, **usual}))
        assert tracks.ids == ["1", "2"] and tracks.origin.extra[column].type == other.type
        for role in ("id", "t", "x", "u", "y"):
            with pytest.raises(DataError, match=f"column '{column}': expected numbers, text or"):
                vrnn.read_tracks(pa.table({column: other, **usual}), vrnn.Columns(**{role: column}))


def test_times_are_no_positions() -> None:
    usual = {"id": [1], "t": [0], "x": [1.0], "y": [4.0]}
    for kind in (pa.timestamp("s"), pa.date64(), pa.time64("us")):
        table = pa.table({**usual, "when": pa.array([0], kind)})
        with pytest.raises(DataError, match="column 'when': expected numbers, found the type"):
            vrnn.read_tracks(table, vrnn.Columns(u=("when",)))


def test_types_at_their_limits() -> None:
    """Each of them has stopped a reader."""
    usual = {"t": [0, 1], "x": [1.0, 2.0], "y": [4.0, 5.0]}
    half = pa.array([1.0, 1.0], pa.float32()).cast(pa.float16())
    assert vrnn.read_tracks(pa.table({"id": half, **usual})).ids == ["1"]
    clock = pa.table({"id": pa.array([0, 1], pa.time32("s")), **usual})
    assert vrnn.read_tracks(clock).ids == ["0"]  # which counts rows
    tracks = vrnn.read_tracks(clock, vrnn.Columns(id="id"))
    assert tracks.ids == ["00:00:00", "00:00:01"]
    days = pa.array([-348_551_684_245, 0], pa.date64())
    tracks = vrnn.read_tracks(pa.table({"id": [1, 1], **usual, "t": days}))
    assert tracks.times[0].tolist() == [-348_551_684.245, 0]
    far = pa.array([-(2**62), 2**62], pa.timestamp("s"))
    tracks = vrnn.read_tracks(pa.table({"id": [1, 1], **usual, "t": far}))
    assert tracks.times[0].tolist() == [-(2.0**62), 2.0**62]
    ships = {"mmsi": pa.array([1, 1], pa.uint64()), "t": [0, 1], "lat": [1.0, 91.0]}
    tracks = vrnn.read_tracks(pa.table({**ships, "lon": pa.array([2**64 - 1, 2], pa.uint64())}))
    assert tracks.x[0][0].tolist() == [1.0, 2.0**64] and np.isnan(tracks.x[0][1, 0])
    tracks = vrnn.read_tracks(pa.table({**ships, "lon": pa.array([1, 2], pa.duration("s"))}))
    assert tracks.x[0][:, 1].tolist() == [1.0, 2.0]


def test_a_folder_of_endless_folders_is_refused_at_once(tmp_path, monkeypatch) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.plt").touch()
    endless = itertools.repeat(tmp_path / "inner" / "a.plt")
    monkeypatch.setattr(Path, "rglob", lambda *_: endless)
    with pytest.raises(DataError, match=r"found none; sub-folders are not searched.*\*\.plt'"):
        vrnn.read_tracks(tmp_path)
