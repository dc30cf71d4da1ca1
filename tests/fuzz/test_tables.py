"""Tables that are read equal what pandas reads: CSV in many dialects, Parquet and Feather."""

import csv
import gzip
import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import assume
from hypothesis import strategies as st
from tests.helpers.fuzz import check_message, fuzz

import vrnn
from vrnn.data.io.parse_cells import MISSING
from vrnn.errors import VrnnError

NAMES = {
    "id": ["id", "track", "walk", "mmsi", "icao24", "who is it"],
    "t": ["t", "time", "frame", "when"],
}
NUMBERS = st.one_of(
    st.integers(-1000, 1000).map(float),
    st.floats(-1e6, 1e6),
    st.floats(allow_nan=False, allow_infinity=False),
    st.just(float("nan")),
)
REMARKS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs", "Cc"]), max_size=6),
    st.sampled_from(['say "hi"', "a,b;c|d\te", "two\nlines", "#1", "# note", "'", "", " ", "NA", "007", "1e5", "true", "日本", "-"]),
)  # fmt: skip


def distinct(texts: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """Return lists of different ids, none of which stands for a missing value."""
    fit = texts.map(str.strip).filter(lambda text: text and text.lower() not in MISSING)
    return st.lists(fit, min_size=1, max_size=5, unique=True)


IDS = st.one_of(
    distinct(st.integers(0, 99).map(str)),
    distinct(st.integers(0, 2**70).map(str)),
    distinct(st.integers(0, 99).map("{:03d}".format)),
    distinct(st.decimals(0, 20, places=2).map(str)),
    distinct(st.from_regex(r"[0-9]{1,3}[.eE][0-9]{1,3}", fullmatch=True)),
    distinct(st.from_regex(r"[0-9a-f]{1,6}", fullmatch=True)),
    distinct(st.from_regex(r"[+-]?[0-9]{1,4}", fullmatch=True)),
    distinct(st.sampled_from(["true", "True", "FALSE", "yes", "inf", "0x1F", "1_000", "1,5", "1.0", "1", "01", "a", "A"])),
    distinct(REMARKS),
)  # fmt: skip


@st.composite
def times(draw: st.DrawFn, rows: int) -> list[Any]:
    """Return a time for each row: whole numbers, numbers, or dates as text."""
    whole = draw(st.lists(st.integers(-50, 1000), min_size=rows, max_size=rows))
    kind = draw(st.sampled_from(["whole", "numbers", "epoch", "ISO", "zone", "far"]))
    if kind == "whole":
        return whole
    if kind == "numbers":
        return [t / 8 + 0.1 for t in whole]
    if kind == "epoch":
        return [1_700_000_000_000 + t for t in whole]
    if kind == "far":
        return [t * 10**12 for t in whole]
    dates = pd.Timestamp("2024-02-28T23:00:00") + pd.to_timedelta(np.array(whole) * 977, "s")
    return [d.isoformat() + ("+02:00" if kind == "zone" else "") for d in dates]


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """Return a table of tracks whose cells are numbers and texts of any kind."""
    ids = draw(IDS)
    rows = draw(st.integers(1, 12))
    column = lambda kind: draw(st.lists(kind, min_size=rows, max_size=rows))  # noqa: E731
    cells = {
        draw(st.sampled_from(NAMES["id"])): column(st.sampled_from(ids)),
        draw(st.sampled_from(NAMES["t"])): draw(times(rows)),
        "x": column(NUMBERS),
        "y": column(NUMBERS | st.integers(-5, 5).map(float)),
        "speed": column(NUMBERS),
    }
    if draw(st.booleans()):
        cells["remark"] = column(REMARKS)
    order = draw(st.permutations(list(cells)))
    return pd.DataFrame({name: cells[name] for name in order})


class Text:
    """How a table is written as text, and the same for pandas to read it.

    Attributes:
        write: arguments of `DataFrame.to_csv`.
        read: arguments of `pandas.read_csv`.
        encoding, ending: of the file.
    """

    def __init__(self, write: dict, read: dict, encoding: str, ending: str):
        self.write, self.read, self.encoding, self.ending = write, read, encoding, ending

    def __repr__(self) -> str:
        return f"Text({self.write}, {self.encoding!r}, {self.ending!r})"


@st.composite
def dialects(draw: st.DrawFn) -> Text:
    """Return a way to write a table as text."""
    sep = draw(st.sampled_from([",", ";", "\t", "|"]))
    decimal = draw(st.sampled_from([".", ","])) if sep != "," else "."
    missing = draw(st.sampled_from(["", "NA", "nan", "NaN", "null", "-", "N/A", "None", "?"]))
    write = {
        "sep": sep,
        "decimal": decimal,
        "na_rep": missing,
        "lineterminator": draw(st.sampled_from(["\n", "\r\n"])),
        "quoting": draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])),
        "float_format": draw(st.sampled_from([None, None, "%.6f", "%g", "%.3e", "%+.2f"])),
    }
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16"]))
    ending = draw(st.sampled_from([".csv", ".tsv", ".txt", ".dat", ".psv", ".csv.gz"]))
    return Text(write, {"sep": sep, "decimal": decimal}, encoding, ending)


