"""Every format on a case worked by hand, and every bad input with its message."""

import json
import re
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vrnn.data.io import Columns, read_tracks
from vrnn.data.io.hurdat2 import read_hurdat2
from vrnn.errors import ConfigError, DataError, MissingExtraError

STORM = """\
AL012018,            ALBERTO,      2,
20180525, 1200,  , SD, 18.0N,  86.5W,  30, 1006,    0,    0,
20180525, 1830, L, EX, 18.4S,   2.9E, -99, -999,    0,    0,
EP022018,                BUD,      2,
20180610, 0000,  , HU, 18.0N, 179.5W, 100,  960,    0,    0,
20180610, 0600,  , HU, 18.0N, 179.5E, 100,  960,    0,    0,
"""
ETH = "0\t1.0\t8.46\t3.59\n0\t2.0\t1\t1\n10\t1.0\t9.57\t3.79\n"


@pytest.fixture
def write(tmp_path):
    def put(text: str | bytes, name: str = "a.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return put


def values(tracks):
    return [x.tolist() for x in tracks.x]


# Tables with a header


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimited(write, delimiter, end):
    text = (
        end.join(["id,t,x,y,wind", "b,0,1,2,5", "a 1,0,3,4,6", "", "b,1,5,6,7", "a 1,2,7,8,8"])
        + end
    )
    path = write("\ufeff" + text.replace(",", delimiter), "a.tsv" if delimiter == "\t" else "a.csv")
    tracks = read_tracks(path, Columns(u=("wind",)))
    assert tracks.ids == ["b", "a 1"]
    assert values(tracks) == [[[1, 2], [5, 6]], [[3, 4], [7, 8]]]
    assert [t.tolist() for t in tracks.times] == [[0, 1], [0, 2]]
    assert tracks.u[1].tolist() == [[6], [8]]
    assert (tracks.x_names, tracks.u_names) == (("x", "y"), ("wind",))


def test_mapped_columns_and_other_text_is_left_alone(write):
    path = write('mmsi,when,lon,lat,ship\n219,1.5,10,55,"Ane, ""A"""\n219,2.5,11,56,\n')
    tracks = read_tracks(path, Columns(id="mmsi", t="when", x=("lon", "lat"), y="lat"))
    assert (tracks.ids, tracks.times[0].tolist()) == (["219"], [1.5, 2.5])
    assert (tracks.x_names, tracks.y[0].ravel().tolist()) == (("lon", "lat"), [55, 56])


def test_without_id_one_track_and_without_t_the_rows_are_counted(write):
    tracks = read_tracks(write("x,y\n1,2\n3,4\n"))
    assert (len(tracks), tracks.times[0].tolist()) == (1, [0, 1])
    tracks = read_tracks(write("id,x,y\na,1,2\nb,3,4\na,5,6\n"))
    assert [t.tolist() for t in tracks.times] == [[0, 1], [0]]
    tracks = read_tracks(write("id,t,x,y\na,9,1,2\na,9,3,4\n"), Columns(t=None))
    assert tracks.times[0].tolist() == [0, 1]


@pytest.mark.parametrize("empty", ["", " ", "NaN", "NA", "nan", "null"])
def test_missing_values(write, empty):
    tracks = read_tracks(write(f"id,t,x,y\na,0,{empty},2\na,1,3,4\n"))
    np.testing.assert_array_equal(tracks.x[0], [[np.nan, 2], [3, 4]])


def test_dates_become_seconds(write):
    tracks = read_tracks(
        write("id,t,x,y\na,1970-01-02T00:00:00Z,1,2\na,1970-01-02 02:00:00+01:00,3,4\n")
    )
    assert tracks.times[0].tolist() == [86400, 86400 + 3600]


def test_a_track_of_one_row_is_kept(write):
    assert read_tracks(write("id,t,x,y\na,0,1,2\n")).lengths.tolist() == [1]


BAD_TABLES = {
    "column": (
        "id,t,lon,lat\n1,0,1,2\n",
        "expected a column 'x' for x, found id, t, lon, lat; map the columns",
    ),
    "id name": (
        "track_id,t,x,y\n1,0,1,2\n",
        r"no column 'id', but 'track_id' looks.*Columns\(id='track_id'\)",
    ),
    "id case": ("ID,t,x,y\n1,0,1,2\n", r"no column 'id', but 'ID' looks like the track"),
    "t name": (
        "id,frame,x,y\n1,0,1,2\n",
        r"no column 't', but 'frame' looks.*Columns\(t='frame'\)",
    ),
    "text": (
        "id,t,x,y\n1,0,1,2\n1,1,3,far\n",
        "a.csv, line 3, column 'y': expected a number, found 'far'; map",
    ),
    "text time": (
        "id,t,x,y\n1,noon,1,2\n",
        "a.csv, line 2, column 't': expected a number, found 'noon'",
    ),
    "date": (
        "id,t,x,y\n1,2018/05/25 12:00,1,2\n",
        "line 2, column 't'.*write all of the column in ISO 8601",
    ),
    "comma": (
        "id;t;x;y\n1;0;1,5;2\n",
        "line 2, column 'x'.*found '1,5'; write decimals with a point",
    ),
    "ragged": (
        "id,t,x,y\n1,0,1,2\n\n1,1,3\n",
        "line 4: expected 4 fields as in the header, found 3",
    ),
    "wide": ("id,t,x,y\n1,0,1,2,3\n", "line 2: expected 4 fields as in the header, found 5"),
    "quote": ('id,t,x,y\n"1,0,1,2\n', "line 2: unexpected end of data; is a quotation mark"),
    "duplicate": (
        "id,t,x,y\n1,0,1,2\n2,0,1,2\n1,0,3,4\n",
        "line 4: track 1 has time 0 twice, first in line 2; keep",
    ),
    "unsorted": (
        "id,t,x,y\n1,5,1,2\n2,0,1,2\n1,3,3,4\n",
        "line 4: expected the times of track 1 to rise, found 3 after 5 in line 2; sort",
    ),
    "infinite": (
        "id,t,x,y\n1,0,1,2\n1,1,inf,2\n",
        "line 3, column 'x': expected a finite number, found inf",
    ),
    "no time": (
        "id,t,x,y\n1,0,1,2\n1,,1,2\n",
        "line 3, column 't': expected a time in every row, found no time",
    ),
    "infinite time": (
        "id,t,x,y\n1,inf,1,2\n",
        "line 2, column 't': expected a time in every row, found inf",
    ),
    "no id": (
        "id,t,x,y\n1,0,1,2\n,1,1,2\n",
        "line 3, column 'id': expected the id of a track, found an empty cell",
    ),
    "empty": ("", "expected a table of tracks, found an empty file"),
    "blank": ("\n \n", "expected a table of tracks, found an empty file"),
    "no rows": ("id,t,x,y\n", "expected rows below the header, found none"),
    "no header": (
        "1,0,1.5,2\n1,1,3,4\n",
        "line 1: expected a header that names the columns, found the numbers 1, 0",
    ),
    "twice": ("id,t,x,x\n1,0,1,2\n", "line 1: the header names the column 'x' twice"),
    "latin-1": (
        "id,t,x,y\nJosé,0,1,2\n".encode("latin-1"),
        "line 2: expected UTF-8 text, found the byte 0xe9; probably WINDOWS-1252.*iconv -f WINDOWS-1252",
    ),
    "utf-16": (
        "id,t,x,y\n1,0,1,2\n".encode("utf-16"),
        "expected UTF-8 text.*probably UTF-16 from Excel",
    ),
    "zero byte": (b"id,t\0\n1,2\n", "expected text, found binary content"),
    "binary": (b"\x89PNG\0\xff\xfe", "expected UTF-8 text, found binary content"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_refuses_a_table(write, case):
    text, message = BAD_TABLES[case]
    path = write(text)
    with pytest.raises(DataError, match=message) as error:
        read_tracks(path)
    assert str(path) in str(error.value)


def test_refuses_a_mapped_column_that_is_not_there(write):
    path = write("id,t,x,y\n1,0,1,2\n")
    for role, columns in {
        "id": Columns(id="who"),
        "t": Columns(t="who"),
        "u": Columns(u=("who",)),
    }.items():
        with pytest.raises(
            DataError, match=f"expected a column 'who' for {role}, found id, t, x, y"
        ):
            read_tracks(path, columns)
    with pytest.raises(ConfigError, match="x names a column twice: a, a"):
        Columns(x=("a", "a"))


# ETH/UCY


@pytest.mark.parametrize("separator", ["\t", " ", "   "])
def test_eth_ucy(write, separator):
    tracks = read_tracks(write(ETH.replace("\t", separator), "a.txt"))
    assert (tracks.ids, tracks.times[0].tolist()) == (["1", "2"], [0, 10])
    assert values(tracks) == [[[8.46, 3.59], [9.57, 3.79]], [[1, 1]]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "0 1 8.46 3.59\n10 1 9.57\n",
            r"line 2: expected 4 fields \(frame, pedestrian, x, y\), found 3",
        ),
        ("0 1 8.46 3.59\n10 1 9.57 ?!\n", "line 2, column 'y': expected a number, found '\\?!'"),
        (
            "0 1 8.46 3.59\n10 one 9.57 1\n",
            r"line 2, field 2 \(pedestrian\): expected a number, found 'one'",
        ),
        ("MIT License\n", "expected four numbers a line .* found 'MIT License'"),
    ],
)
def test_refuses_text(write, text, message):
    with pytest.raises(DataError, match=message):
        read_tracks(write(text, "a.txt"))


def test_text_with_a_header_is_a_table(write):
    assert read_tracks(write("id\tt\tx\ty\na\t0\t1\t2\n", "a.txt")).ids == ["a"]


# HURDAT2


def test_hurdat2(write):
    columns = Columns(u=("wind", "tropical"), y=("pressure",))
    tracks = read_tracks(write(STORM, "a.txt"), columns)
    day = (np.datetime64("2018-05-25") - np.datetime64("1970-01-01")).astype(int)
    assert (tracks.ids, tracks.x_names) == (["AL012018", "EP022018"], ("lat", "lon"))
    assert tracks.times[0].tolist() == [day * 24 + 12, day * 24 + 18.5]
    assert values(tracks) == [[[18, -86.5], [-18.4, 2.9]], [[18, -179.5], [18, -180.5]]]
    np.testing.assert_array_equal(tracks.u[0], [[30, 1], [np.nan, 0]])
    np.testing.assert_array_equal(tracks.y[0], [[1006], [np.nan]])
    table = read_hurdat2(write(STORM, "b.txt"))
    assert table.columns["status"].tolist() == ["SD", "EX", "HU", "HU"]
    assert table.columns["record"].tolist() == ["", "L", "", ""]
    assert table.lines.tolist() == [2, 3, 5, 6]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  2,\n20180525", "  1,\n20180525", "line 3: expected the header of a storm"),
        ("BUD,      2", "BUD,      3", "ends 1 rows before the end of EP022018"),
        ("18.4S", "18.4Q", "line 3: expected a latitude such as 11.5N, found '18.4Q'"),
        ("86.5W", "", "line 2: expected a longitude such as 79.0W, found ''"),
        (
            "20180525, 1830",
            "20181325, 1830",
            "line 3: expected a date and time .* found '20181325, 1830'",
        ),
        ("1830, L", "2530, L", "line 3: expected a date and time .* found '20180525, 2530'"),
        (
            " 100,  960,    0,    0,\n20",
            " strong,  960,\n20",
            "line 5: expected a wind in knots, found 'strong'",
        ),
        (
            "20180525, 1830, L, EX, 18.4S,   2.9E, -99, -999,    0,    0,",
            "20180525, 1830,",
            "line 3: expected date, time, record",
        ),
    ],
)
def test_refuses_hurdat2(write, old, new, message):
    assert old in STORM
    with pytest.raises(DataError, match=message):
        read_tracks(write(STORM.replace(old, new), "a.txt"))


