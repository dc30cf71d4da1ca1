"""Tracks that are far from the training data: in scale, place and time step, and none else."""

import numpy as np
import pytest
from tests.helpers.trained_models import walks

import vrnn
from vrnn.tasks.unlike_training import unlike_training

SETTINGS = {
    "increments": vrnn.TransformConfig(),
    "places": vrnn.TransformConfig(displacement=False),
    "causal": vrnn.TransformConfig(causal=True),
}


@pytest.fixture(scope="module")
def models():
    config = vrnn.RNNConfig(x_dim=2, hidden=4, emission="full_gaussian")
    return {
        name: vrnn.train(
            walks(40),
            config=config,
            training=vrnn.TrainConfig(steps=1, transform=transform),
            quiet=True,
        ).model
        for name, transform in SETTINGS.items()
    }


def changed(tracks, factor=1.0, shift=0.0, step=1.0, only=slice(None)):
    """Return tracks with another unit, place and time step; the first two for some of them."""
    some = set(range(len(tracks))[only])
    x = [a * factor + shift if i in some else a for i, a in enumerate(tracks.x)]
    return vrnn.Tracks(x, times=[t * step for t in tracks.times])


@pytest.mark.parametrize("name", SETTINGS)
def test_data_like_that_of_the_training_is_not_remarked_on(models, name):
    assert unlike_training(models[name], walks(30, seed=5)) == []


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("increments", {"factor": 1000.0}, "30 tracks (0, 1, 2, ...): increments over 10 times"),
        ("increments", {"factor": 50.0, "only": slice(4, 6)}, "2 tracks (4, 5): increments over"),
        ("increments", {"factor": 0.001}, "increments are 0.001 times those of the training"),
        ("places", {"shift": 1e4, "only": slice(7, 8)}, "1 track (7): over 10 standard deviations"),
        ("causal", {"step": 60.0}, "the time step is 60, and the model was trained at 1"),
        ("increments", {"step": 0.5}, "the time step is 0.5, and the model was trained at 1"),
    ],
)
def test_what_is_far_is_named(models, name, change, sentence):
    (found,) = unlike_training(models[name], changed(walks(30, seed=5), **change))
    assert found.startswith(sentence)


@pytest.mark.parametrize(
    ("name", "change"),
    [("causal", {"factor": 1e6, "shift": 1e7}), ("increments", {"shift": 1e7})],
)
def test_what_the_coordinates_take_alike_is_not_far(models, name, change):
    assert unlike_training(models[name], changed(walks(30, seed=5), **change)) == []


def test_missing_points_and_standing_still_are_not_far(models):
    tracks = walks(6, seed=5)
    holed = [np.where(np.arange(len(x))[:, None] % 3 == 1, np.nan, x) for x in tracks.x[:3]]
    still = [np.ones_like(x) for x in tracks.x[3:4]]
    assert unlike_training(models["increments"], vrnn.Tracks([*holed, *still, *tracks.x[4:]])) == []
