"""Files of any format, damaged in any way, are read or refused in one line."""

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.data.io.test_files_of_others import FRAME, TEXT_FILES
from tests.helpers.fuzz import check_message, fuzz
from tests.helpers.track_files import ETH, STORM

import vrnn
from vrnn.data.io.read import READERS, TEXT
from vrnn.data.io.recognise import IDS, PAIRS, TIMES
from vrnn.errors import VrnnError

TRAJNET = '{"scene": {"id": 0, "p": 3, "s": 8, "e": 16, "fps": 2.5}}\n' + "".join(
    f'{{"track": {{"f": {f}, "p": {p}, "x": 1.5, "y": {f}}}}}\n' for p in (3, 4) for f in (8, 16)
)
NOTES = '{"train": [[[60, 64, 67], [62]], [[60, 60, -1]]], "test": [[[72, null, NaN]]]}'
GOOD = {
    **{kind: (name, text) for kind, (name, text, _) in TEXT_FILES.items()},
    "ETH": ("a.txt", ETH),
    "storms": ("a.txt", STORM),
    "TrajNet++": ("a.ndjson", TRAJNET),
    "notes": ("a.json", NOTES),
    "usual": ("a.csv", "id,t,x,y,kind\n" + "".join(f"{i},{t},{t}.5,-{i}e-1,tug\n" for i in "ab" for t in range(3))),
}  # fmt: skip
ENDINGS = (*TEXT, *READERS, ".json", "")
CELLS = st.one_of(
    st.sampled_from([
        "", " ", "NaN", "NA", "-", "inf", "-Infinity", "1e400", "1e-400", "-0", "0", "1", "007", "9" * 400, "0x10",
        "1_0", "1,5", "1.234,5", "2024-02-30", "2024-02-29T12:00:00Z", "29/02/2023", "0000-00-00", "9999-12-31",
        "99999-01-01", "2024-01-01T00:00:00+99:99", "24:00:00", "-1:00:00", "99999999999:00:00", "20240230", "true",
        "#", '"', '""', "'", "a,b", "[1, 2]", "POINT (1 2)", "1.5,2.5", "{}", "\\", "\x00", "\x1b[31m", "\u2028",
        "\x0b", "\x85", "\ufeff", "日本", "١٢", "½", "x" * 2000, "a\nb", "\r", "=1+1", "1e5", "None", "91", "181", "200",
    ]),
    st.text(max_size=5),
    st.integers(-(10**25), 10**25).map(str),
    st.floats().map(str),
    st.dates().map(str),
    st.datetimes().map(str),
    st.times().map(str),
    st.timedeltas().map(str),
)  # fmt: skip
MARKS = st.sampled_from(
    [*list(",;\t| \n\r\"'#-+.:/<>{}[]()=&\x00\x0b\x1c\x85\u2028\ufeff"), "\r\n", "\n\n"]
)
ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1", "utf-16-le", "utf-32")


@st.composite
def changed(draw: st.DrawFn, text: str) -> str:
    """Return a text with one change: a cell, a mark or a line that is replaced, lost or repeated."""
    how = draw(st.sampled_from(["cell", "mark", "lose", "cut", "line", "swap", "mark for mark"]))
    at = draw(st.integers(0, len(text)))
    if how == "cell":  # in place of the characters up to the next mark
        end = next((i for i in range(at, len(text)) if text[i] in ',;\t|\n"<>'), len(text))
        start = next((i for i in range(at - 1, -1, -1) if text[i] in ',;\t|\n"<>'), -1) + 1
        return text[:start] + draw(CELLS) + text[end:]
    if how == "mark":
        return text[:at] + draw(MARKS) + text[at:]
    if how == "lose":
        return text[:at] + text[at + draw(st.integers(1, 9)) :]
    if how == "cut":
        return text[:at]
    if how == "mark for mark":
        return text.replace(draw(st.sampled_from(list(",;\t|\n.:- "))), draw(MARKS))
    lines = text.splitlines(keepends=True) or [""]
    one, two = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    if how == "line":
        lines[one:one] = [lines[two]] * draw(st.integers(1, 3))
    else:
        lines[one], lines[two] = lines[two], lines[one]
    return "".join(lines)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """Return the name and the bytes of a file that was good before some changes."""
    name, text = GOOD[draw(st.sampled_from(sorted(GOOD)))]
    for _ in range(draw(st.integers(0, 4))):
        text = draw(changed(text))
    if draw(st.integers(0, 9)) == 0:
        name = "a" + draw(st.sampled_from(ENDINGS))
    return name, text.encode(draw(st.sampled_from(ENCODINGS)), "replace")


