"""The density of a model in data units, against SciPy."""

import numpy as np
import pytest
import scipy.stats
import torch
from tests.helpers.transforms import walks

from vrnn.data.preprocessor import Preprocessor
from vrnn.data.tracks import Tracks
from vrnn.data.transforms import TransformConfig
from vrnn.distributions import parse_emission
from vrnn.inference.noise import draw_noise
from vrnn.inference.random_numbers import seeded
from vrnn.models.registry import make_model
from vrnn.models.rnn import RNNConfig
from vrnn.objectives import iwae
from vrnn.objectives.terms import log_jacobian


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("displacement", [True, False])
def test_density_in_data_units_equals_the_direct_one(displacement, gaps):
    """An RNN that emits one Gaussian makes a random walk or white noise, which SciPy knows."""
    x = walks(2, 8, 5)
    if gaps:
        x[0, 3:5], x[1, 7] = np.nan, np.nan
    tracks = Tracks(list(x))
    preprocessor = Preprocessor.fit(
        tracks, TransformConfig(displacement=displacement), parse_emission("gaussian", 2)
    )
    model = make_model(RNNConfig(2, hidden=4, depth=0)).double()
    torch.nn.init.zeros_(model.head[-1].weight)
    mean, scale = np.array([0.3, -0.2]), np.array([0.8, 1.5])
    model.head[-1].bias.data[:2] = torch.tensor(mean)
    model.head[-1].bias.data[2:] = torch.tensor(np.log(np.expm1(scale - 1e-3)))
    of = preprocessor.transform.standardise
    mean, scale = np.array(of.mean) + np.array(of.scale) * mean, np.array(of.scale) * scale
    expected = np.zeros(2)
    for i, track in enumerate(x):
        rows = np.flatnonzero(np.isfinite(track[:, 0]))
        if displacement:  # independent increments: k of them between rows k apart
            k = np.diff(rows)[:, None]
            law = scipy.stats.norm(k * mean, np.sqrt(k) * scale)
            expected[i] = law.logpdf(np.diff(track[rows], axis=0)).sum()
        else:
            expected[i] = scipy.stats.norm(mean, scale).logpdf(track[rows]).sum()
    batch = preprocessor.batch(tracks)[0].to(torch.zeros(()).double())
    samples = 20000 if gaps and displacement else 1
    noise = draw_noise(model, samples, 2, batch.x.shape[1], seeded(0))
    with torch.no_grad():
        found = iwae(model, batch, noise).bound + log_jacobian(batch)
    np.testing.assert_allclose(
        found, expected, atol=0.05 if samples > 1 else 1e-4
    )  # data travel as float32
