"""DataFrames of pandas and pyarrow."""

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tests.helpers.track_files import FRAME

from vrnn.data.io import read_tracks
from vrnn.errors import DataError, MissingExtraError


@pytest.mark.parametrize("frame", [FRAME, pa.Table.from_pandas(FRAME)], ids=["pandas", "pyarrow"])
def test_dataframes(frame):
    tracks = read_tracks(frame)
    assert tracks.ids == ["10", str(2**60)]
    assert tracks.times[0].tolist() == [0, 2]
    np.testing.assert_array_equal(tracks.x[0], [[1, 1.5], [np.nan, 3.5]])


def test_refuses_dataframes():
    with pytest.raises(DataError, match=r"expected a path or a DataFrame .* found list"):
        read_tracks([1, 2])
    with pytest.raises(DataError, match="DataFrame: expected rows of tracks, found none"):
        read_tracks(FRAME[:0])
    with pytest.raises(
        DataError, match="DataFrame, row 2, column 'x': expected a number, found 'far'"
    ):
        read_tracks(pd.DataFrame({"x": ["1", "far"], "y": [1, 2]}))
    with pytest.raises(DataError, match=r"DataFrame, row 2, column 'id': .* found an empty cell"):
        read_tracks(pd.DataFrame({"id": ["a", None, None], "x": [1, 2, 3], "y": [1, 2, 3]}))


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "narwhals", None)
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'vrnn[frames]'")):
        read_tracks(FRAME)


def test_an_index_with_a_name_is_a_column():
    frame = pd.DataFrame({"t": [7.0, 9.0], "x": [1, 2], "y": [3, 4]}).set_index("t")
    assert read_tracks(frame).times[0].tolist() == [7.0, 9.0]
    days = pd.DataFrame({"x": [1, 2], "y": [3, 4]}, pd.to_datetime(["2024-05-01", "2024-05-03"]))
    assert np.diff(read_tracks(days).times[0]).tolist() == [2 * 86400]


def test_an_index_that_only_counts_or_bears_the_name_of_a_column_is_left_out():
    frame = pd.DataFrame({"t": [7.0, 9.0], "x": [1, 2], "y": [3, 4]})
    for index in (pd.RangeIndex(5, 7), pd.Index([5.0, 6.0], name="t")):
        assert read_tracks(frame.set_axis(index)).times[0].tolist() == [7.0, 9.0]