HEADERS = st.one_of(
    st.sampled_from(["id", "t", "x", "y", "lat", "lon", "time", "date", "track_id", "remark", "mmsi", "sog", "visible"]),
    st.sampled_from([*IDS, *TIMES, *(name for pair in PAIRS for name in pair)]),
    st.sampled_from(["home_1_x", "home_1_y", "ball_x", "ball_y", "away_x", "away_y", "recording", "", "position", "a=b", "1"]),
    st.text(max_size=4),
)  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, bytes]:
    """Return a table of text with names and cells of any kind."""
    names = draw(st.lists(HEADERS, min_size=1, max_size=8))
    if draw(st.booleans()):
        names = [*draw(st.permutations(["id", "t", "x", "y"])), *names[:3]]
    kinds = [
        draw(st.sampled_from([CELLS, st.integers(0, 3).map(str), st.floats(-9, 9).map(str)]))
        for _ in names
    ]
    rows = [[draw(kind) for kind in kinds] for _ in range(draw(st.integers(0, 6)))]
    mark = draw(st.sampled_from(list(",;\t| ")))
    text = draw(st.sampled_from(["\n", "\r\n", "\r"])).join(
        mark.join(row) for row in [names, *rows]
    )
    return "a.csv", text.encode("utf-8", "replace")


COLUMNS = st.one_of(
    st.just(None),
    st.just(None),
    st.builds(
        vrnn.Columns,
        id=st.sampled_from(["", "", None, "id", "t", "track_id", "remark"]),
        t=st.sampled_from(["", "", None, "t", "time", "date", "id"]),
        x=st.sampled_from([(), ("x", "y"), ("lat", "lon"), ("x",), ("remark",), ("time", "x")]),
        u=st.sampled_from([(), (), ("kind",), ("speed",), ("x",), ("remark", "t")]),
        names=st.sampled_from([(), (), (), ("id", "t", "x", "y"), ("x", "y")]),
    ),
)
SETTINGS = st.fixed_dictionaries(
    {
        "columns": COLUMNS,
        "sort": st.booleans(),
        "duplicates": st.sampled_from(["auto", "first", "mean", "error"]),
        "format": st.sampled_from(["auto", "auto", "auto", "columns", "piano-roll"]),
        "group": st.sampled_from(["", "", "", "train", "a"]),
    }
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


def check_read(source: Any, settings: dict[str, Any], tried: Counter[str]) -> None:
    """Check that a source is read or refused in one line."""
    tried["files"] += 1
    try:
        tracks = vrnn.read_tracks(source, **settings)
    except VrnnError as error:
        check_message(error)
        return
    tried["files read"] += 1
    assert len(tracks) and tracks.lengths.min() >= 1


@fuzz(file=damaged(), settings=SETTINGS)
def test_damaged_files(file, settings, place: Path, tried: Counter[str]) -> None:
    """Text of every format, with cells, marks and lines changed."""
    (place / file[0]).write_bytes(file[1])
    check_read(place / file[0], settings, tried)


@fuzz(file=tables(), settings=SETTINGS)
def test_odd_tables(file, settings, place: Path, tried: Counter[str]) -> None:
    """Tables of any names and cells."""
    (place / file[0]).write_bytes(file[1])
    check_read(place / file[0], settings, tried)


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), CELLS,
    st.sampled_from([60, 1, 2, "id", "Point", "LineString", [1, 2], [[1, 2], [3, 4]], [60, 64]]),
)  # fmt: skip
KEYS = st.sampled_from(
    ["type", "features", "geometry", "coordinates", "properties", "id", "time", "times", "coordTimes", "track", "scene",
     "f", "p", "x", "y", "prediction_number", "train", "test", "line", "lon", "lat", "coordinateProperties", ""]
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | CELLS, inner, max_size=4),
    max_leaves=12,
)
PLACES = st.one_of(
    st.lists(st.floats(-90, 90), min_size=2, max_size=3), st.lists(LEAVES, max_size=3)
)


