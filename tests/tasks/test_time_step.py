"""Tracks of another time step than the model was trained at."""

import numpy as np
import pytest

import vrnn


@pytest.fixture(scope="module")
def run():
    random = np.random.default_rng(0)
    times = [np.arange(0, 60, 5.0)] * 12
    tracks = vrnn.Tracks(list(random.normal(size=(12, 12, 2)).cumsum(1)), times=times)
    config, training = vrnn.RNNConfig(2, hidden=8), vrnn.TrainConfig(steps=2)
    return vrnn.train(tracks, config=config, training=training, quiet=True)


def walk(step):
    x = np.arange(41.0)[:, None] * np.ones(2) * step
    return vrnn.Tracks([x], times=[step * np.arange(41.0)])


def test_finer_rows_are_thinned_and_the_last_is_kept(run):
    with pytest.warns(vrnn.VrnnWarning, match="the time step is 1, .* trained at 5: one row of 5"):
        found = vrnn.forecast(walk(1.0), model=run.model, horizon=2, samples=2)
    assert found.history.times[0].tolist() == list(range(0, 41, 5))
    assert found.times[0].tolist() == [45, 50]
    same = vrnn.forecast(walk(5.0).cut(0, 9), model=run.model, horizon=2, samples=2)
    np.testing.assert_array_equal(found.samples, same.samples)


def test_another_step_is_named_and_futures_are_stamped_at_it(run):
    with pytest.warns(
        vrnn.VrnnWarning, match="the time step is 7, and the model was trained at 5: its"
    ):
        found = vrnn.forecast(walk(7.0), model=run.model, horizon=2, samples=2)
    assert found.times[0].tolist() == [287, 294]


def test_tracks_of_which_one_row_would_be_left_stay_as_they_are(run):
    with pytest.warns(vrnn.VrnnWarning, match="its futures may be too fast"):
        found = vrnn.forecast(walk(1.0).cut(0, 5), model=run.model, horizon=1, samples=2)
    assert found.history.lengths.tolist() == [5]
    with pytest.warns(vrnn.VrnnWarning, match="one row of 5"):
        found = vrnn.forecast(walk(1.0).cut(0, 6), model=run.model, horizon=1, samples=2)
    assert found.history.times[0].tolist() == [0, 5]


def test_the_same_step_says_nothing(run):
    assert vrnn.forecast(walk(5.0), model=run.model, horizon=1, samples=2).times[0, 0] == 205
