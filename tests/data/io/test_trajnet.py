"""TrajNet++ rows and scenes."""

import json

import numpy as np
import pytest

from vrnn.data.io import read_tracks
from vrnn.errors import DataError


def test_trajnet(write):
    rows = [
        {"scene": {"id": 0, "p": 3, "s": 8, "e": 16, "fps": 2.5}},
        {"track": {"f": 16, "p": 3, "x": 1.5, "y": 2}},
        {"track": {"f": 8, "p": 4, "x": 0, "y": 0}},
        {"track": {"f": 8, "p": 3, "x": 1, "y": None}},
        {"track": {"f": 24, "p": 3, "x": 9, "y": 9, "prediction_number": 0, "scene_id": 0}},
    ]
    tracks = read_tracks(write("\n".join(map(json.dumps, rows)), "a.ndjson"))
    assert (tracks.ids, tracks.times[1].tolist()) == (["3", "4"], [8])
    np.testing.assert_array_equal(tracks.x[0], [[1, np.nan], [1.5, 2]])


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
            "line 1, column 't': expected a time, .* found 'now'",
        ),
    ],
)
def test_refuses_trajnet(write, text, message):
    with pytest.raises(DataError, match=message):
        read_tracks(write(text, "a.ndjson"))
