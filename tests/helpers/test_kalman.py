"""The Kalman filter and smoother of the tests against the dense joint Gaussian."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.helpers.kalman import StateSpace, condition, draw, joint, kalman


def draw_space(random: np.random.Generator, *, singular: bool) -> StateSpace:
    """Return a model with a state of 4 and observations of 2; singular: covariances of low rank."""
    root = lambda n, rank: random.normal(size=(n, rank)) / 2  # noqa: E731
    Q, P, R = (
        root(4, 2 if singular else 4),
        root(4, 2 if singular else 4),
        root(2, 0 if singular else 2),
    )
    F, H = random.normal(size=(4, 4)) / 2.5, random.normal(size=(2, 4))
    (c, m), d = random.normal(size=(2, 4)), random.normal(size=2)
    return StateSpace(F, c, Q @ Q.T, m, P @ P.T, H, d, R @ R.T)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    singular=st.booleans(),
    holes=st.lists(st.integers(0, 11), max_size=7),
)
def test_the_oracle_is_the_dense_joint_gaussian(seed, singular, holes):
    """Likelihood of every step, and filtered and smoothed moments, by conditioning the joint Gaussian."""
    time, random = 6, np.random.default_rng(seed)
    space = draw_space(random, singular=singular)
    x = draw(space, time, random)
    x.flat[holes] = np.nan
    found = kalman(space, x)
    mean, cov = joint(space, time)
    # Where it is worse conditioned the dense form loses what the filter does not.
    assume(np.linalg.cond(cov[-2 * time :, -2 * time :]) < 1e8)
    states, values, before = time * 4, x.flatten(), 0.0
    for t in range(1, time + 1):
        there = np.concatenate(
            [np.zeros(states, bool), np.isfinite(values) & (np.arange(2 * time) < 2 * t)]
        )
        value, now = values[there[states:]], slice(4 * (t - 1), 4 * t)
        law = condition(mean, cov, there, value)
        total = 0.0
        if len(value):
            total = scipy.stats.multivariate_normal(mean[there], cov[np.ix_(there, there)]).logpdf(
                value
            )
        assert found.log_prob[t - 1] == pytest.approx(total - before, abs=1e-6)
        np.testing.assert_allclose(found.mean[t - 1], law[0][now], atol=1e-6)
        np.testing.assert_allclose(found.cov[t - 1], law[1][now, now], atol=1e-6)
        before = total
    for t in range(time):
        now = slice(4 * t, 4 * (t + 1))
        np.testing.assert_allclose(found.smoothed_mean[t], law[0][now], atol=1e-6)
        np.testing.assert_allclose(found.smoothed_cov[t], law[1][now, now], atol=1e-6)
