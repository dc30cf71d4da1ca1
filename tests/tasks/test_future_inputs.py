"""Inputs and times after a track, by hand."""

from dataclasses import replace

import numpy as np
import pytest
from tests.helpers.untrained_models import made, walks

from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError
from vrnn.tasks.future_inputs import future_inputs, future_times, last_known

NAN = np.nan


def test_times_go_on_one_step_apart():
    tracks = Tracks([np.zeros((2, 1)), np.zeros((1, 1))], times=[np.array([3.0, 7]), np.array([5])])
    assert future_times(tracks, 0.5, 3).tolist() == [[7.5, 8.0, 8.5], [5.5, 6.0, 6.5]]


def test_the_last_value_of_every_column_that_is_known():
    u = np.array([[1.0, NAN, 3.0, NAN], [4.0, NAN, NAN, 5.0], [NAN, NAN, NAN, 6.0]])
    np.testing.assert_array_equal(last_known(u), [4.0, NAN, 3.0, 6.0])


def test_inputs_of_a_horizon_are_standardised_and_their_gaps_filled_from_the_track():
    model, tracks = made("vrnn", u=True), walks(2, u=True)
    u = [a.copy() for a in tracks.u]
    u[1][-2:] = NAN
    tracks = replace(tracks, u=u)
    last = np.array([u[0][-1, 0], u[1][-3, 0]])
    given = np.array([[NAN, 2.0, NAN], [5.0, NAN, -1.0]])
    filled = np.array([[last[0], 2.0, 2.0], [5.0, 5.0, -1.0]])
    mean, scale = (getattr(model.preprocessor, f"u_{part}")[0] for part in ("mean", "scale"))
    for inputs, expected in ((given[..., None], filled), ("hold", last[:, None] * np.ones((1, 3)))):
        found = future_inputs(model, tracks, 3, inputs, np.zeros((2, 2)))
        np.testing.assert_allclose(found[..., 0], (expected - mean) / scale)


def test_inputs_that_do_not_fit_are_refused():
    model, tracks = made("vrnn", u=True), walks(2, u=True)
    for inputs, message in (
        (None, "the model has known inputs .load.: expected their values over the horizon"),
        ("repeat", "expected an array or 'hold', found 'repeat'"),
        (np.zeros((2, 4, 1)), r"expected the shape \(2, 3, 1\), found \(2, 4, 1\)"),
    ):
        with pytest.raises(ConfigError, match=message):
            future_inputs(model, tracks, 3, inputs, np.zeros((2, 2)))
