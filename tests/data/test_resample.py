"""Regular grids and other speeds, by hand and on straight walks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers.straight_tracks import track

from vrnn.data.resample import at_rate, filled, regular
from vrnn.data.tracks import Tracks
from vrnn.data.windows import windows
from vrnn.errors import DataError


def test_regular_by_hand():
    tracks = track([3, 5, 11], u=[np.array([[1.0], [2], [3]])], y=[np.array([[7.0], [8], [9]])])
    grid = regular(tracks, step=2)
    assert grid.times[0].tolist() == [3, 5, 7, 9, 11]
    np.testing.assert_array_equal(grid.x[0][:, 0], [3, 5, np.nan, np.nan, 11])
    assert grid.u[0].ravel().tolist() == [1, 2, 2, 2, 3]
    np.testing.assert_array_equal(grid.y[0].ravel(), [7, 8, np.nan, np.nan, 9])
    sourced = Tracks(tracks.x, times=tracks.times, rows=[np.array([4, 0, 2])])
    assert regular(sourced, step=2).rows[0].tolist() == [4, 0, -1, -1, 2]


def test_regular_leaves_a_regular_track_as_it_is():
    tracks = track([0, 1, 2])
    assert regular(tracks).x[0] is tracks.x[0]


def test_tracks_without_gaps_are_left_as_they_are():
    tracks = Tracks([np.zeros((n, 1)) for n in (0, 1, 2, 5)])
    assert filled(tracks, 1.0) is tracks


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
