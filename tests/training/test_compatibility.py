"""Settings, models and data that do not fit each other are refused before any work."""

from dataclasses import replace

import numpy as np
import pytest
from tests.training.runs import CONFIG, QUICK, RNN, walks

import vrnn
from vrnn.errors import ConfigError, DataError


def test_settings_that_cannot_work():
    with pytest.raises(ConfigError, match=r"x_dim=3 and the tracks have 2 columns of x \(x, y\)"):
        vrnn.train(walks(), config=vrnn.RNNConfig(3), training=QUICK)
    with pytest.raises(ConfigError, match="set observe to its number of points"):
        vrnn.train(walks(), config=vrnn.RolloutVAEConfig(2), training=QUICK)
    with pytest.raises(ConfigError, match="needs a target"):
        vrnn.train(walks(), config=vrnn.RNNConfig(2, supervised=True), training=QUICK)
    with pytest.raises(ConfigError, match="stopping early needs validation tracks"):
        vrnn.train(walks(5), config=RNN, training=replace(QUICK, patience=2))
    with pytest.raises(
        ConfigError,
        match=r"augmentation turns, scales and jitters the first two columns of x: .* found x0",
    ):
        one = vrnn.Tracks([x[:, :1] for x in walks().x])
        vrnn.train(
            one,
            config=vrnn.RNNConfig(1),
            training=replace(QUICK, augment=vrnn.AugmentConfig(flip=True)),
        )


def test_rates_are_of_continuous_columns():
    tracks = vrnn.Tracks([np.zeros((5, 2))])
    with pytest.raises(ConfigError, match=r"augment\.rates: copies at other rates interpolate"):
        vrnn.train(
            tracks,
            config=vrnn.RNNConfig(2, emission="bernoulli"),
            training=replace(
                QUICK,
                transform=vrnn.TransformConfig(displacement=False),
                augment=vrnn.AugmentConfig(rates=(1.0, 2.0)),
            ),
        )


def test_transposition_is_of_binary_columns():
    with pytest.raises(
        ConfigError,
        match=r"augment.transpose: it shifts the keys .*: expected every column to be binary",
    ):
        vrnn.train(
            walks(), config=RNN, training=replace(QUICK, augment=vrnn.AugmentConfig(transpose=3))
        )


SUPERVISED = vrnn.RNNConfig(2, hidden=8, supervised=True)
HEADING = vrnn.TransformConfig(heading=True)
POSITIONS = vrnn.TransformConfig(displacement=False)
GLOBE = vrnn.TransformConfig(geographic="km")
FLIP = vrnn.AugmentConfig(flip=True)


@pytest.mark.parametrize(
    ("config", "changes", "message"),
    [
        (RNN, {"transform": GLOBE, "augment": vrnn.AugmentConfig(rates=(0.5,))}, "180 degrees"),
        (RNN, {"transform": GLOBE, "augment": FLIP}, "on the globe that is no motion"),
        (SUPERVISED, {"augment": FLIP}, "not the target y of a supervised model"),
        (SUPERVISED, {"augment": vrnn.AugmentConfig(rates=(2.0,))}, "augment.rates: copies at other rates interpolate"),
        (SUPERVISED, {"position_input": True}, "a supervised model reads x itself"),
        (
            vrnn.RolloutVAEConfig(2, hidden=4),
            {"position_input": True, "observe": 3},
            "a RolloutVAE reads a track at once",
        ),
        (RNN, {"position_input": True, "transform": POSITIONS}, "this transform models positions"),
        (
            RNN,
            {"position_input": True, "transform": HEADING, "observe": 3},
            "a heading transform turns the map",
        ),
        (RNN, {"position_input": True, "augment": FLIP}, "augmentation turns or scales the map"),
        (
            vrnn.RNNConfig(2, hidden=8, emission="bernoulli"),
            {"energy_weight": 1.0, "transform": POSITIONS},
            "an emission with a continuous column, found none",
        ),
        (RNN, {"energy_weight": 1.0, "observe": 20}, "after the first 20 rows of some track"),
    ],
)
def test_settings_that_do_not_fit_the_model_are_refused(config, changes, message):
    tracks = walks(4)
    tracks = replace(tracks, x_names=("lat", "lon"), y=[x[:, :1] for x in tracks.x], y_names=("z",))
    if config.emission == "bernoulli":
        tracks = replace(tracks, x=[(x > 0).astype(float) for x in tracks.x])
    with pytest.raises(ConfigError, match=message):
        vrnn.train(tracks, config=config, training=replace(QUICK, **changes), quiet=True)


@pytest.mark.parametrize(
    ("config", "settings", "found"),
    [
        (CONFIG, {"observe": 3, "transform": HEADING}, "a heading transform"),
        (vrnn.SRNNConfig(2, hidden=4), {}, "SRNN"),
        (vrnn.RolloutVAEConfig(2, hidden=4), {"observe": 3}, "RolloutVAE"),
    ],
)
def test_what_cannot_be_read_in_chunks_is_refused(config, settings, found):
    with pytest.raises(ConfigError, match=f"chunk: expected a model that does not look ahead .* found {found}"):
        vrnn.train(walks(), config=config, training=replace(QUICK, chunk=4, **settings))


def test_values_that_an_emission_gives_no_mass_are_refused():
    x = [np.zeros((5, 1)) for _ in range(4)]
    x[2][3] = 2.0
    settings = replace(QUICK, transform=POSITIONS, holdout=0.0)
    with pytest.raises(DataError, match=r"track 2, column x0: expected whole numbers from 0 to 1"):
        vrnn.train(
            vrnn.Tracks(x), config=vrnn.RNNConfig(1, emission="bernoulli"), training=settings
        )
