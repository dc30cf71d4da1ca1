"""ETH/UCY pedestrians, and lines that are none."""

import time

import pytest
from tests.helpers.track_files import ETH, values

from vrnn.data.io import read_tracks
from vrnn.errors import DataError


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
        ("MIT License\n", "expected delimited text with a header .* found 'MIT License'"),
    ],
)
def test_refuses_text(write, text, message):
    with pytest.raises(DataError, match=message):
        read_tracks(write(text, "a.txt"))


def test_the_pedestrian_files_read_fast(data_dir):
    started = time.perf_counter()
    tracks = read_tracks(data_dir / "eth_ucy" / "univ" / "test")
    assert time.perf_counter() - started < 5  # 0.2 s on an idle machine
    assert (len(tracks), int(tracks.lengths.sum())) == (849, 39766)
    true_rate = read_tracks(data_dir / "eth_ucy" / "true_rate")
    assert {track.split("/")[0] for track in true_rate.ids} == {"seq_eth", "seq_hotel"}
