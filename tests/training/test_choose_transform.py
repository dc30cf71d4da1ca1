"""The causal transform or none, by two short trainings."""

from dataclasses import replace

import numpy as np
import pytest

import vrnn
from vrnn.errors import NonFiniteError
from vrnn.training.choose_training import ChosenTraining
from vrnn.training.choose_transform import choose_transform
from vrnn.training.run import Run

SETTINGS = vrnn.TrainConfig(steps=500, window=20, learning_rate=3e-3, batch_size=16)


def vessels(count=40, rows=40):
    """Return steady walks in all directions, some a thousand times as fast as others."""
    random = np.random.default_rng(0)
    angle, speed = random.uniform(0, 2 * np.pi, count), 10 ** random.uniform(0, 3, count)
    velocity = speed[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], -1)[:, None]
    noise = 0.02 * speed[:, None, None] * random.normal(size=(count, rows, 2))
    return vrnn.Tracks(list((velocity + noise).cumsum(1)))


def street(count=40, rows=40):
    """Return walks along one street, whose every step is drawn anew."""
    random = np.random.default_rng(0)
    return vrnn.Tracks(
        list((random.normal(size=(count, rows, 2)) + np.array([3.0, 0.0])).cumsum(1))
    )


def chosen(tracks, settings=SETTINGS, val=None, emission="full_gaussian"):
    config = vrnn.RNNConfig(2, hidden=16, emission=emission)
    return choose_transform(tracks, config, settings, val)


@pytest.mark.parametrize(("tracks", "causal"), [(vessels(), True), (street(), False)])
def test_the_better_one_is_chosen(tracks, causal):
    found = chosen(tracks)
    assert found.settings == replace(SETTINGS, transform=vrnn.TransformConfig(causal=causal))
    (reason,) = found.reasons
    assert reason.startswith("--causal" if causal else "--no-causal")
    assert "nats a row after 50 steps" in reason
    assert chosen(tracks) == found, "the same every time"


def test_degrees_keep_their_plane():
    tracks = vessels()
    degrees = vrnn.Tracks([x / 1e6 for x in tracks.x], x_names=("lat", "lon"))
    plane = vrnn.TransformConfig(geographic="km")
    found = chosen(degrees, replace(SETTINGS, transform=plane))
    assert found.settings.transform == replace(plane, causal=True)


@pytest.mark.parametrize(
    "change",
    [
        {"window": None},
        {"steps": 499},
        {"transform": vrnn.TransformConfig(heading=True), "observe": 8},
        {"transform": vrnn.TransformConfig(standardise=False)},
        {"augment": vrnn.AugmentConfig(flip=True)},
        {"augment": vrnn.AugmentConfig(rates=(0.5, 1.0))},
        {"energy_weight": 1.0},
        {"time_input": True},
        {"position_input": True},
        {"holdout": 0.0},
    ],
    ids=str,
)
def test_nothing_is_compared(change, monkeypatch):
    monkeypatch.setattr("vrnn.training.choose_transform.prepare", None)
    settings = replace(SETTINGS, **change)
    assert chosen(vessels(), settings) == (settings, ())


def test_named_settings_inputs_and_single_columns_are_not_compared(monkeypatch):
    monkeypatch.setattr("vrnn.training.choose_transform.prepare", None)
    assert choose_transform(vessels(), None, SETTINGS, None, {"causal"}) == (SETTINGS, ())
    one = vrnn.Tracks([x[:, :1] for x in vessels().x])
    assert choose_transform(one, None, SETTINGS, None) == (SETTINGS, ())
    inputs = replace(vessels(), u=[np.ones((40, 1))] * 40, u_names=("wind",))
    assert chosen(inputs) == (SETTINGS, ())


def test_models_that_cannot_be_transformed_are_not_compared():
    assert chosen(vessels(), emission="gaussian") == (SETTINGS, ())


def test_two_trainings_that_diverge_choose_nothing(monkeypatch):
    def fails(*_):
        raise NonFiniteError("it diverged")

    monkeypatch.setattr("vrnn.training.choose_transform.run_prepared", fails)
    assert chosen(vessels()) == (SETTINGS, ())


def test_a_training_that_diverges_is_not_chosen(monkeypatch):
    def fails(prepared, *_):
        if prepared.settings.transform.causal:
            raise NonFiniteError("it diverged")
        return Run(prepared.trained, [{"val_bound": -9.0}], None, None)

    monkeypatch.setattr("vrnn.training.choose_transform.run_prepared", fails)
    assert not chosen(vessels()).settings.transform.causal


def test_training_in_python_chooses_too(monkeypatch):
    monkeypatch.setattr("vrnn.training.trainer.Trainer.run", lambda *_: None)
    seen = []

    def choose(tracks, config, settings, val):
        seen.append(settings.window)
        return ChosenTraining(replace(settings, seed=7), ())

    monkeypatch.setattr("vrnn.training.fit.choose_transform", choose)
    run = vrnn.train(vessels(), config=vrnn.RNNConfig(2, hidden=4), quiet=True)
    assert seen == [20] and run.model.training["seed"] == 7
    vrnn.train(vessels(), config=vrnn.RNNConfig(2, hidden=4), training=SETTINGS, quiet=True)
    assert seen == [20], "settings that are given stay"


def test_a_run_that_is_resumed_keeps_what_was_chosen(monkeypatch, tmp_path):
    monkeypatch.setattr("vrnn.training.trainer.Trainer.run", lambda *_: None)
    found = ChosenTraining(replace(SETTINGS, seed=7), ())
    monkeypatch.setattr("vrnn.training.fit.choose_transform", lambda *_: found)
    config = vrnn.RNNConfig(2, hidden=4)
    vrnn.train(vessels(), config=config, out=tmp_path / "run", quiet=True)
    monkeypatch.setattr("vrnn.training.fit.choose_transform", None)
    run = vrnn.train(vessels(), config=config, out=tmp_path / "run", resume=True, quiet=True)
    assert run.model.training["seed"] == 7
