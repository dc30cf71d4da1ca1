"""Settings of training that follow from the data."""

from dataclasses import replace

import numpy as np
import pytest

import vrnn
from vrnn.training.choose_training import choose_training

USUAL = vrnn.TrainConfig()


def tracks(count=20, rows=12, names=("x", "y"), scale=1.0):
    walks = np.random.default_rng(0).normal(size=(count, rows, 2)).cumsum(1) * scale
    return vrnn.Tracks(list(walks), x_names=names)


def test_positions_in_a_plane_only_stop_early():
    found = choose_training(tracks(), USUAL, validated=False)
    assert found.settings == replace(USUAL, patience=5)
    assert len(found.reasons) == 1 and "--patience 5" in found.reasons[0]
    assert choose_training(tracks(count=9), USUAL, validated=False).settings == USUAL
    assert choose_training(tracks(count=9), USUAL, validated=True).settings.patience == 5


def test_degrees_are_modelled_in_kilometres():
    found = choose_training(tracks(names=("Latitude", "Longitude")), USUAL, validated=False)
    assert found.settings.transform == vrnn.TransformConfig(geographic="km")
    metres = tracks(names=("lat", "lon"), scale=1000.0)
    assert choose_training(metres, USUAL, validated=False).settings.transform == USUAL.transform


def test_long_tracks_are_cut_into_windows_unless_gaps_break_them():
    found = choose_training(tracks(rows=300), USUAL, validated=False)
    assert found.settings.window == 128
    gappy = tracks(rows=300)
    x = [np.where(np.arange(300)[:, None] % 50 == 0, np.nan, a) for a in gappy.x]
    assert choose_training(vrnn.Tracks(x), USUAL, validated=False).settings.window is None


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
    assert choose_training(data, named, validated=True).settings == named


def test_train_in_python_takes_them():
    run = vrnn.train(tracks(), config=vrnn.RNNConfig(2, hidden=4), quiet=True)
    assert run.model.training["patience"] == 5


def test_few_long_tracks_keep_the_shipped_weights_all_the_same():
    few = tracks(count=3, rows=300)
    run = vrnn.train(few, quiet=True)
    assert run.model.config == vrnn.load("tracks-2d").config and not run.history


def test_settings_of_a_model_to_start_from_are_not_chosen_anew():
    data = tracks(names=("lat", "lon"))
    plain = vrnn.TrainConfig(steps=1)
    first = vrnn.train(data, config=vrnn.RNNConfig(2, hidden=4), training=plain, quiet=True)
    second = vrnn.train(data, start=first.model, quiet=True)
    assert second.model.training["transform"]["geographic"] == ""
