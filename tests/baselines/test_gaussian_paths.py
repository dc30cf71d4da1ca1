"""Gaussian paths against SciPy's density and the moments of many samples."""

import numpy as np
import scipy.stats

from vrnn.baselines.gaussian_paths import GaussianPaths

RANDOM = np.random.default_rng(0)
PATHS = GaussianPaths(
    RANDOM.normal(size=(3, 4, 2)),
    np.tril(RANDOM.normal(size=(4, 4)), -1) + np.diag([1.0, 0.5, 2.0, 1.5]),
    np.array([0.1, 1.0, 3.0]),
)


def test_the_density_is_that_of_a_multivariate_normal_in_each_column():
    x = RANDOM.normal(size=(3, 4, 2))
    for i, value in enumerate(PATHS.log_prob(x)):
        cov = PATHS.scale[i] ** 2 * PATHS.factor @ PATHS.factor.T
        plain = [
            scipy.stats.multivariate_normal(PATHS.mean[i, :, d], cov).logpdf(x[i, :, d])
            for d in range(2)
        ]
        np.testing.assert_allclose(value, sum(plain))


def test_samples_have_its_moments():
    drawn = PATHS.sample(np.random.default_rng(1).normal(size=(40_000, 3, 4, 2)))
    assert drawn.shape == (40_000, 3, 4, 2)
    cov = PATHS.factor @ PATHS.factor.T
    for i, scale in enumerate(PATHS.scale):
        np.testing.assert_allclose(drawn[:, i].mean(0), PATHS.mean[i], atol=0.05 * scale)
        found = np.cov(drawn[:, i, :, 1].T) / scale**2
        np.testing.assert_allclose(found, cov, atol=0.03 * cov.max())