def test_constant_velocity_of_the_storm_benchmark(data_dir):
    """Cases and great-circle errors that the data's README gives, from lat, lon and `tropical` alone."""
    started = time.perf_counter()
    tracks = read_tracks(data_dir / "hurdat2" / "hurdat2.txt", Columns(u=("tropical",)))
    assert time.perf_counter() - started < 10
    assert (len(tracks), tracks.lengths.min(), tracks.lengths.max()) == (798, 2, 118)
    for horizon, (count, error) in {12: (1450, 44.8), 48: (1022, 261.7), 120: (514, 765.8)}.items():
        errors = []
        for storm in tracks[[int(name[4:]) >= 2014 for name in tracks.ids]]:
            at = dict(
                zip(storm.times[0], zip(storm.x[0], storm.u[0][:, 0], strict=True), strict=True)
            )
            for t, (x, tropical) in at.items():
                if (
                    t % 6 == 0
                    and t - 12 in at
                    and t + horizon in at
                    and tropical
                    and at[t + horizon][1]
                ):
                    guess = x + (x - at[t - 12][0]) * horizon / 12
                    errors.append(great_circle(guess, at[t + horizon][0]))
        assert (len(errors), round(float(np.mean(errors)), 1)) == (count, error)


def great_circle(a, b):
    (lat0, lon0), (lat1, lon1) = np.radians(a), np.radians(b)
    h = (
        np.sin((lat1 - lat0) / 2) ** 2
        + np.cos(lat0) * np.cos(lat1) * np.sin((lon1 - lon0) / 2) ** 2
    )
    return 2 * 3440.065 * np.arcsin(np.sqrt(h))