def without_zeros(ids: pd.Series) -> pd.Series:
    """Return ids of text without the .0 that pandas gives to whole numbers, if they stay apart."""
    whole = ids.str.partition(".")[0].where(ids.notna())
    all_whole = ids.dropna().str.fullmatch(r"\d+\.0+").all()
    return whole if all_whole and whole.nunique() == ids.nunique() else ids


def as_seconds(times: pd.Series, decimal: str) -> pd.Series:
    """Return times of text as numbers, which are seconds since 1970 where they are dates."""
    if times.str.contains("T", na=False).any():
        return (pd.to_datetime(times, utc=True) - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
    return times.str.replace(decimal, ".").map(float)


def expected(frame: pd.DataFrame, id: str, t: str, values: list[str]) -> dict[str, pd.DataFrame]:
    """Return the rows of each track by time, the first of those that repeat a time."""
    tracks = {}
    for name, rows in frame.groupby(id, sort=False):
        rows = rows.drop_duplicates(t, keep="first").sort_values(t, kind="stable")
        tracks[str(name)] = rows[[t, *values]].astype(float)
    return tracks


def check_equal(tracks: vrnn.Tracks, found: dict[str, pd.DataFrame], within: float = 0.0) -> int:
    """Compare tracks with the rows of pandas, and return how many cells were compared.

    Args:
        within: the most that a time may differ by.
    """
    assert tracks.ids == list(found)
    cells = 0
    for time, x, u, rows in zip(tracks.times, tracks.x, tracks.u, found.values(), strict=True):
        cells_of_pandas = rows.to_numpy(float)
        np.testing.assert_array_equal(np.column_stack([x, u]), cells_of_pandas[:, 1:])
        np.testing.assert_allclose(time, cells_of_pandas[:, 0], rtol=0, atol=within)
        cells += cells_of_pandas.size
    return cells


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@fuzz(frame=frames(), text=dialects())
def test_text_equals_what_pandas_reads(
    frame: pd.DataFrame, text: Text, place: Path, tried: Counter[str]
) -> None:
    """Each cell, per track and in order of time."""
    id, t = (next(n for n in NAMES[role] if n in frame) for role in ("id", "t"))
    first = frame[frame.columns[0]].astype(str)
    if text.write["quoting"] == csv.QUOTE_MINIMAL:
        assume(not first.str.startswith("#").any())  # such a line is a comment
    buffer = io.StringIO()
    frame.to_csv(buffer, index=False, **text.write)
    raw = buffer.getvalue().encode(text.encoding)
    path = place / f"a{text.ending}"
    path.write_bytes(gzip.compress(raw) if text.ending.endswith(".gz") else raw)
    columns = vrnn.Columns(id=id, t=t, x=("x", "y"), u=("speed",))
    try:
        tracks = vrnn.read_tracks(path, columns, duplicates="first")
    except VrnnError as error:
        check_message(error)
        tried["tables refused"] += 1
        return
    found = pd.read_csv(
        path,
        encoding=text.encoding,
        dtype=str,
        keep_default_na=False,
        na_values=[form for m in MISSING for form in (m, m.upper(), m.capitalize())],
        **text.read,
    )
    found[id] = without_zeros(found[id])
    for name in ("x", "y", "speed"):
        found[name] = found[name].str.replace(text.write["decimal"], ".").map(float)
    found[t] = as_seconds(found[t], text.write["decimal"])
    tried["tables read"] += 1
    tried["cells compared"] += check_equal(tracks, expected(found, id, t, ["x", "y", "speed"]))


UNITS = ("s", "ms", "us", "ns")
TEXTS = (pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string()))
WHOLE = (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint64())
PARTS = (pa.float32(), pa.float64(), pa.decimal128(20, 3))
START = 1_709_161_200  # seconds from 1970 to a day before 29 February 2024


def mostly(cell: st.SearchStrategy) -> st.SearchStrategy:
    """Return cells of which some are missing."""
    return st.integers(0, 9).flatmap(lambda i: st.none() if i == 9 else cell)


@st.composite
def id_columns(draw: st.DrawFn, rows: int) -> pa.Array:
    """Return ids of text or of whole numbers, of any type that holds them."""
    kind = draw(st.sampled_from([*TEXTS, *WHOLE, pa.float64()]))
    ids = draw(IDS if kind in TEXTS else st.lists(st.integers(0, 100), min_size=1, max_size=4))
    cells = draw(st.lists(mostly(st.sampled_from(ids)), min_size=rows, max_size=rows))
    return pa.array(cells, kind)