def features(leaf: st.SearchStrategy) -> st.SearchStrategy:
    """Return features of GeoJSON, most of whose parts are as they should be."""
    geometry = st.one_of(
        st.fixed_dictionaries({"type": st.just("Point"), "coordinates": PLACES}),
        st.fixed_dictionaries({"type": st.just("LineString"), "coordinates": st.lists(PLACES, max_size=3)}),
        st.fixed_dictionaries({"type": st.just("MultiLineString"), "coordinates": st.lists(st.lists(PLACES, max_size=3), max_size=3)}),
        leaf,
    )  # fmt: skip
    properties = st.dictionaries(KEYS, leaf | st.lists(leaf, max_size=3), max_size=4)
    return st.fixed_dictionaries(
        {"type": st.just("Feature"), "geometry": geometry, "properties": properties | leaf}
    )


GEOJSON = st.fixed_dictionaries(
    {
        "type": st.just("FeatureCollection"),
        "features": st.lists(features(VALUES), max_size=4) | VALUES,
    }
)
ROWS = st.fixed_dictionaries(
    {"track": st.fixed_dictionaries({name: LEAVES | st.integers(0, 3) for name in "fpxy"}) | VALUES}
)
PIECES = st.lists(
    st.lists(st.lists(st.integers(20, 109) | LEAVES, max_size=4) | VALUES, max_size=4), max_size=3
)


@fuzz(
    value=st.one_of(GEOJSON, features(VALUES), st.lists(ROWS, max_size=4), PIECES, st.dictionaries(KEYS, PIECES, max_size=2), VALUES),
    ending=st.sampled_from([".json", ".geojson", ".ndjson"]),
    settings=SETTINGS,
)  # fmt: skip
def test_json(value, ending: str, settings, place: Path, tried: Counter[str]) -> None:
    """JSON of any shape, as GeoJSON, TrajNet++ and notes."""
    rows = value if ending == ".ndjson" and isinstance(value, list) else [value]
    path = place / f"a{ending}"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    check_read(path, settings, tried)


ARRAYS = hnp.arrays(
    st.one_of(
        hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes(), hnp.boolean_dtypes(),
        hnp.unicode_string_dtypes(max_len=3), hnp.byte_string_dtypes(max_len=3), hnp.datetime64_dtypes(), hnp.complex_number_dtypes(),
    ),
    st.sampled_from([(), (0,), (1,), (4,), (4, 1), (4, 2), (4, 2, 1), (0, 2), (4, 11), (4, 88), (2,), (3, 2)]),
)  # fmt: skip


NAMES = st.sampled_from(
    ["x", "X", "length", "len", "t", "id", "u", "y", "train_x", "train_len", "test_x", "a"]
)
FITTING = st.one_of(
    ARRAYS, st.just(np.array([4])), st.just(np.array([1, 3])), st.just(np.zeros((4, 2))), st.just(np.arange(4)), st.just(np.array(["a", "b"]))
)  # fmt: skip


@fuzz(good=st.booleans(), arrays=st.dictionaries(NAMES, FITTING, max_size=4), settings=SETTINGS)
def test_archives(good: bool, arrays, settings, place: Path, tried: Counter[str]) -> None:
    """NumPy archives of arrays of any type and shape."""
    usual = {"x": np.zeros((4, 2)), "length": np.array([1, 3])} if good else {}
    np.savez(place / "a.npz", **(usual | arrays))
    check_read(place / "a.npz", settings, tried)


