"""Windows and the regular grid, against counts by hand and the benchmark's published ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vrnn.data.io import read_tracks
from vrnn.data.resample import at_rate, regular
from vrnn.data.tracks import Tracks
from vrnn.data.windows import runs, windows
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


def track(times, **more) -> Tracks:
    times = np.asarray(times, dtype=np.float64)
    return Tracks([np.stack([times, -times], axis=1)], ids=["a"], times=[times], **more)


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


def test_regular_by_hand():
    tracks = track([3, 5, 11], u=[np.array([[1.0], [2], [3]])], y=[np.array([[7.0], [8], [9]])])
    grid = regular(tracks, step=2)
    assert grid.times[0].tolist() == [3, 5, 7, 9, 11]
    np.testing.assert_array_equal(grid.x[0][:, 0], [3, 5, np.nan, np.nan, 11])
    assert grid.u[0].ravel().tolist() == [1, 2, 2, 2, 3]
    np.testing.assert_array_equal(grid.y[0].ravel(), [7, 8, np.nan, np.nan, 9])


def test_regular_leaves_a_regular_track_as_it_is():
    tracks = track([0, 1, 2])
    assert regular(tracks).x[0] is tracks.x[0]


def test_rounded_times_are_on_the_grid():
    frames = np.round(np.arange(300) / 30, 3)
    assert regular(track(np.delete(frames, 7)), step=1 / 30).lengths.tolist() == [300]
    assert windows(track(frames), 20).lengths.tolist() == [20] * 281


@pytest.mark.parametrize("times", [[0, 6, 7, 12], [0, 1, 1.02, 2]])
def test_regular_refuses_times_between_grid_points(times):
    with pytest.raises(
        DataError, match=r"track a: expected times that are whole steps of .*found (7|1.02) \("
    ):
        regular(track(times), step=6 if 6 in times else 1)


@given(st.floats(0.3, 3.0), st.integers(1, 12))
def test_a_straight_walk_at_another_rate_is_a_straight_walk_at_another_speed(rate, rows):
    walk = Tracks(
        [np.arange(rows)[:, None] * np.array([[1.0, -2.0]])], times=[10 + 5 * np.arange(rows)]
    )
    found = at_rate(walk, rate)
    count = len(found.x[0])
    assert rate * (count - 1) <= rows - 1 + 1e-6 < rate * count + 1e-6
    np.testing.assert_allclose(
        found.x[0], rate * np.arange(count)[:, None] * np.array([[1.0, -2.0]])
    )
    np.testing.assert_allclose(found.times[0], 10 + 5 * np.arange(count))


def test_what_lies_beside_a_missing_row_is_missing_at_another_rate():
    walk = Tracks(
        [np.array([[0.0], [1], [np.nan], [3], [4]])],
        u=[np.arange(5.0)[:, None]],
        times=[np.array([0.0, 1, 2, 3, 8])],
    )
    found = at_rate(walk, 0.5)
    np.testing.assert_array_equal(
        found.x[0].ravel(), [0, 0.5, 1, np.nan, np.nan, np.nan, 3, 3.5, 4]
    )
    assert found.u[0].ravel().tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4]
    assert np.diff(found.times[0])[-2:].tolist() == [
        5.0,
        5.0,
    ]  # a longer time between rows stays one
    assert at_rate(walk, 1.0) is walk
    assert len(at_rate(Tracks([np.zeros((0, 1))]), 0.7).x[0]) == 0


@pytest.mark.parametrize(("rate", "place"), [(1.1, 50), (0.58, 50)])
def test_a_row_that_is_met_is_met_exactly(rate, place):
    x, row = np.full((80, 1), np.nan), round(rate * place)
    x[row] = 7.0
    found = at_rate(Tracks([x], u=[np.arange(80.0)[:, None]]), rate)
    assert found.x[0][place] == 7.0 and found.u[0][place] == row


@pytest.mark.parametrize("rate", [0.0, -1.0, np.nan])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(DataError, match="positive rate"):
        at_rate(Tracks([np.zeros((3, 1))]), rate)
