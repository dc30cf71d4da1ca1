"""From tracks to the data of a training."""

from dataclasses import replace

import numpy as np
import pytest
from tests.helpers.small_runs import QUICK, RNN, walks

import vrnn
from vrnn.errors import DataError
from vrnn.training.prepare import prepare


def test_copies_at_other_rates_join_the_training_and_not_the_validation():
    tracks, val = walks(12, rows=21), walks(4, rows=21, seed=1)
    augment = vrnn.AugmentConfig(rates=(1.0, 2.0))
    settings = replace(QUICK, augment=augment)
    ready = prepare(RNN, tracks, settings, val)
    assert len(ready.train) == 24 and len(ready.val) == 4
    np.testing.assert_array_equal(ready.train.x[12], tracks.x[0][::2])
    np.testing.assert_allclose(np.diff(ready.train.times[12]), np.diff(tracks.times[0])[0])
    assert (
        vrnn.train(tracks, config=RNN, training=settings, val=val, quiet=True).history[-1][
            "val_bound"
        ]
        < 0
    )


def test_tracks_that_cannot_be_trained_on_are_refused():
    with pytest.raises(DataError, match="found none"):
        vrnn.train(vrnn.Tracks([]), config=RNN, training=QUICK)
    with pytest.raises(
        DataError,
        match=r"training tracks: .*run of 40 consecutive complete rows.*or train on whole tracks",
    ):
        vrnn.train(walks(), config=RNN, training=replace(QUICK, window=40))
    with pytest.raises(DataError, match="no training track has enough usable rows"):
        vrnn.train(vrnn.Tracks([np.ones((1, 2))] * 3), config=RNN, training=QUICK)
    with pytest.raises(DataError, match=r"found str; read a file with vrnn.read_tracks"):
        vrnn.train("walks.csv", training=QUICK)


def test_without_a_config_the_model_is_a_vrnn_for_the_columns():
    run = vrnn.train(walks(), training=QUICK, start="scratch", quiet=True)
    chosen = {"emission": "full_gaussian", "latent": "categorical(16)"}
    assert run.model.config == vrnn.VRNNConfig(x_dim=2, **chosen)
