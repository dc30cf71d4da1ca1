"""Tracks with a drifting velocity, against a Kalman filter and SciPy."""

import numpy as np
import pytest
from scipy import stats
from tests.helpers.samples import near, stacked

from vrnn.data.synthetic import ConstantVelocityWalk
from vrnn.metrics.scores import energy_score


class TestConstantVelocityWalk:
    world = ConstantVelocityWalk(position=2.0, velocity=0.7, drift=0.3, noise=0.2)

    def test_covariance_is_that_of_the_samples(self):
        x = stacked(self.world.sample(40_000, steps=6, seed=0))
        expected = self.world.covariance(6)
        deviation = np.sqrt(np.outer(np.diag(expected), np.diag(expected)) + expected**2)
        for d in range(2):
            assert near(np.cov(x[..., d].T), expected, deviation, 40_000)
        assert near(np.mean(x[..., 0] * x[..., 1], axis=0), 0.0, np.diag(expected), 40_000)

    def test_log_prob_agrees_with_a_kalman_filter(self):
        x = stacked(self.world.sample(4, steps=9, seed=1))
        F, H = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([1.0, 0.0])
        Q = np.diag([0.0, 0.3**2])
        total = np.zeros((4, 9))
        for i in range(4):
            for d in range(2):
                m, P = np.zeros(2), np.diag([4.0, 0.49])
                for t in range(9):
                    S = H @ P @ H + 0.04
                    total[i, t] += stats.norm(H @ m, np.sqrt(S)).logpdf(x[i, t, d])
                    gain = P @ H / S
                    m, P = m + gain * (x[i, t, d] - H @ m), P - np.outer(gain, H @ P)
                    m, P = F @ m, F @ P @ F.T + Q
        np.testing.assert_allclose(self.world.log_prob(x), total.sum(axis=1), rtol=1e-9)
        np.testing.assert_allclose(
            self.world.log_prob(x, given=4), total[:, 4:].sum(axis=1), rtol=1e-9
        )

    def test_missing_points_are_summed_out(self):
        x = stacked(self.world.sample(2, steps=5, seed=2))
        gaps = x.copy()
        gaps[0, 2, 1] = np.nan
        gaps[1, 3:] = np.nan
        rest = self.world.covariance(5)[np.ix_([0, 1, 3, 4], [0, 1, 3, 4])]
        exact = sum(
            stats.multivariate_normal(np.zeros(4), rest).logpdf(x[0, [0, 1, 3, 4], d])
            for d in range(2)
        )
        np.testing.assert_allclose(
            self.world.log_prob(gaps), [exact, self.world.log_prob(x[1:, :3])[0]]
        )

    def test_futures_are_drawn_from_the_conditional(self):
        x = stacked(self.world.sample(2, steps=6, seed=3))
        x[1, 2] = np.nan
        futures = self.world.future(x, horizon=4, samples=4000, seed=4)
        whole = np.concatenate([np.broadcast_to(x, (4000, *x.shape)), futures], axis=2)
        for track in range(2):
            nats = -self.world.log_prob(whole[:, track], given=6)
            # entropy of the conditional in 2 dimensions: log det (2 pi e C), from observed points
            keep = np.flatnonzero(~np.isnan(whole[0, track, :, 0]))
            joint, known = self.world.covariance(10)[np.ix_(keep, keep)], self.world.covariance(6)
            known = known[np.ix_(keep[keep < 6], keep[keep < 6])]
            entropy = (
                np.linalg.slogdet(joint)[1]
                - np.linalg.slogdet(known)[1]
                + 4 * np.log(2 * np.pi * np.e)
            )
            assert near(nats.mean(), entropy, nats.std(), 4000)

    def test_true_futures_score_best(self):
        x = stacked(self.world.sample(300, steps=10, seed=5))
        score = lambda world: energy_score(world.future(x[:, :6], 4, 50), x[:, 6:])  # noqa: E731
        excess = score(ConstantVelocityWalk(2.0, 0.7, 0.9, 0.2)) - score(self.world)
        assert excess.mean() > 2 * excess.std() / np.sqrt(300)

    @pytest.mark.parametrize("steps", [1, 2, 3])
    def test_short_tracks(self, steps):
        x = stacked(self.world.sample(3, steps=steps))
        assert x.shape == (3, steps, 2) and np.isfinite(self.world.log_prob(x)).all()