# TrajNet++


def test_trajnet(write):
    rows = [
        {"scene": {"id": 0, "p": 3, "s": 8, "e": 16, "fps": 2.5}},
        {"track": {"f": 16, "p": 3, "x": 1.5, "y": 2}},
        {"track": {"f": 8, "p": 4, "x": 0, "y": 0}},
        {"track": {"f": 8, "p": 3, "x": 1, "y": None}},
        {"track": {"f": 24, "p": 3, "x": 9, "y": 9, "prediction_number": 0, "scene_id": 0}},
    ]
    tracks = read_tracks(write("\n".join(map(json.dumps, rows)), "a.ndjson"))
    assert (tracks.ids, tracks.times[1].tolist()) == (["4", "3"], [8, 16])
    np.testing.assert_array_equal(tracks.x[1], [[1, np.nan], [1.5, 2]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"scene": {}}\n{"track": \n', "line 2: expected one JSON object a line"),
        ("[1]\n", "line 1: expected an object with 'track' or 'scene'"),
        ('{"track": {"f": 1, "p": 1, "x": 1}}', "line 1: expected a track with f, p, x and y"),
        ('{"scene": {}}', "found only scenes or predictions"),
        (
            '{"track": {"f": 1, "p": 1, "x": "left", "y": 1}}',
            "line 1, column 'x': expected a number, found 'left'",
        ),
        (
            '{"track": {"f": "now", "p": 1, "x": 1, "y": 1}}',
            "line 1, column 't': expected a number, found 'now'",
        ),
    ],
)
def test_refuses_trajnet(write, text, message):
    with pytest.raises(DataError, match=message):
        read_tracks(write(text, "a.ndjson"))


