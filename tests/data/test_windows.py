"""Windows, against counts by hand and the benchmark's published ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers.straight_tracks import track

from vrnn.data.io import read_tracks
from vrnn.data.tracks import Tracks
from vrnn.data.windows import runs, window_places, windows
from vrnn.errors import DataError

COUNTS = {
    "test": {"eth": 364, "hotel": 1197, "univ": 24334, "zara1": 2356, "zara2": 5910},
    "train": {"eth": 30307, "hotel": 29676, "univ": 9874, "zara1": 28577, "zara2": 26076},
    "val": {"eth": 5422, "hotel": 5203, "univ": 2800, "zara1": 5184, "zara2": 4262},
}
CONSTANT_VELOCITY = {
    "eth": (1.075, 2.282),
    "hotel": (0.319, 0.614),
    "univ": (0.524, 1.165),
    "zara1": (0.427, 0.952),
    "zara2": (0.324, 0.724),
}


@pytest.mark.parametrize("fold", COUNTS["test"])
def test_counts_and_constant_velocity_of_the_pedestrian_benchmark(data_dir, fold):
    for split, counts in COUNTS.items():
        cut = windows(read_tracks(data_dir / "eth_ucy" / fold / split), 20)
        assert len(cut) == counts[fold]
        if split == "test":
            x = np.stack(cut.x)
            steps = np.arange(1, 13)[:, None]
            error = np.linalg.norm(x[:, 7:8] + steps * (x[:, 7:8] - x[:, 6:7]) - x[:, 8:], axis=-1)
            assert (round(error.mean(), 3), round(error[:, -1].mean(), 3)) == CONSTANT_VELOCITY[
                fold
            ]


def test_windows_by_hand():
    tracks = track([0, 10, 20, 40, 50, 60, 70])
    assert windows(tracks, 3).ids == ["a@0", "a@40", "a@50"]
    assert windows(tracks, 2, stride=2).ids == ["a@0", "a@40", "a@60"]
    assert windows(tracks, 2, step=20).ids == ["a@20"]
    assert windows(tracks, 3).times[1].tolist() == [40, 50, 60]
    assert windows(tracks, 1).lengths.tolist() == [1] * 7


def test_places_are_those_of_the_windows():
    tracks = Tracks([np.arange(12.0).reshape(6, 2), np.arange(8.0).reshape(4, 2)])
    places = window_places(tracks, 3, stride=2)
    assert places.track.tolist() == [0, 0, 1] and places.start.tolist() == [0, 2, 0]
    for x, i, start in zip(windows(tracks, 3, stride=2).x, *places, strict=True):
        np.testing.assert_array_equal(x, tracks.x[i][start : start + 3])


def test_windows_stop_at_missing_rows_and_at_the_end_of_a_track():
    x = np.arange(12.0).reshape(6, 2)
    x[2, 1] = np.nan
    tracks = Tracks([x, np.zeros((2, 2))], u=[np.arange(6.0)[:, None], np.zeros((2, 1))])
    cut = windows(tracks, 2)
    assert cut.ids == ["0@0", "0@3", "0@4", "1@0"]
    assert cut.u[1].tolist() == [[3], [4]]
    assert cut.x[1].tolist() == x[3:5].tolist()


@given(
    st.lists(st.lists(st.sampled_from([1, 1, 1, 2, 3]), max_size=12), min_size=1, max_size=4),
    st.data(),
)
def test_windows_equal_a_search_row_by_row(steps, data):
    """Every start is tried on its own, the definition of a window."""
    times = [np.r_[0.0, np.cumsum(s)] for s in steps]
    holes = [
        np.array(data.draw(st.lists(st.booleans(), min_size=len(t), max_size=len(t))))
        for t in times
    ]
    x = [np.where(h & (np.arange(len(h)) % 3 == 0), np.nan, 1.0)[:, None] for h in holes]
    tracks, length = Tracks(x, times=times), data.draw(st.integers(1, 5))
    expected = [
        f"{i}@{t[s]:g}"
        for i, (t, a) in enumerate(zip(times, x, strict=True))
        for s in range(len(t) - length + 1)
        if np.isfinite(a[s : s + length]).all() and (np.diff(t[s : s + length]) == 1).all()
    ]
    if expected:
        assert windows(tracks, length, step=1.0).ids == expected
    else:
        with pytest.raises(DataError, match="found none"):
            windows(tracks, length, step=1.0)


def test_runs_of_nothing():
    assert [len(part) for part in runs(Tracks([]))] == [0, 0, 0]
    assert [len(part) for part in runs(Tracks([np.full((3, 2), np.nan)]))] == [0, 0, 0]


def test_windows_refuses_what_is_too_long():
    with pytest.raises(
        DataError, match=r"run of 9 consecutive.*longest is 4 rows \(time step 10\)"
    ):
        windows(track([0, 10, 20, 40, 50, 60, 70]), 9)
    with pytest.raises(DataError, match="at least 1, found 0 and 1"):
        windows(track([0, 1]), 0)
    with pytest.raises(DataError, match="expected a positive time step, found 0"):
        windows(track([0, 1]), 1, step=0)
