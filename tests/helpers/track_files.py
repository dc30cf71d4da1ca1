"""Small files of tracks, and the values that were read."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vrnn.data.io import read_tracks
from vrnn.errors import DataError

STORM = """\
AL012018,            ALBERTO,      2,
20180525, 1200,  , SD, 18.0N,  86.5W,  30, 1006,    0,    0,
20180525, 1830, L, EX, 18.4S,   2.9E, -99, -999,    0,    0,
EP022018,                BUD,      2,
20180610, 0000,  , HU, 18.0N, 179.5W, 100,  960,    0,    0,
20180610, 0600,  , HU, 18.0N, 179.5E, 100,  960,    0,    0,
"""
ETH = "0\t1.0\t8.46\t3.59\n0\t2.0\t1\t1\n10\t1.0\t9.57\t3.79\n"
FRAME = pd.DataFrame(
    {
        "id": [10, 2**60, 10],
        "t": pd.to_datetime(["1970-01-01T00:00:00", "1970-01-01T00:00:01", "1970-01-01T00:00:02"]),
        "x": pd.array([1, 2, None], dtype="Int64"),
        "y": [1.5, np.nan, 3.5],
    }
)


def values(tracks):
    return [x.tolist() for x in tracks.x]


def check_refused(path: Path, message: str) -> None:
    """Check that a file is refused with a message that names it."""
    with pytest.raises(DataError, match=message) as error:
        read_tracks(path)
    assert str(path) in str(error.value)