# NPZ


def test_npz(tmp_path):
    path = tmp_path / "a.npz"
    x = np.array([[1, 2], [3, np.nan], [5, 6]], dtype=np.float32)
    np.savez(path, x=x, length=[2, 1])
    tracks = read_tracks(path)
    assert (tracks.ids, tracks.x_names, tracks.times[0].tolist()) == (
        ["0", "1"],
        ("x", "y"),
        [0, 1],
    )
    np.testing.assert_array_equal(np.concatenate(tracks.x), x)
    np.savez(path, x=x, length=[2, 1], t=[0, 5, 0], id=["b", "a"], u=np.ones((3, 2)), y=[7, 8, 9])
    tracks = read_tracks(path)
    assert (tracks.ids, tracks.times[0].tolist(), tracks.u_dim) == (["b", "a"], [0, 5], 2)
    assert tracks.y[0].tolist() == [[7], [8]]
    assert read_tracks(path, Columns(x=("y0",), u=("u1",))).x_names == ("y0",)


def test_npz_groups(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, train_X=np.zeros((3, 3)), train_len=[3], test_X=np.ones((2, 3)), test_len=[1, 1])
    assert read_tracks(path, group="test").lengths.tolist() == [1, 1]
    assert read_tracks(path, group="train").x_names == ("x0", "x1", "x2")
    for group in ("", "val"):
        with pytest.raises(
            DataError, match=r"found train_X.*choose one: .*group='test' or group='train'"
        ):
            read_tracks(path, group=group)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"a": np.zeros(3)},
            r"expected the arrays x \(rows, dim\) and length \(tracks,\), found a",
        ),
        ({"x": np.zeros((3, 2))}, "expected length with the rows of each track, found x"),
        ({"x": np.zeros((3, 2)), "length": [2, 2]}, "length adds up to 4 rows but x has 3"),
        (
            {"x": np.zeros((3, 2)), "length": [3, 0]},
            "expected length to be whole numbers of rows, at least 1",
        ),
        ({"x": np.zeros((3, 2)), "length": [3.0]}, "expected length to be whole numbers"),
        (
            {"x": np.zeros((3, 2, 1)), "length": [3]},
            r"numbers of shape \(3, width\), found float64 \(3, 2, 1\)",
        ),
        ({"x": np.array([["a"]]), "length": [1]}, "expected x to be numbers"),
        ({"x": np.array([{}]), "length": [1]}, "no pickled objects"),
        (
            {"x": np.zeros((3, 2)), "length": [1, 2], "id": ["a"]},
            "an id for each of 2 tracks, found 1",
        ),
        ({"x": np.zeros((3, 2)), "length": [1, 2], "id": ["a", "a"]}, "id repeats an id"),
        (
            {"x": np.zeros((3, 2)), "length": [3], "t": [0, 1]},
            r"expected t to be numbers of shape \(3, width\)",
        ),
        (
            {"x": np.zeros((3, 2)), "length": [3], "t": [0, 1, 1]},
            "row 3: track 0 has time 1 twice, first in row 2",
        ),
        (
            {"x": np.array([[1.0], [np.inf]]), "length": [2]},
            "row 2, column 'x0': expected a finite number",
        ),
    ],
)
def test_refuses_npz(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=message):
        read_tracks(tmp_path / "a.npz")