def packed() -> dict[str, bytes]:
    """Return good files of bytes by their names."""
    table, found = pa.Table.from_pandas(FRAME), {}
    for name, write in (
        ("a.parquet", pyarrow.parquet.write_table),
        ("a.feather", pyarrow.feather.write_feather),
    ):
        stream = io.BytesIO()
        write(table, stream)
        found[name] = stream.getvalue()
    stream = io.BytesIO()
    np.savez_compressed(stream, x=np.arange(8.0).reshape(4, 2), length=[1, 3], id=["a", "b"])
    found["a.npz"] = stream.getvalue()
    return found


PACKED = packed()


@fuzz(
    name=st.sampled_from(sorted(PACKED)),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 4)), max_size=3),
    settings=SETTINGS,
)  # fmt: skip
def test_damaged_bytes(name, changes, settings, place: Path, tried: Counter[str]) -> None:
    """Parquet, Feather and archives with bytes that are changed, lost or added."""
    raw = PACKED[name]
    for where, new, lost in changes:
        at = int(where * len(raw))
        raw = raw[:at] + new + raw[at + lost :]
    (place / name).write_bytes(raw)
    check_read(place / name, settings, tried)


TYPES = st.sampled_from([
    pa.null(), pa.bool_(), pa.int8(), pa.uint64(), pa.float16(), pa.float64(), pa.decimal128(5, 2), pa.decimal256(50, -3),
    pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary(21), pa.date32(), pa.date64(),
    pa.time32("s"), pa.time64("ns"), pa.timestamp("ns"), pa.timestamp("s", "Europe/Oslo"), pa.timestamp("us", "Nowhere/Land"),
    pa.duration("ms"), pa.month_day_nano_interval(), pa.list_(pa.float64()), pa.list_(pa.float64(), 2), pa.map_(pa.string(), pa.int8()),
    pa.struct({"x": pa.float64(), "y": pa.float64()}), pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int8(), pa.int64()),
])  # fmt: skip


@st.composite
def odd_columns(draw: st.DrawFn) -> pa.Table:
    """Return columns of any name and any type, whose values may be the extremes of that type."""
    rows = draw(st.integers(0, 5))
    columns = {}
    names = draw(st.lists(HEADERS, max_size=7, unique=True))
    usual = ["id", "t", "x", "y"] if draw(st.booleans()) else []
    plain = st.sampled_from([pa.int64(), pa.float64(), pa.string()])
    for name in dict.fromkeys([*usual, *names]):
        kind = draw(TYPES if name not in usual or draw(st.integers(0, 3)) == 0 else plain)
        try:
            if draw(st.booleans()):
                numbers = draw(
                    st.lists(
                        st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3),
                        min_size=rows,
                        max_size=rows,
                    )
                )
                columns[name] = pa.array(numbers, pa.int64()).cast(kind, safe=False)
            else:
                columns[name] = pa.array(
                    draw(st.lists(CELLS | st.none(), min_size=rows, max_size=rows))
                ).cast(kind, safe=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            columns[name] = pa.nulls(rows, kind)
    return pa.table(columns)


@fuzz(
    table=odd_columns(),
    settings=SETTINGS,
    way=st.sampled_from(["frame", "pandas", ".parquet", ".feather"]),
)
def test_odd_columns(table, settings, way: str, place: Path, tried: Counter[str]) -> None:
    """DataFrames, Parquet and Feather of columns of any type."""
    settings = {name: settings[name] for name in ("columns", "sort", "duplicates")}
    source: Any = table
    try:
        if way == "pandas":
            source = table.to_pandas()
        elif way != "frame":
            source = place / f"a{way}"
            write = {
                ".parquet": pyarrow.parquet.write_table,
                ".feather": pyarrow.feather.write_feather,
            }[way]
            write(table, source)
    except (
        pa.ArrowException,
        ValueError,
        OverflowError,
        KeyError,
        OSError,
        pd.errors.OutOfBoundsDatetime,
    ):
        return  # nobody can have such a file
    check_read(source, settings, tried)
