"""Storms of HURDAT2, and every way to break their format."""

import time

import numpy as np
import pytest
from tests.helpers.track_files import STORM, values

from vrnn.data.io import Columns, read_tracks
from vrnn.data.io.hurdat2 import read_hurdat2
from vrnn.errors import DataError
from vrnn.geo import great_circle


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
    assert [table.locate(row) for row in range(4)] == [2, 3, 5, 6]


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
    """Cases and great-circle errors are those that the README of the data gives."""
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
