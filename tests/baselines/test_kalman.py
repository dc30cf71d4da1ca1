"""The Kalman filter against the dense Gaussian of second differences, and against the tests' own."""

import numpy as np
import pytest
import scipy.stats
from tests.helpers.kalman import StateSpace, draw, kalman

from vrnn.baselines.kalman import Kalman
from vrnn.baselines.random_walk import random_walk
from vrnn.errors import DataError

SETTINGS = [(1.0, 0.0), (0.3, 0.7), (0.01, 2.0)]
RANDOM = np.random.default_rng(0)


def state_space(process: float, measurement: float, flat: float = 0.0) -> StateSpace:
    """Return one column of the model, with a start of variance `flat`."""
    return StateSpace(
        F=np.array([[1.0, 1.0], [0.0, 1.0]]),
        c=np.zeros(2),
        Q=process * np.ones((2, 2)),
        m=np.zeros(2),
        P=flat * np.eye(2),
        H=np.array([[1.0, 0.0]]),
        d=np.zeros(1),
        R=np.array([[measurement]]),
    )


def walks(process: float, measurement: float, count: int, rows: int, seed: int = 0) -> np.ndarray:
    """Return noisy walks of two columns, (count, rows, 2)."""
    random, space = np.random.default_rng(seed), state_space(process, measurement, 1.0)
    made = [[draw(space, rows, random)[:, 0] for _ in range(2)] for _ in range(count)]
    return np.stack(made).swapaxes(1, 2)


def dense_log_prob(x: np.ndarray, process: float, measurement: float) -> float:
    """Return the log-density of one column given its first two points, under a flat prior.

    The second differences are q I + r D D^T, whatever the first position and velocity are.
    """
    D = np.diff(np.eye(len(x)), n=2, axis=0)
    cov = process * np.eye(len(D)) + measurement * D @ D.T
    return scipy.stats.multivariate_normal(np.zeros(len(D)), cov).logpdf(D @ x)


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_likelihood_is_that_of_the_dense_gaussian(setting):
    past = RANDOM.normal(size=(3, 7, 2))
    found = Kalman(*setting).filter(past)
    value = scipy.stats.norm(0, np.sqrt(found.variances)[:, None]).logpdf(found.errors)
    plain = [[dense_log_prob(x[:, d], *setting) for d in range(2)] for x in past]
    np.testing.assert_allclose(value.sum(1), plain)


@pytest.mark.parametrize("rows", [2, 3, 7])
@pytest.mark.parametrize("setting", SETTINGS)
def test_the_forecast_is_the_conditional_of_the_dense_gaussian(setting, rows):
    """Its density at any future: that of the whole path over that of the past."""
    whole = RANDOM.normal(size=(4, rows + 5, 1))
    found = Kalman(*setting).forecast(whole[:, :rows], 5).log_prob(whole[:, rows:])
    past = [dense_log_prob(x[:rows, 0], *setting) if rows > 2 else 0.0 for x in whole]
    plain = [dense_log_prob(x[:, 0], *setting) for x in whole]
    np.testing.assert_allclose(found, np.array(plain) - past)


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_state_is_that_of_a_filter_with_a_very_wide_prior(setting):
    past = RANDOM.normal(size=(1, 6, 1))
    found, plain = Kalman(*setting).filter(past), kalman(state_space(*setting, 1e7), past[0])
    state = [found.position.item(), found.velocity.item()]
    np.testing.assert_allclose(state, plain.mean[-1], atol=1e-4)
    np.testing.assert_allclose(found.cov, plain.cov[-1], atol=1e-4)


def test_without_noise_of_the_points_it_is_a_random_walk_of_the_velocity():
    past = RANDOM.normal(size=(3, 6, 2))
    one, other = Kalman(4.0, 0.0).forecast(past, 5), random_walk(past, 5)
    np.testing.assert_allclose(one.mean, other.mean)
    np.testing.assert_allclose(one.factor, 2 * other.factor)


@pytest.mark.parametrize("setting", [(0.04, 0.01), (0.01, 0.09), (2.5, 0.0)])
def test_the_fit_recovers_known_variances(setting):
    """From 30,000 points, in two sets of different lengths."""
    found = Kalman.fit([walks(*setting, 500, 20), walks(*setting, 500, 10, seed=1)])
    np.testing.assert_allclose(found, setting, rtol=0.1, atol=0.01)


def test_the_fit_has_the_greatest_likelihood():
    paths = [walks(0.5, 0.3, 20, 9), walks(0.5, 0.3, 10, 5, seed=1)]

    def log_prob(process: float, measurement: float) -> float:
        columns = [x[:, d] for part in paths for x in part for d in range(2)]
        return sum(dense_log_prob(x, process, measurement) for x in columns)

    found = Kalman.fit(paths)
    best = log_prob(*found)
    for process in (0.95, 1.0, 1.05):
        for measurement in (0.9, 1.0, 1.1):
            other = log_prob(process * found.process, measurement * found.measurement)
            assert best >= other or (process, measurement) == (1.0, 1.0)


def test_the_fit_scales_with_the_unit_and_forgets_the_place():
    paths = walks(0.5, 0.3, 30, 9)
    one, other = Kalman.fit([paths]), Kalman.fit([100 * paths + 7])
    np.testing.assert_allclose(other, 1e4 * np.array(one), rtol=1e-6)


@pytest.mark.parametrize("past", [np.zeros((2, 5, 2)), np.arange(5.0)[None, :, None] * [0.5, 1]])
def test_straight_tracks_have_a_positive_variance(past):
    found = Kalman.fit([past])
    assert found.process > 0
    value = found.forecast(past, 3).log_prob(np.ones((len(past), 3, 2)))
    assert np.isfinite(value).all()


def test_too_few_points_are_refused():
    with pytest.raises(DataError, match="at least 3 points"):
        Kalman.fit([np.zeros((3, 2, 2))])
    with pytest.raises(DataError, match="at least 2 observed points, found 1"):
        Kalman(1.0, 0.0).filter(np.zeros((3, 1, 2)))
