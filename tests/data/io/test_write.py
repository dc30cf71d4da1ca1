"""Tables of results: what is written in each format is read back, and no other ending is taken."""

import numpy as np
import pandas as pd
import pytest

from vrnn.data.io.write import check_ending, write_table
from vrnn.errors import DataError

TABLE = {
    "id": np.array(["a, b", "c"], dtype=object),
    "step": np.array([1, 2]),
    "x": np.array([0.1, np.nan]),
}


def test_csv_has_the_shortest_numbers_and_empty_cells(tmp_path):
    path = write_table(TABLE, tmp_path / "new" / "a.csv")
    assert path.read_text() == 'id,step,x\n"a, b",1,0.1\nc,2,\n'


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
