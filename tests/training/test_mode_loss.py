"""The loss of a mode head, against the metric of the futures it gives."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.helpers.changed_tracks import changed
from tests.helpers.forking_walks import MODELS, SMALL, TRAINING, forks

import vrnn
from vrnn.errors import NonFiniteError
from vrnn.inference.random_numbers import seeded
from vrnn.metrics.displacement import best_of
from vrnn.objectives.energy import cut_at
from vrnn.training.mode_loss import mode_terms
from vrnn.training.modes import prepare_modes


@pytest.fixture(scope="module")
def model():
    return vrnn.train(forks(100, 0), config=MODELS["vrnn"], training=TRAINING, quiet=True).model


def test_tracks_of_all_lengths_with_gaps():
    """Cut anywhere: the head learns from any beginning, and paths go on from the last point that was seen."""
    rng = np.random.default_rng(0)
    x = [
        rng.normal(size=(n, 2)).cumsum(0) + np.array([100.0, 0.0]) for n in rng.integers(2, 12, 30)
    ]
    for a in x[::3]:
        a[len(a) // 2 : len(a) - 1] = np.nan
    tracks = vrnn.Tracks(x)
    trained = vrnn.train(
        tracks, config=MODELS["dmm"], training=vrnn.TrainConfig(steps=10, batch_size=8), quiet=True
    ).model
    learned = vrnn.fit_modes(tracks, model=trained, config=SMALL, quiet=True)
    fit = prepare_modes(learned, tracks, SMALL, None, [])
    batch = learned.preprocessor.batch(fit.train)[0]
    with torch.no_grad():
        found = mode_terms(fit, fit.train, seeded(3))
    cut = 1 + cut_at(batch, seeded(3), steps=4, observe=None)[0].length.numpy()
    assert len(set(cut)) > 3  # unequal
    gaps = 0
    for i, track in enumerate(fit.train):
        prefix, truth = track.cut(stop=cut[i]), track.x[0][cut[i] :][:4]
        gaps += np.isnan(prefix.x[0][-1]).any()
        named = vrnn.predict_modes(prefix, model=replace(learned, modes=fit.head)).samples[:, 0]
        there = np.isfinite(truth).all(-1)
        assert bool(found.counted[i]) == there.any()
        if there.any():
            average, final = best_of(named[:, None, : len(truth)][:, :, there], truth[None, there])
            assert float(found.best.average[i]) == pytest.approx(average[0], abs=1e-3)
            assert float(found.best.final[i]) == pytest.approx(final[0], abs=1e-3)
    assert gaps > 1  # some begin within a gap


def test_a_validation_that_is_not_finite_is_named(model):
    far = changed(forks(5, 1), "x", (2, 7, 1e39))
    with pytest.raises(
        NonFiniteError, match="the distances on the validation tracks are not finite"
    ):
        vrnn.fit_modes(forks(30, 0), model=model, config=SMALL, val=far, quiet=True)
