"""Walkers at a crossroads: samples, densities and futures agree."""

import numpy as np
import pytest
from scipy import stats
from tests.helpers.samples import near, stacked

from vrnn.data.synthetic import Crossroads
from vrnn.errors import ConfigError
from vrnn.metrics.scores import energy_score


class TestCrossroads:
    world = Crossroads()

    def test_walks_take_the_arms_at_the_known_rates_and_the_classifier_sees_them(self):
        tracks, turns = self.world.sample_turns(4000, seed=1)
        paths = stacked(tracks)
        assert (self.world.turn(paths) == turns).mean() > 0.999
        shares, expected = self.world.turn_shares(paths), np.array(self.world.probabilities)
        assert near(shares, expected, np.sqrt(expected * (1 - expected)), 4000)
        np.testing.assert_array_equal(paths[:, 0], np.tile(self.world.start, (4000, 1)))

    def test_prefix_usually_ends_before_the_junction_and_arms_are_separate_at_the_end(self):
        paths = stacked(self.world.sample(2000))
        assert 0.95 < (paths[:, 7, 0] < 0).mean() < 1.0
        ends, turns = paths[:, -1], self.world.turn(paths)
        centres = np.stack([ends[turns == k].mean(axis=0) for k in range(3)])
        gaps = np.linalg.norm(centres[[0, 0, 1]] - centres[[1, 2, 2]], axis=-1)
        spread = max(ends[turns == k].std(axis=0).max() for k in range(3))
        assert gaps.min() > 10 * spread

    def test_density_is_that_of_the_simulation_step_by_step(self):
        """Sum over turns of an independent, scalar transcription of the equations."""
        path = stacked(self.world.sample(1, seed=3))[0]
        total = 0.0
        for share, arm in zip(
            self.world.probabilities, [(0.0, 1.0), (1.0, 0.0), (0.0, -1.0)], strict=True
        ):
            density, past, last = share, False, None
            for t in range(len(path) - 1):
                past = past or path[t, 0] >= 0
                heading = np.array(arm if past else (1.0, 0.0))
                mean = np.array([1.0, 0.0]) if last is None else 0.5 * last + 0.5 * heading
                last = path[t + 1] - path[t]
                density *= stats.multivariate_normal(mean, 0.01 * np.eye(2)).pdf(last)
            total += density
        assert self.world.log_prob(path[None]).item() == pytest.approx(np.log(total), rel=1e-10)

    def test_density_of_one_step_integrates_to_one_on_a_grid(self):
        prefix = np.array([[-0.9, 0.1], [0.1, 0.0]])  # just past the junction: a mixture of three
        axis = np.linspace(-2.0, 2.5, 300)
        grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 1, 2)
        paths = np.concatenate([np.broadcast_to(prefix, (len(grid), 2, 2)), grid], axis=1)
        density = np.exp(self.world.log_prob(paths, given=2))
        assert density.sum() * (axis[1] - axis[0]) ** 2 == pytest.approx(1.0, abs=1e-6)

    def test_density_integrates_to_one_over_futures_of_another_process(self):
        """E_q[p / q] = 1 for q with the same walk and other turn probabilities and noise."""
        prefix = stacked(self.world.sample(1, steps=8, seed=0))
        wide = Crossroads(probabilities=(0.4, 0.2, 0.4), noise=0.13)
        futures = wide.future(prefix, 5, samples=40_000, seed=1)[:, 0]
        paths = np.concatenate([np.broadcast_to(prefix, (len(futures), 8, 2)), futures], axis=1)
        ratio = np.exp(self.world.log_prob(paths, given=8) - wide.log_prob(paths, given=8))
        assert near(ratio.mean(), 1.0, ratio.std(), len(ratio))

    def test_density_obeys_the_chain_rule(self):
        paths = stacked(self.world.sample(20))
        parts = self.world.log_prob(paths[:, :12]) + self.world.log_prob(paths, given=12)
        np.testing.assert_allclose(self.world.log_prob(paths), parts, rtol=1e-10)

    @pytest.mark.parametrize("observe", [8, 9])
    def test_conditional_futures_match_the_joint_distribution(self, observe):
        """Prefix from the joint, future from the conditional: the pair has the law of the joint."""
        whole = stacked(self.world.sample(6000, steps=16, seed=5))
        prefix = stacked(self.world.sample(6000, steps=observe, seed=6))
        pair = np.concatenate(
            [prefix, self.world.future(prefix, 16 - observe, 1, seed=7)[0]], axis=1
        )
        scale = np.sqrt(whole.var(axis=0) + pair.var(axis=0))
        assert near(pair.mean(axis=0), whole.mean(axis=0), scale + 1e-12, 6000)
        share = np.sqrt(
            2 * np.array(self.world.probabilities) * (1 - np.array(self.world.probabilities))
        )
        assert near(self.world.turn_shares(pair), self.world.turn_shares(whole), share, 6000)
        one, two = self.world.log_prob(whole), self.world.log_prob(pair)
        assert near(two.mean(), one.mean(), np.sqrt(one.var() + two.var()), 6000)
        np.testing.assert_allclose(
            np.cov(pair[:, -1].T), np.cov(whole[:, -1].T), rtol=0.08, atol=0.5
        )

    def test_a_turn_once_taken_is_known(self):
        paths = stacked(self.world.sample(200, seed=2))
        before, after = (
            self.world.turn_posterior(paths[:, :5]),
            self.world.turn_posterior(paths[:, :13]),
        )
        np.testing.assert_allclose(before, np.tile(self.world.probabilities, (200, 1)), rtol=1e-12)
        assert (after.max(axis=1) > 0.99).mean() > 0.95
        futures = self.world.future(paths[:, :14], 6, samples=3)
        assert (self.world.turn(futures) == after.argmax(axis=1)).mean() > 0.99

    def test_true_futures_score_best(self):
        paths = stacked(self.world.sample(300, seed=9))
        prefix, truth = paths[:, :8], paths[:, 8:]

        def score(world):
            return energy_score(world.future(prefix, 12, 50, seed=1), truth)

        best = score(self.world)
        for other in (
            Crossroads(noise=0.3),
            Crossroads(probabilities=(0.0, 1.0, 0.0)),
            Crossroads(speed=0.8),
        ):
            excess = score(other) - best
            assert excess.mean() > 2 * excess.std() / np.sqrt(300)

    def test_the_arm_pulls_from_the_first_point_past_the_junction(self):
        path = np.array([[[-1.0, 0], [0.5, 0], [0.5, 1], [-0.1, 2]], [[-4.0, 0]] * 4])
        assert Crossroads().junction(path).tolist() == [1, 2]
        walks = np.stack(Crossroads(noise=1e-3).sample(50, seed=3).x)
        moves = np.diff(walks, axis=1)
        turned = np.abs(moves[..., 1]) > 0.1
        first = np.where(turned.any(1), turned.argmax(1), -1)
        found = Crossroads().junction(walks)
        assert (found == first)[turned.any(1)].all() and turned.any(1).sum() > 10

    def test_same_seed_same_walks(self):
        one, two, other = (stacked(self.world.sample(5, seed=s)) for s in (4, 4, 5))
        assert (one == two).all() and (one != other).any()

    def test_bad_parameters_are_refused(self):
        with pytest.raises(ConfigError, match="sum to 1"):
            Crossroads(probabilities=(0.5, 0.5, 0.5))
        with pytest.raises(ConfigError, match="noise above 0"):
            Crossroads(noise=0.0)