def test_refuses_a_damaged_npz(write):
    with pytest.raises(DataError, match="expected an NPZ archive"):
        read_tracks(write(b"PK\x03\x04 damaged", "a.npz"))
    with pytest.raises(DataError, match="expected an NPZ archive"):
        read_tracks(write("id,t\n", "b.npz"))


# DataFrames and Parquet

FRAME = pd.DataFrame(
    {
        "id": [10, 2**60, 10],
        "t": pd.to_datetime(["1970-01-01T00:00:00", "1970-01-01T00:00:01", "1970-01-01T00:00:02"]),
        "x": pd.array([1, 2, None], dtype="Int64"),
        "y": [1.5, np.nan, 3.5],
    }
)


@pytest.mark.parametrize("kind", ["pandas", "pyarrow", "parquet"])
def test_frames(tmp_path, kind):
    source = FRAME if kind == "pandas" else pa.Table.from_pandas(FRAME)
    if kind == "parquet":
        pq.write_table(source, tmp_path / "a.parquet")
        source = tmp_path / "a.parquet"
    tracks = read_tracks(source)
    assert tracks.ids == ["10", str(2**60)]
    assert tracks.times[0].tolist() == [0, 2]
    np.testing.assert_array_equal(tracks.x[0], [[1, 1.5], [np.nan, 3.5]])


