"""Losses and gradients that are not finite are refused, with the step, the term and the track."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.helpers.changed_tracks import changed
from tests.helpers.small_runs import CONFIG, QUICK, RNN, walks

import vrnn
from vrnn.errors import NonFiniteError


@pytest.mark.parametrize(
    "size, what",
    [(1e25, "log-likelihood of track 7 is"), (3e18, "gradient of the loss of track 7 is")],
)
def test_loss_that_is_not_finite_names_its_step_term_and_track(size, what):
    tracks = changed(walks(), "x", (7, 4, size))
    transform = vrnn.TransformConfig(standardise=False)
    with pytest.raises(NonFiniteError, match=f"step 0: the {what} not finite"):
        vrnn.train(
            tracks,
            config=RNN,
            training=replace(QUICK, batch_size=30, holdout=0.0, transform=transform),
            quiet=True,
        )


def test_validation_that_is_not_finite_names_the_validation_track():
    val = changed(walks(5, seed=1).rename(list("abcde")), "x", (3, 4, 1e25))
    transform = vrnn.TransformConfig(standardise=False)
    with pytest.raises(NonFiniteError, match="step 2: the log-likelihood of track d is not finite"):
        vrnn.train(
            walks(), config=RNN, training=replace(QUICK, transform=transform), val=val, quiet=True
        )


def test_a_gradient_that_is_not_finite_is_blamed_on_the_steepest_track(monkeypatch):
    from accelerate import Accelerator

    monkeypatch.setattr(Accelerator, "clip_grad_norm_", lambda *_: torch.tensor(float("nan")))
    tracks = vrnn.Tracks(
        [
            *np.random.default_rng(0).normal(size=(7, 6, 2)),
            np.random.default_rng(1).normal(size=(6, 2)) * 50,
        ]
    )
    with pytest.raises(
        NonFiniteError, match=r"step 0: the gradient of the loss of track 7 is not finite"
    ):
        vrnn.train(
            tracks, config=CONFIG, training=vrnn.TrainConfig(steps=2, holdout=0.0), quiet=True
        )
