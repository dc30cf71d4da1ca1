"""A driven pendulum: its steps, its filter and its futures agree with independent answers."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from tests.helpers.kalman import StateSpace, kalman
from tests.helpers.samples import near, stacked

from vrnn.data.synthetic import Pendulum
from vrnn.data.synthetic.pendulum import WIDER
from vrnn.errors import ConfigError, DataError
from vrnn.metrics.scores import energy_score

TINY = 1e-5
"""Swings of this size are linear to rounding: sin a = a, and cos a = 1 beside the noise."""
LINEAR = Pendulum(
    length=0.7,
    torque=4 * TINY,
    drift=0.3 * TINY,
    noise=0.1 * TINY,
    angle=TINY,
    velocity=2 * TINY,
)


def linear_step(world):
    """Return F and G of s_t = F s_{t-1} + G (u_t + N(0, drift^2) / h), with sin a = a."""
    h, pull = world.interval, world.gravity / world.length
    move = np.array([[1.0, h / 2], [0.0, 1.0]])
    push = np.array([[1.0, 0.0], [-h * pull, np.exp(-world.friction * h)]])
    return move @ push @ move, move @ np.array([0.0, h])


def response(world, u):
    """Return the states (time, 2) of a linear pendulum at rest that torques (time,) drive."""
    F, G = linear_step(world)
    states, state = [], np.zeros(2)
    for torque in u:
        state = F @ state + G * torque
        states.append(state)
    return np.array(states)


def exact(world, x, u):
    """Return log p(x_t | x_{<t}), E[s_t | x_{<=t}] and Var[a_t | x_{<=t}] by a Kalman filter."""
    F, G = linear_step(world)
    Q = np.outer(G, G) * (world.drift / world.interval) ** 2
    P = F @ np.diag([world.angle**2, world.velocity**2]) @ F.T + Q
    H, R = np.array([[world.length, 0.0]]), np.array([[world.noise**2]])
    driven = response(world, u[:, 0])
    space = StateSpace(F, np.zeros(2), Q, np.zeros(2), P, H, np.zeros(1), R)
    found = kalman(space, x[:, :1] - driven @ H.T)
    height = stats.norm(-world.length, world.noise).logpdf(x[:, 1])  # no angle moves it
    return found.log_prob + np.nan_to_num(height), found.mean + driven, found.cov[:, 0, 0]


def arrays(world, count, steps, seed):
    tracks, states = world.sample_states(count, steps, seed=seed)
    return stacked(tracks), np.stack(tracks.u), states


def path_length(x):
    return np.linalg.norm(np.diff(x, axis=-2), axis=-1).sum(axis=-1)


class TestPendulum:
    world = Pendulum()

    def test_samples_obey_the_equations(self):
        world = replace(self.world, length=0.7)
        x, u, states = arrays(world, 2000, steps=20, seed=1)
        (before, speed), (after, fast) = (
            np.moveaxis(states[:, s], -1, 0) for s in (np.s_[:-1], np.s_[1:])
        )
        middle = before + 0.05 * speed
        np.testing.assert_allclose(after, middle + 0.05 * fast, rtol=1e-12, atol=1e-12)
        kept = np.exp(-0.05) * speed + 0.1 * (u[:, 1:, 0] - 9.81 / 0.7 * np.sin(middle))
        drift = (fast - kept).ravel()
        noise = x - 0.7 * np.stack([np.sin(states[..., 0]), -np.cos(states[..., 0])], -1)
        for error, scale in ((drift, 0.3), (noise.ravel(), 0.1)):
            assert near(error.mean(), 0.0, scale, error.size)
            assert near(error.std(), scale, scale / np.sqrt(2), error.size)
        assert near(np.corrcoef(drift, u[:, 1:].ravel())[0, 1], 0.0, 1.0, drift.size)

    def test_torques_are_held(self):
        u = np.stack(Pendulum(torque=3.0, hold=5.0).sample(4000, steps=20, seed=2).u)[..., 0]
        changes = np.diff(u, axis=1) != 0
        assert near(changes.mean(), 0.2, 0.4, changes.size)
        assert near(u[:, -1].std(), 3.0, 3.0 / np.sqrt(2), 4000)
        assert near(u[:, 0].std(), 3.0, 3.0 / np.sqrt(2), 4000)
        always = np.stack(Pendulum(hold=1.0).sample(10, steps=20).u)
        assert (np.diff(always, axis=1) != 0).all()

    def test_energy_is_kept_to_the_second_order_of_the_step(self):
        def spread(interval, steps):
            """Return how far the energy of each track varies, per moment of inertia."""
            world = replace(self.world, friction=0.0, torque=0.0, drift=0.0, interval=interval)
            angle, velocity = np.moveaxis(arrays(world, 2000, steps, seed=3)[2], -1, 0)
            energy = 0.5 * velocity**2 - 9.81 * np.cos(angle)
            return np.ptp(energy, axis=1), np.ptp(energy[:, : steps // 4], axis=1)

        (coarse, _), (fine, early) = spread(0.04, 500), spread(0.02, 1000)
        assert np.median(coarse) / np.median(fine) == pytest.approx(4.0, rel=0.2)
        assert np.median(fine) < 0.02 * 9.81
        assert np.median(fine) < 1.1 * np.median(early)  # it varies, but it does not drift

    def test_friction_takes_energy(self):
        world = replace(self.world, friction=2.0, torque=0.0, drift=0.0)
        assert np.abs(arrays(world, 50, steps=100, seed=0)[2][:, -1]).max() < 0.01

    def test_filter_agrees_with_a_kalman_filter_where_the_pendulum_is_linear(self):
        """Many filters of each track, because each is exact but for random errors."""
        x, u, _ = arrays(LINEAR, 3, steps=15, seed=4)
        x[0, 6:9], x[1, 4, 0], x[2, 3, 1], x[2, 0] = np.nan, np.nan, np.nan, np.nan
        found = LINEAR.filter(np.repeat(x, 50, axis=0), np.repeat(u, 50, axis=0), seed=5)
        log_prob, mean = found.log_prob.reshape(3, 50, 15), found.mean.reshape(3, 50, 15, 2)
        for i in range(3):
            nats, state, _ = exact(LINEAR, x[i], u[i])
            assert near(log_prob[i].mean(axis=0), nats, log_prob[i].std(axis=0) + 1e-3, 50)
            assert near(mean[i].mean(axis=0), state, mean[i].std(axis=0), 50)
            assert (mean[i].std(axis=0) < 0.1 * TINY * np.array([1.0, 2.0])).all()
            ratio = np.exp(log_prob[i].sum(axis=1) - nats.sum())
            assert near(ratio.mean(), 1.0, ratio.std(), 50) and ratio.std() < 0.5
        assert (log_prob[0, :, 6:9] == 0).all() and (log_prob[2, :, 0] == 0).all()

    def test_futures_agree_with_a_kalman_filter_where_the_pendulum_is_linear(self):
        world = replace(LINEAR, hold=1.0, torque=20 * TINY)
        x, u, _ = arrays(world, 3, steps=20, seed=18)
        samples, hidden = 2000, np.where(np.arange(20)[:, None] < 12, x, np.nan)
        ahead = world.future(x[:, :12], u, 8, samples, particles=40_000, seed=19)[..., 0]
        for i in range(3):
            _, state, variance = exact(world, hidden[i], u[i])
            scale = np.sqrt(0.49 * variance[12:] + world.noise**2)
            assert near(ahead[:, i].mean(axis=0), 0.7 * state[12:, 0], scale, samples)
            assert near(ahead[:, i].std(axis=0), scale, scale / np.sqrt(2), samples)

    def test_density_of_large_swings_agrees_with_quadrature(self):
        """Without drift a track is a function of its start, over which a grid integrates."""
        world = replace(self.world, drift=0.0, noise=0.5, torque=8.0)
        x, u, _ = arrays(world, 2, steps=6, seed=6)
        axis = np.linspace(-6.0, 6.0, 801)
        for track, torque in zip(x, u[..., 0], strict=True):
            angle, velocity = np.meshgrid(axis, 2.0 * axis, indexing="ij")
            nats = stats.norm(0, 1).logpdf(angle) + stats.norm(0, 2).logpdf(velocity)
            for point, push in zip(track, torque, strict=True):
                angle = angle + 0.05 * velocity
                velocity = np.exp(-0.05) * velocity + 0.1 * (push - 9.81 * np.sin(angle))
                angle = angle + 0.05 * velocity
                nats += stats.norm(np.sin(angle), 0.5).logpdf(point[0])
                nats += stats.norm(-np.cos(angle), 0.5).logpdf(point[1])
            truth = np.exp(nats).sum() * 2.0 * (axis[1] - axis[0]) ** 2
            many, pushes = np.tile(track, (60, 1, 1)), np.tile(torque[:, None], (60, 1, 1))
            ratio = np.exp(world.log_prob(many, pushes, seed=7)) / truth
            assert near(ratio.mean(), 1.0, ratio.std(), 60) and ratio.std() < 0.2

    def test_density_obeys_the_chain_rule(self):
        x, u, _ = arrays(self.world, 4, steps=12, seed=8)
        whole, late = (self.world.log_prob(x, u, given, particles=50) for given in (0, 7))
        early = self.world.log_prob(x[:, :7], u[:, :7], particles=50)
        np.testing.assert_allclose(whole, early + late, rtol=1e-10)

    def test_missing_points_are_never_scored(self):
        u = np.stack(self.world.sample(2, steps=5).u)
        assert (self.world.log_prob(np.full((2, 5, 2), np.nan), u, particles=50) == 0).all()

    def test_truth_ranks_uniformly_among_filtered_states_and_futures(self):
        x, u, states = arrays(self.world, 1000, steps=20, seed=9)

        def p_values(world):
            """Return p-values of uniform ranks of the state at 12, and of what follows it."""
            found = world.filter(x[:, :12], u[:, :12], particles=500, seed=10).particles
            shares = (found < states[:, 11]).mean(axis=0)
            by_state = [stats.kstest(share, "uniform").pvalue for share in shares.T]
            ahead = world.future(x[:, :12], u, 8, samples=19, particles=500, seed=11)
            pairs = [(ahead[:, :, t, d], x[:, 12 + t, d]) for t in (0, 7) for d in (0, 1)]
            pairs.append((path_length(ahead), path_length(x[:, 12:])))
            ranks = [(draws < truth).sum(axis=0) for draws, truth in pairs]
            return by_state + [stats.chisquare(np.bincount(r, minlength=20)).pvalue for r in ranks]

        assert min(p_values(self.world)) > 1e-3
        for wrong in ({"drift": 0.6}, {"noise": 0.15}):
            assert min(p_values(replace(self.world, **wrong))) < 1e-6, wrong

    def test_true_futures_score_best(self):
        x, u, _ = arrays(self.world, 300, steps=40, seed=12)

        def score(world, u):
            ahead = world.future(x[:, :20], u, 20, samples=50, particles=1000, seed=13)
            return energy_score(ahead, x[:, 20:])

        best = score(self.world, u)
        late = np.concatenate([u[:, :1], u[:, :-1]], axis=1)
        none = np.concatenate([u[:, :20], 0 * u[:, 20:]], axis=1)
        others = [score(self.world, late), score(self.world, none)]
        for wrong in ({"drift": 0.9}, {"noise": 0.2}, {"gravity": 8.0}, {"friction": 0.0}):
            others.append(score(replace(self.world, **wrong), u))
        for other in others:
            excess = other - best
            assert excess.mean() > 2 * excess.std() / np.sqrt(300)

    def test_a_torque_moves_its_own_point_and_those_after_it(self):
        """With the same noise a linear pendulum moves by its response to the change alone."""
        x, u, _ = arrays(LINEAR, 2, steps=16, seed=14)
        change = np.zeros((16, 1))
        change[12] = 5 * TINY
        one, two = (LINEAR.future(x[:, :10], v, 6, 3, particles=50) for v in (u, u + change))
        assert (one[:, :, :2] == two[:, :, :2]).all()
        moved = 0.7 * response(LINEAR, change[10:, 0])[:, 0]
        np.testing.assert_allclose(
            (two - one)[..., 0], np.broadcast_to(moved, (3, 2, 6)), rtol=1e-6, atol=1e-9 * TINY
        )

    def test_a_torque_of_the_prefix_is_known_to_the_filter(self):
        x, u, _ = arrays(self.world, 200, steps=20, seed=15)
        known, wrong = (self.world.log_prob(x, v, particles=500).mean() for v in (u, -u))
        assert known > wrong + 5

    def test_futures_without_a_prefix_are_samples(self):
        world = replace(self.world, torque=0.0)
        x = stacked(world.sample(4000, steps=10, seed=16))
        ahead = world.future(x[:1, :0], np.zeros((1, 10, 1)), 10, samples=4000, seed=17)[:, 0]
        for moment in (1, 2):
            one, two = x**moment, ahead**moment
            assert near(one.mean(0), two.mean(0), np.sqrt(one.var(0) + two.var(0)), 4000)

    def test_same_seed_same_draws(self):
        def draw(seed):
            tracks = self.world.sample(3, steps=8, seed=seed)
            x, u = stacked(tracks), np.stack(tracks.u)
            ahead = self.world.future(x[:, :5], u, 3, samples=2, particles=20, seed=seed)
            return x, u, ahead, self.world.log_prob(x, u, particles=20, seed=seed)

        for one, two, other in zip(draw(4), draw(4), draw(5), strict=True):
            assert (one == two).all() and (one != other).any()

    def test_purposes_of_one_seed_share_no_random_number(self):
        def shared(one, two):
            return np.isclose(np.ravel(one)[:, None], np.ravel(two), rtol=1e-9, atol=0).any()

        still = Pendulum(gravity=0, torque=0, drift=0, angle=0, velocity=0, noise=1.0)
        x, u, at_rest = still.sample(1, 200, seed=3).x[0], np.zeros((1, 400, 1)), np.array([0, -1])
        ahead = still.future(x[None, :0], u, 400, samples=1, particles=10, seed=3)
        assert not shared(x - at_rest, ahead - at_rest)
        torques = np.stack(self.world.sample(200, steps=1, seed=3).u) / self.world.torque
        starts = self.world.filter(np.empty((1, 0, 2)), u[:, :0], particles=200, seed=3).particles
        assert not shared(torques, starts[..., 0] / (WIDER * self.world.angle))

    def test_tracks_have_the_torque_as_input(self):
        tracks = self.world.sample(3, steps=8)
        assert tracks.u_names == ("torque",) and tracks.lengths.tolist() == [8, 8, 8]
        assert len(self.world.sample(2).x[0]) == 50

    @pytest.mark.parametrize("setting", ["length", "interval", "noise"])
    def test_scales_of_zero_are_refused(self, setting):
        with pytest.raises(ConfigError, match=f"{setting}.*above 0"):
            Pendulum(**{setting: 0.0})

    def test_bad_settings_are_refused(self):
        with pytest.raises(ConfigError, match="at least 0"):
            Pendulum(drift=-0.1)
        with pytest.raises(ConfigError, match="a hold of at least 1 step"):
            Pendulum(hold=0.5)

    def test_bad_arguments_are_refused(self):
        x, u, _ = arrays(self.world, 2, steps=8, seed=0)
        with pytest.raises(ConfigError, match="particles: expected at least 1, found 0"):
            self.world.log_prob(x, u, particles=0)
        with pytest.raises(DataError, match=r"u of shape \(2, 8, 1\).*found \(2, 7, 1\)"):
            self.world.filter(x, u[:, :7])
        with pytest.raises(DataError, match=r"u of shape \(2, 9, 1\).*found \(2, 8, 1\)"):
            self.world.future(x[:, :5], u, horizon=4, samples=1)
        with pytest.raises(DataError, match=r"found \(1, 8, 1\)"):
            self.world.future(x[:, :5], u[:1], horizon=3, samples=1)
