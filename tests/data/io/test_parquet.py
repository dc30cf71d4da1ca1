"""Parquet files."""

import numpy as np
import pytest
from tests.helpers.track_files import FRAME

from vrnn.data.io import read_tracks
from vrnn.errors import DataError


def test_parquet(tmp_path):
    FRAME.to_parquet(tmp_path / "a.parquet")
    tracks = read_tracks(tmp_path / "a.parquet")
    assert tracks.ids == ["10", str(2**60)]
    assert tracks.times[0].tolist() == [0, 2]
    np.testing.assert_array_equal(tracks.x[0], [[1, 1.5], [np.nan, 3.5]])


def test_refuses_what_is_no_parquet_file(write):
    with pytest.raises(DataError, match="expected a Parquet file"):
        read_tracks(write("id,t,x,y\n", "a.parquet"))
