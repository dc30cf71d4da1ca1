"""Settings of training that follow from the data."""

from dataclasses import replace

import numpy as np
import pytest

import vrnn
from vrnn.errors import DataError
from vrnn.training.choose_training import choose_training

USUAL = vrnn.TrainConfig()


def tracks(count=20, rows=12, names=("x", "y"), scale=1.0):
    walks = np.random.default_rng(0).normal(size=(count, rows, 2)).cumsum(1) * scale
    return vrnn.Tracks(list(walks), x_names=names)


def test_positions_in_a_plane_only_stop_early():
    found = choose_training(tracks(), USUAL)
    assert found.settings == replace(USUAL, patience=5)
    assert len(found.reasons) == 1 and "--patience 5" in found.reasons[0]
    assert choose_training(tracks(count=9), USUAL).settings == USUAL
    assert choose_training(tracks(count=9), USUAL, val=tracks()).settings.patience == 5


def test_degrees_are_modelled_in_kilometres():
    found = choose_training(tracks(names=("Latitude", "Longitude")), USUAL)
    assert found.settings.transform == vrnn.TransformConfig(geographic="km")
    metres = tracks(names=("lat", "lon"), scale=1000.0)
    assert choose_training(metres, USUAL).settings.transform == USUAL.transform


@pytest.mark.parametrize(("rows", "window"), [(12, None), (30, None), (31, 20), (300, 20)])
def test_tracks_of_positions_are_cut_into_the_windows_of_a_forecast(rows, window):
    found = choose_training(tracks(rows=rows), USUAL)
    assert found.settings.window == window
    assert found.settings.learning_rate == (3e-3 if window else USUAL.learning_rate)
    assert any("--window 20 --learning-rate 0.003" in r for r in found.reasons) == bool(window)
    assert found.settings.steps == (500 if window else USUAL.steps)
    named = replace(USUAL, learning_rate=0.1, steps=70, validate_every=7)
    own = choose_training(tracks(rows=rows), named).settings
    assert own == replace(named, window=window, patience=5)


def test_steps_on_windows_go_over_all_rows_a_hundred_times():
    for count, steps in ((100, 2300), (400, 5000)):
        found = choose_training(tracks(count, rows=300), USUAL, val=tracks(rows=40)).settings
        assert (found.steps, found.validate_every) == (steps, steps // 10)


@pytest.mark.parametrize(
    ("count", "whole", "window"), [(20, 300, 20), (20, 100, 20), (3, 100, None), (20, 19, None)]
)
def test_some_windows_are_enough_where_points_are_missing(count, whole, window):
    """After the first rows, which are complete, every third point is missing."""
    rows = np.arange(300)[:, None]
    x = [np.where((rows >= whole) & (rows % 3 == 0), np.nan, a) for a in tracks(count, 300).x]
    assert choose_training(vrnn.Tracks(x), USUAL).settings.window == window


def test_windows_need_held_out_tracks_that_are_as_long():
    short = tracks(20, rows=12)
    assert choose_training(tracks(rows=300), USUAL, val=short).settings.window is None
    one_long = vrnn.Tracks([tracks(1, rows=1000).x[0], *short.x[:19]])
    for seed in range(3):
        found = choose_training(one_long, replace(USUAL, seed=seed)).settings
        assert found.window is None, "the long one may be held out"


@pytest.mark.parametrize("name", ["window", "learning_rate", "steps", "validate_every", "patience"])
def test_a_default_that_is_named_stays(name):
    long = tracks(rows=300)
    found = choose_training(long, USUAL, named={name}).settings
    assert getattr(found, name) == getattr(USUAL, name)
    assert getattr(choose_training(long, USUAL).settings, name) != getattr(USUAL, name)


def test_degrees_near_a_pole_are_refused_with_their_track():
    data = tracks(names=("lat", "lon"))
    x = [a.copy() for a in data.x]
    x[3][4] = (90.0, 0.0)
    data = replace(data, x=x)
    with pytest.raises(DataError, match=r"^track 3: .*within 0\.6 degrees of a pole, found 90"):
        choose_training(data, USUAL)
    plain = choose_training(data, USUAL, named={"causal"}).settings
    assert plain.transform == USUAL.transform


def test_other_long_series_are_cut_into_long_windows():
    walks = tracks(rows=300)
    with_target = replace(walks, y=[x[:, :1] for x in walks.x], y_names=("speed",))
    one = vrnn.Tracks([x[:, :1] for x in walks.x])
    bits = vrnn.Tracks([np.float64(x > 0) for x in walks.x])
    for series in (with_target, one, bits):
        found = choose_training(series, USUAL)
        assert (found.settings.window, found.settings.learning_rate) == (128, USUAL.learning_rate)
    short = choose_training(with_target.cut(stop=256), USUAL)
    assert short.settings.window is None


@pytest.mark.parametrize(
    "given",
    [
        {"patience": 2},
        {"window": 12, "patience": 2},
        {"transform": vrnn.TransformConfig(causal=True), "patience": 2},
        {"energy_weight": 1.0},
    ],
    ids=str,
)
def test_named_settings_stay(given):
    named = replace(USUAL, **given)
    data = tracks(rows=20, names=("lat", "lon")) if "transform" in given else tracks(rows=20)
    assert choose_training(data, named, val=tracks()).settings == named


def test_train_in_python_takes_them(monkeypatch):
    monkeypatch.setattr("vrnn.training.trainer.Trainer.run", lambda *_: None)
    run = vrnn.train(tracks(), config=vrnn.RNNConfig(2, hidden=4), quiet=True)
    assert run.model.training["patience"] == 5


def test_few_long_tracks_keep_the_shipped_weights_all_the_same():
    few = tracks(count=3, rows=300)
    run = vrnn.train(few, quiet=True)
    assert run.model.config == vrnn.load("tracks-2d").config and not run.history


def test_settings_of_a_model_to_start_from_are_not_chosen_anew(monkeypatch):
    data = tracks(names=("lat", "lon"))
    plain = vrnn.TrainConfig(steps=1)
    first = vrnn.train(data, config=vrnn.RNNConfig(2, hidden=4), training=plain, quiet=True)
    monkeypatch.setattr("vrnn.training.trainer.Trainer.run", lambda *_: None)
    second = vrnn.train(data, start=first.model, quiet=True)
    assert second.model.training["transform"]["geographic"] == ""
