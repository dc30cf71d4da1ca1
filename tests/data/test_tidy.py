"""Gaps and irregular times, by hand and on straight walks."""

import numpy as np
import pytest
from tests.helpers.straight_tracks import track

from vrnn.data.tidy import tidy
from vrnn.data.tracks import Tracks, concatenate


def line(times):
    """Return a track whose position is its time."""
    times = np.asarray(times, float)
    return Tracks([times[:, None]], ids=["a"], times=[times])


def test_regular_tracks_stay_as_they_are():
    tracks = line(range(9))
    found = tidy(tracks)
    assert found.tracks is tracks and found.notes == ()


def test_a_short_gap_is_filled_with_missing_rows():
    found = tidy(line([0, 1, 2, 5, 6]))
    np.testing.assert_array_equal(found.tracks.x[0][:, 0], [0, 1, 2, np.nan, np.nan, 5, 6])
    assert found.notes == ("1 gap in time filled with 2 missing rows",)


def test_a_track_is_split_at_a_long_gap():
    times = [*range(5), *range(20, 24), *range(50, 52)]
    found = tidy(line(times))
    assert found.tracks.ids == ["a/1", "a/2", "a/3"]
    assert [t.tolist() for t in found.tracks.times] == [[0, 1, 2, 3, 4], [20, 21, 22, 23], [50, 51]]
    last = tidy(line(times), last=True)
    assert (last.tracks.ids, last.tracks.times[0].tolist()) == (["a"], [50, 51])
    assert "the rows before are left out" in last.notes[0]


def test_short_gaps_are_interpolated_to_forecast_from():
    """Rows that were left out, empty rows and irregular times alike; the ends stay missing."""
    found = tidy(line([0, 1, 2, 5, 6]), last=True)
    np.testing.assert_allclose(found.tracks.x[0][:, 0], range(7))
    assert found.notes[-1] == "2 missing rows interpolated to forecast from"
    x = np.arange(16.0)[:, None]
    x[[0, 3, 4, 15]] = np.nan
    filled = tidy(Tracks([x]), last=True).tracks.x[0][:, 0]
    np.testing.assert_array_equal(filled, [np.nan, *range(1, 15), np.nan])
    times = np.cumsum(np.random.default_rng(0).choice([0.8, 1.0, 1.0, 1.3, 4.6], 60))
    x = tidy(line(times), last=True).tracks
    np.testing.assert_allclose(x.x[0][:, 0], x.times[0], atol=0.06)
    assert np.isnan(tidy(line(times)).tracks.x[0]).any()


def test_missing_keys_and_long_gaps_are_not_interpolated():
    keys = np.array([[0.0], [1], [np.nan], [1], [0]])
    assert np.isnan(tidy(Tracks([keys]), last=True).tracks.x[0][2]).all()
    x = np.arange(30.0)[:, None]
    x[5:16] = np.nan
    assert np.isnan(tidy(Tracks([x]), last=True).tracks.x[0][5:16]).all()


def test_irregular_times_are_interpolated_up_to_the_last_time():
    random = np.random.default_rng(0)
    times = np.cumsum(random.uniform(0.7, 1.3, 60))
    found = tidy(line(times)).tracks
    step = float(np.quantile(np.diff(times), 0.5, method="lower"))
    assert found.times[0][-1] == times[-1]
    np.testing.assert_allclose(np.diff(found.times[0]), step, atol=2 * 0.05 * step)
    there = np.isfinite(found.x[0][:, 0])
    assert there.mean() > 0.95
    grid = times[-1] - step * np.arange(len(there))[::-1]
    assert np.abs(found.x[0][there, 0] - grid[there]).max() <= 0.05 * step + 1e-9


@pytest.mark.parametrize(
    ("step", "taken"), [(1.25, 1.25), (0.6, 0.6), (0.3, None), (60.0, None), (None, None)]
)
def test_irregular_times_take_the_step_of_a_model(step, taken):
    times = np.cumsum(np.random.default_rng(0).uniform(0.7, 1.3, 60))
    found = tidy(line(times), step=step)
    own = float(np.quantile(np.diff(times), 0.5, method="lower"))
    steps = np.diff(found.tracks.times[0])
    np.testing.assert_allclose(steps, taken or own, atol=2 * 0.05 * (taken or own))
    assert f"at every {taken or own:.6g}" in found.notes[0]
    regular = line(range(9))
    assert tidy(regular, step=step).tracks is regular


def test_longer_gaps_of_irregular_times_are_missing():
    times = np.r_[np.arange(0, 20, 0.95), 25.3, np.arange(26.0, 40, 1.02)]
    found = tidy(line(times)).tracks
    step = 0.95
    for t, x in zip(found.times[0], found.x[0][:, 0], strict=True):
        before, after = times[times <= t + 1e-9].max(), times[times >= t - 1e-9].min()
        on_row = min(t - before, after - t) <= 0.05 * step
        assert np.isfinite(x) == (on_row or after - before <= 2.5 * step), t


def test_inputs_are_held_and_source_rows_are_kept():
    tracks = track([0, 1, 3, 4], u=[np.array([[5.0], [6], [7], [8]])])
    tracks = concatenate([tracks])
    found = tidy(Tracks(tracks.x, times=tracks.times, u=tracks.u, rows=[np.arange(4)])).tracks
    assert found.u[0].ravel().tolist() == [5, 6, 6, 7, 8]
    assert found.rows[0].tolist() == [0, 1, -1, 2, 3]


@pytest.mark.parametrize("last", [False, True])
def test_tracks_of_one_row_and_no_tracks(last):
    assert tidy(line([3]), last=last).tracks.lengths.tolist() == [1]
    assert len(tidy(line([3])[:0], last=last).tracks) == 0


def test_no_row_is_lost_beside_a_step_that_is_off_the_grid():
    times = np.r_[np.arange(150.0), 150.5 + np.arange(100), 251.5 + np.arange(50)]
    found = tidy(line(times)).tracks
    kept = np.isfinite(found.x[0][:, 0])
    assert found.x[0][kept, 0].tolist() == times.tolist()
    assert (~kept).sum() == 1 and (np.diff(found.times[0]) > 0).all()
