"""Tables of results: what is written in each format is read back, and no other ending is taken."""

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vrnn.data.io.write import check_ending, table_writer, write_table
from vrnn.errors import DataError

TABLE = {
    "id": np.array(["a, b", "c"], dtype=object),
    "step": np.array([1, 2]),
    "x": np.array([0.1, np.nan]),
}


def test_csv_has_the_shortest_numbers_and_empty_cells(tmp_path):
    path = write_table(TABLE, tmp_path / "new" / "a.csv")
    assert path.read_text() == 'id,step,x\n"a, b",1,0.1\n"c",2,\n'


def test_parquet(tmp_path):
    frame = pd.read_parquet(write_table(TABLE, tmp_path / "a.parquet"))
    assert frame["id"].tolist() == ["a, b", "c"] and frame["step"].tolist() == [1, 2]
    np.testing.assert_array_equal(frame["x"], TABLE["x"])


def test_npz(tmp_path):
    with np.load(write_table(TABLE, tmp_path / "a.npz"), allow_pickle=False) as archive:
        assert archive["id"].tolist() == ["a, b", "c"]
        np.testing.assert_array_equal(archive["x"], TABLE["x"])


def test_other_endings_are_refused_before_anything_is_written(tmp_path):
    for refuse in (check_ending, lambda path: write_table(TABLE, path)):
        with pytest.raises(DataError, match=r"ending in \.csv, \.parquet or \.npz"):
            refuse(tmp_path / "a.xlsx")
    assert not list(tmp_path.iterdir())


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert write_table(TABLE, "~/a.csv") == tmp_path / "a.csv"
    assert (tmp_path / "a.csv").is_file()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(x=arrays(np.float64, st.integers(1, 20), elements=st.floats(allow_infinity=False)))
def test_numbers_of_a_csv_read_back_to_the_same(x, tmp_path_factory):
    """Columns of whole numbers read back as floats."""
    path = write_table({"x": x, "y": np.arange(len(x))}, tmp_path_factory.mktemp("a") / "a.csv")
    cells = [line.split(",") for line in path.read_text().splitlines()[1:]]
    np.testing.assert_array_equal([float(a) if a else np.nan for a, _ in cells], x)
    assert [int(b) for _, b in cells] == list(range(len(x)))
    frame = pd.read_csv(path, skip_blank_lines=False)
    assert frame["x"].dtype == float and frame["y"].dtype == int


@pytest.mark.parametrize(
    "cell", ["a,b", 'say "a"', "two\nlines", "two\rlines", " a ", "", "NA", "7", "é"]
)
def test_text_of_a_csv_reads_back_to_the_same(cell, tmp_path):
    table = {"id": np.array([cell, "b"], object), "x": np.array([1.5, 2.5])}
    read = pd.read_csv(
        write_table(table, tmp_path / "a.csv"), keep_default_na=False, dtype={"id": str}
    )
    assert read["id"].tolist() == [cell, "b"] and read["x"].tolist() == [1.5, 2.5]


PARTS = [{name: values[i : i + 1] for name, values in TABLE.items()} for i in range(2)]


@pytest.mark.parametrize("ending", ["csv", "parquet", "npz"])
def test_parts_give_the_table_of_the_whole(ending, tmp_path):
    whole = write_table(TABLE, tmp_path / f"whole.{ending}")
    with table_writer(tmp_path / f"parts.{ending}") as writer:
        for part in PARTS:
            writer.append(part)
    read = {
        "csv": lambda p: pd.read_csv(p),
        "parquet": lambda p: pd.read_parquet(p),
        "npz": lambda p: pd.DataFrame(dict(np.load(p))),
    }[ending]
    pd.testing.assert_frame_equal(read(whole), read(tmp_path / f"parts.{ending}"))


@pytest.mark.parametrize("ending", ["csv", "parquet", "npz"])
def test_a_failure_after_the_first_part_leaves_the_old_file(ending, tmp_path):
    path = write_table(TABLE, tmp_path / f"a.{ending}")
    before = path.read_bytes()
    with pytest.raises(RuntimeError), table_writer(path) as writer:
        writer.append(PARTS[0])
        raise RuntimeError
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ([1], [0.5], "double"),
        ([0.5], [1], "double"),
        ([1], ["a"], "string"),
        (["a"], ["b"], "string"),
    ],
)
def test_later_parts_widen_the_types_of_a_parquet_file(first, second, kind, tmp_path):
    with table_writer(tmp_path / "a.parquet") as writer:
        for cells in (first, first, second):
            writer.append({"id": np.array(cells, object), "x": np.ones(1)})
    found = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    assert str(found.schema.field("id").type) == kind
    as_kind = str if kind == "string" else float
    assert found["id"].to_pylist() == [as_kind(cell) for cell in (*first, *first, *second)]
    assert [p.name for p in tmp_path.iterdir()] == ["a.parquet"]