@st.composite
def time_columns(draw: st.DrawFn, rows: int) -> pa.Array:
    """Return times of any type, a few of them missing."""
    whole = draw(st.lists(mostly(st.integers(0, 90)), min_size=rows, max_size=rows))
    scaled = lambda factor: [None if t is None else t * factor for t in whole]  # noqa: E731
    unit = draw(st.sampled_from(UNITS))
    ticks = 10 ** (3 * UNITS.index(unit))
    kind = draw(st.sampled_from(["numbers", "moments", "days", "time of day", "duration"]))
    if kind == "numbers":
        return pa.array(whole, draw(st.sampled_from([*WHOLE, *PARTS])))
    if kind == "moments":
        zone = draw(st.sampled_from([None, "UTC", "Europe/Oslo", "+05:30", "America/New_York"]))
        moments = [None if t is None else START * ticks + t * 61 * ticks // 60 for t in whole]
        return pa.array(moments, pa.timestamp(unit, zone))
    if kind == "days":
        days = pa.array(scaled(1), pa.int32()).cast(pa.date32())
        return days.cast(draw(st.sampled_from([pa.date32(), pa.date64()])))
    if kind == "duration":
        return pa.array(scaled(ticks), pa.duration(unit))
    type_ = {"s": pa.time32, "ms": pa.time32, "us": pa.time64, "ns": pa.time64}[unit](unit)
    return pa.array(scaled(ticks), type_)


@st.composite
def number_columns(draw: st.DrawFn, rows: int) -> pa.Array:
    """Return numbers of any type, some of them missing."""
    kind = draw(st.sampled_from([*WHOLE, *PARTS, pa.float16(), pa.string(), pa.bool_()]))
    cell: st.SearchStrategy[Any] = st.integers(0, 100)
    if kind == pa.decimal128(20, 3):
        cell = st.decimals(-1000, 1000, places=3)
    elif kind == pa.float16():
        cell = st.floats(-60_000, 60_000, width=16).map(np.float16)
    elif pa.types.is_floating(kind):
        cell = st.floats(-1e6, 1e6, width=kind.bit_width)
    elif kind == pa.string():
        cell = NUMBERS.map(str)
    elif kind == pa.bool_():
        cell = st.booleans()
    return pa.array(draw(st.lists(mostly(cell), min_size=rows, max_size=rows)), kind)


@st.composite
def arrow_tables(draw: st.DrawFn) -> pa.Table:
    """Return a table of tracks whose columns have any type that fits them."""
    rows = draw(st.integers(1, 12))
    columns = {"id": draw(id_columns(rows)), "t": draw(time_columns(rows))}
    columns |= {name: draw(number_columns(rows)) for name in ("x", "y", "speed")}
    columns["remark"] = pa.array(draw(st.lists(REMARKS, min_size=rows, max_size=rows)))
    order = draw(st.permutations(list(columns)))
    table = pa.table({name: columns[name] for name in order})
    cut = draw(st.integers(0, rows))  # a file may have several parts
    return pa.concat_tables([table[:cut], table[cut:]])


def as_numbers(column: pd.Series, kind: pa.DataType) -> pd.Series:
    """Return a column of pandas as float64: seconds where it holds times."""
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return (pd.to_datetime(column, utc=True) - pd.Timestamp(0, tz="UTC")) / pd.Timedelta("1s")
    if pa.types.is_time(kind):
        return pd.to_timedelta(column.astype(str).where(column.notna())) / pd.Timedelta("1s")
    if pa.types.is_duration(kind):
        return column / pd.Timedelta("1s")
    return column.map(lambda cell: np.nan if cell is None else float(cell)).astype(float)


@fuzz(table=arrow_tables(), ending=st.sampled_from(["parquet", "feather"]))
def test_columns_equal_what_pandas_reads(
    table: pa.Table, ending: str, place: Path, tried: Counter[str]
) -> None:
    """Each cell, per track and in order of time, whatever types the columns have."""
    path = place / f"a.{ending}"
    write = {"parquet": pyarrow.parquet.write_table, "feather": pyarrow.feather.write_feather}
    read = {"parquet": pyarrow.parquet.read_table, "feather": pyarrow.feather.read_table}
    write[ending](table, path)
    columns = vrnn.Columns(id="id", t="t", x=("x", "y"), u=("speed",))
    try:
        tracks = vrnn.read_tracks(path, columns, duplicates="first")
    except VrnnError as error:
        check_message(error)
        tried["tables refused"] += 1
        return
    stored = read[ending](path)
    kinds = {field.name: field.type for field in stored.schema}
    found = stored.to_pandas()
    for name in ("t", "x", "y", "speed"):
        found[name] = as_numbers(found[name], kinds[name])
    found = found[found["t"].notna() & found["id"].notna()]
    numbered = found["id"].dtype.kind in "fiu"
    found["id"] = found["id"].astype(int) if numbered else without_zeros(found["id"].astype(str))
    tried["tables read"] += 1
    rows = expected(found, "id", "t", ["x", "y", "speed"])
    numbers = pa.types.is_integer(kinds["t"]) or pa.types.is_floating(kinds["t"])
    tried["cells compared"] += check_equal(tracks, rows, 0.0 if numbers else 1e-6)