def test_refuses_frames(write):
    with pytest.raises(DataError, match=r"expected a path or a DataFrame .* found list"):
        read_tracks([1, 2])
    with pytest.raises(DataError, match="DataFrame: expected rows of tracks, found none"):
        read_tracks(FRAME[:0])
    with pytest.raises(
        DataError, match="DataFrame, row 2, column 'x': expected a number, found 'far'"
    ):
        read_tracks(pd.DataFrame({"x": ["1", "far"], "y": [1, 2]}))
    with pytest.raises(DataError, match=r"DataFrame, row 2, column 'id': .* found an empty cell"):
        read_tracks(pd.DataFrame({"id": ["a", None], "x": [1, 2], "y": [1, 2]}))
    with pytest.raises(DataError, match="expected a Parquet file"):
        read_tracks(write("id,t,x,y\n", "a.parquet"))


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "narwhals", None)
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'vrnn[frames]'")):
        read_tracks(FRAME)


# Paths and folders


def test_folder(write, tmp_path):
    write(ETH, "b.txt")
    write("id,t,x,y\n1,0,1,2\n", "a.csv")
    write("not read", "notes.md")
    write("not read", ".hidden.csv")
    write("not read", "inner/c.csv")
    assert read_tracks(str(tmp_path)).ids == ["a/1", "b/1", "b/2"]
    write(ETH, "a.txt")
    assert read_tracks(tmp_path).ids == ["a.csv/1", "a.txt/1", "a.txt/2", "b/1", "b/2"]


def test_refuses_folders_and_paths(write, tmp_path):
    write(ETH, "inner/b.txt")
    with pytest.raises(
        DataError, match="found none; sub-folders are not searched, so name one of inner"
    ):
        read_tracks(tmp_path)
    write("id,t,x,y\n1,0,1,2\n", "inner/a.csv")
    write(STORM, "inner/c.txt")
    with pytest.raises(DataError, match="the files do not fit together: expected the same x_names"):
        read_tracks(tmp_path / "inner")
    with pytest.raises(
        DataError,
        match=r"a\.csv: expected a file or folder of tracks, but .*nowhere does not exist",
    ):
        read_tracks(tmp_path / "nowhere" / "a.csv")
    with pytest.raises(
        DataError,
        match=r"found the extension '\.xlsx'; rename the file, or read it into a DataFrame",
    ):
        read_tracks(write("", "a.xlsx"))


def test_the_pedestrian_files_read_fast(data_dir):
    started = time.perf_counter()
    tracks = read_tracks(data_dir / "eth_ucy" / "univ" / "test")
    assert time.perf_counter() - started < 5  # 0.2 s on an idle machine
    assert (len(tracks), int(tracks.lengths.sum())) == (849, 39766)
    true_rate = read_tracks(data_dir / "eth_ucy" / "true_rate")
    assert {track.split("/")[0] for track in true_rate.ids} == {"seq_eth", "seq_hotel"}


def test_the_characters(data_dir):
    tracks = read_tracks(data_dir / "uci_characters" / "char_trajectories.npz", group="train")
    assert (len(tracks), tracks.x_dim, tracks.lengths.min(), tracks.lengths.max()) == (
        1429,
        3,
        109,
        205,
    )
