"""Tasks on quasi-random samples: forecasts of every model, means that vary less, reports that say so."""

import numpy as np
import pytest
from tests.helpers.untrained_models import KINDS, SUPERVISED, made, walks

import vrnn


@pytest.mark.parametrize("name", [*KINDS, "rollout", *SUPERVISED])
def test_forecasts_of_every_model(name):
    model, tracks = made(name), walks(3, y=name in SUPERVISED)
    drawn = [
        vrnn.forecast(tracks, model=model, horizon=4, samples=16, seed=s, qmc=q).samples
        for s, q in ((1, True), (1, True), (1, False))
    ]
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2])
    assert drawn[0].shape == drawn[2].shape


def test_means_vary_less_and_agree():
    """Over seeds, means of quasi-random paths scatter less around the same point than independent ones."""
    model, tracks = made("vrnn"), walks(2)
    means = {
        q: np.stack(
            [
                vrnn.forecast(tracks, model=model, horizon=3, samples=32, seed=s, qmc=q).mean
                for s in range(40)
            ]
        )
        for q in (True, False)
    }
    assert means[True].std(0).mean() < 0.6 * means[False].std(0).mean()
    error = means[False].std(0) / np.sqrt(40)
    assert (np.abs(means[True].mean(0) - means[False].mean(0)) < 5 * error).all()


def test_evaluation_says_so():
    found = vrnn.evaluate(walks(), model=made("vrnn"), observe=5, horizon=4, samples=8, qmc=True)
    assert found.qmc and "8 quasi-random samples" in found.to_text()
