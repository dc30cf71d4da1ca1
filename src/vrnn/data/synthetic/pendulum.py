"""A pendulum that a known torque drives, seen through noise."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, DataError, check_at_least

PARTICLES = 4000
"""Particles by default: the error of log p of a track of 50 points is then about 0.25 nats."""
PARTICLES_AT_ONCE = 2**17
"""Particles that are advanced together, 1 MB an array, so that they stay in the cache."""

WIDER = 1.5
"""Particles start in a distribution that is wider by this factor, so that no start lacks them."""

TRACKS, FILTER, FUTURES = range(3)
"""What random numbers are for: each purpose has its own stream of a seed."""


class FilteredPendulum(NamedTuple):
    """What the observations so far say about the hidden states.

    Attributes:
        log_prob: log p(x_t | x_{<t}, u_{<=t}) in nats, 0 where x_t is missing, (batch, time).
        mean: E[(a_t, w_t) | x_{<=t}, u_{<=t}], in radians and radians a second, (batch, time, 2).
        particles: draws of the last state given all of x and u, of equal weight,
            (particle, batch, 2).
    """

    log_prob: Float[np.ndarray, "batch time"]
    mean: Float[np.ndarray, "batch time 2"]
    particles: Float[np.ndarray, "particle batch 2"]


@dataclass(frozen=True)
class Pendulum:
    """The noisy positions of a pendulum with a random push, where a known torque drives it.

        a_0 ~ N(0, angle^2),    w_0 ~ N(0, velocity^2),    m_t = a_{t-1} + h w_{t-1} / 2
        w_t ~ N(e^{-friction h} w_{t-1} + h (u_t - gravity / length sin m_t), drift^2)
        a_t = m_t + h w_t / 2,    x_t ~ N(length (sin a_t, -cos a_t), noise^2 I),    h = interval
        u_t = u_{t-1} with probability 1 - 1 / hold, else u_t ~ N(0, torque^2)

    The angle a is 0 where the pendulum hangs down. The input u_t acts between x_{t-1} and x_t, and
    it is known, also in the future. The state (a_t, w_t) is Markov and hidden: x shows no velocity.
    Without friction, torque and drift a step is the position Verlet method, which has order 2.

    With the defaults a small swing takes 20 time steps. Most futures of 20 time steps stay
    together. In about a quarter of the tracks some futures go over the top and others do not.

    Tracks, filter and futures of one seed are independent of one another.

    No formula gives the density. A bootstrap particle filter estimates it, and the estimate tends
    to the truth as particles are added.

    Args:
        length: distance from the pivot to the bob, in metres.
        gravity: its acceleration, in metres a second squared.
        friction: rate at which the velocity decays, in 1 / second.
        interval: time of a step, in seconds.
        torque: standard deviation of the torque per moment of inertia, in radians a second squared.
        hold: mean number of time steps that a torque is held.
        drift: standard deviation of the random change of velocity in a step, in radians a second.
        noise: standard deviation of a coordinate of the observation, in metres.
        angle, velocity: standard deviations of the state before the first time step, in radians
            and radians a second.

    Raises:
        ConfigError: a length, interval or noise that is not positive, a hold below 1, or another
            setting that is negative.

    Source: Gordon, Salmond & Smith 1993, "Novel approach to nonlinear/non-Gaussian Bayesian state
    estimation", for the filter; Hairer, Lubich & Wanner 2006, "Geometric Numerical Integration",
    section I.1.4, for the step.

    >>> world = Pendulum()
    >>> tracks = world.sample(3, seed=0)
    >>> tracks
    Tracks(3 tracks, 150 rows, x (x, y), u (torque))
    >>> x, u = np.stack(tracks.x), np.stack(tracks.u)
    >>> world.log_prob(x, u, given=30, particles=100).shape
    (3,)
    >>> world.future(x[:, :30], u, horizon=20, samples=5, particles=100).shape
    (5, 3, 20, 2)
    """

    length: float = 1.0
    gravity: float = 9.81
    friction: float = 0.5
    interval: float = 0.1
    torque: float = 4.0
    hold: float = 10.0
    drift: float = 0.3
    noise: float = 0.1
    angle: float = 1.0
    velocity: float = 2.0

    def __post_init__(self) -> None:
        scales = (self.gravity, self.friction, self.torque, self.drift, self.angle, self.velocity)
        if not min(self.length, self.interval, self.noise) > 0 or not min(scales) >= 0:
            raise ConfigError(
                "expected length, interval and noise above 0 and the other settings at least 0, "
                f"found {self}"
            )
        if not self.hold >= 1:
            raise ConfigError(f"expected a hold of at least 1 step, found {self.hold}")

    def sample(self, count: int, steps: int = 50, seed: int = 0) -> Tracks:
        """Draw tracks of positions x (steps, 2) in metres with their torques u (steps, 1)."""
        return self.sample_states(count, steps, seed)[0]

    def sample_states(
        self, count: int, steps: int = 50, seed: int = 0
    ) -> tuple[Tracks, Float[np.ndarray, "{count} {steps} 2"]]:
        """Draw tracks and their hidden states (count, steps, 2), angle and angular velocity."""
        random = np.random.default_rng([seed, TRACKS])
        u = self._torques(count, steps, random)
        start = np.array([self.angle, self.velocity]) * random.standard_normal((count, 2))
        states = self._walk(start, u, random)
        x = self._position(states[..., 0]) + self.noise * random.standard_normal((count, steps, 2))
        return Tracks(list(x), u=list(u), u_names=("torque",)), states

    def filter(
        self,
        x: Float[np.ndarray, "batch time 2"],
        u: Float[np.ndarray, "batch time 1"],
        particles: int = PARTICLES,
        seed: int = 0,
    ) -> FilteredPendulum:
        """Return the log-density of every observation and the hidden states that explain them.

            p(x_t | x_{<t}, u_{<=t}) ~ 1/N sum_i p(x_t | a_t^i)

        The N particles a_t^i, w_t^i advance by the true process. They are then drawn again by the
        weights p(x_t | a_t^i), with systematic resampling. They start in a wider distribution, and
        the weights of the first time step make up for it. The estimate of p(x_1, ..., x_T | u) is
        unbiased where x_1 is present, so its logarithm is low on average. The error of the
        logarithm decreases as N^{-1/2} and its bias as 1 / N.

        Args:
            x: positions (batch, time, 2), in metres; NaN where a coordinate is missing.
            u: torques (batch, time, 1), in radians a second squared.
            particles: N, the particles of a track.
            seed: seed of the particles.

        Raises:
            ConfigError: no particle.
            DataError: a u whose shape does not fit x.

        Source: Gordon, Salmond & Smith 1993; Kitagawa 1996, "Monte Carlo filter and smoother for
        non-Gaussian nonlinear state space models", for systematic resampling.

        >>> world = Pendulum()
        >>> tracks, states = world.sample_states(20, seed=0)
        >>> found = world.filter(np.stack(tracks.x), np.stack(tracks.u), seed=1)
        >>> bool(np.abs(found.mean - states)[:, 10:, 0].mean() < 0.1)  # radians
        True
        """
        _check_inputs(u, *x.shape[:2])
        return self._filter(x, u, particles, np.random.default_rng([seed, FILTER]))

    def log_prob(
        self,
        x: Float[np.ndarray, "batch time 2"],
        u: Float[np.ndarray, "batch time 1"],
        given: int = 0,
        particles: int = PARTICLES,
        seed: int = 0,
    ) -> Float[np.ndarray, "batch"]:
        """Return log p(x_{given+1}, ..., x_T | x_1, ..., x_given, u) in nats, (batch,).

        It is the estimate of `filter`, which tells its error. A missing coordinate is left out.

        Args:
            x: positions (batch, time, 2), in metres; NaN where a coordinate is missing.
            u: torques (batch, time, 1), in radians a second squared.
            given: points that the density is conditional on.
            particles: particles of a track.
            seed: seed of the particles.

        Raises:
            ConfigError: no particle.
            DataError: a u whose shape does not fit x.
        """
        return self.filter(x, u, particles, seed).log_prob[:, given:].sum(axis=1)

    def future(
        self,
        prefix: Float[np.ndarray, "batch observe 2"],
        u: Float[np.ndarray, "batch time 1"],
        horizon: int,
        samples: int,
        particles: int = PARTICLES,
        seed: int = 0,
    ) -> Float[np.ndarray, "{samples} batch {horizon} 2"]:
        """Draw futures from p(future | prefix, u): a filtered state, then the process.

        Args:
            prefix: observed points (batch, observe, 2), in metres; NaN where missing.
            u: torques (batch, time, 1) in radians a second squared, from the first time step of
                the prefix to the end of the horizon or later.
            horizon: points to draw.
            samples: futures of each prefix.
            particles: particles of the filter; let them be several times `samples`.
            seed: seed of the particles and the draws.

        Returns:
            Positions with the noise of observation (samples, batch, horizon, 2), in metres.

        Raises:
            ConfigError: no particle.
            DataError: a u that is shorter than prefix and horizon, or of another batch.
        """
        batch, observe = prefix.shape[:2]
        _check_inputs(u[:, : observe + horizon], batch, observe + horizon)
        found = self.filter(prefix, u[:, :observe], particles, seed).particles
        random = np.random.default_rng([seed, FUTURES])
        start = found[random.integers(particles, size=(samples, batch)), np.arange(batch)]
        ahead = np.broadcast_to(u[:, observe : observe + horizon], (samples, batch, horizon, 1))
        walk = self._walk(start, ahead, random)
        return self._position(walk[..., 0]) + self.noise * random.standard_normal(walk.shape)

    def _torques(
        self, count: int, steps: int, random: np.random.Generator
    ) -> Float[np.ndarray, "{count} {steps} 1"]:
        """Draw torques that are constant for a random time."""
        fresh = self.torque * random.standard_normal((count, steps))
        changes = random.random((count, steps)) < 1.0 / self.hold
        since = np.maximum.accumulate(np.where(changes, np.arange(steps), 0), axis=1)
        return np.take_along_axis(fresh, since, axis=1)[..., None]

    def _step(
        self,
        angle: Float[np.ndarray, "*batch"],
        velocity: Float[np.ndarray, "*batch"],
        torque: Float[np.ndarray, "*#batch"],
        random: np.random.Generator,
    ) -> tuple[Float[np.ndarray, "*batch"], Float[np.ndarray, "*batch"]]:
        """Draw the next angle and velocity: half a step of motion, the push, the other half."""
        half = 0.5 * self.interval
        middle = angle + half * velocity
        push = self.interval * (torque - self.gravity / self.length * np.sin(middle))
        kept = np.exp(-self.friction * self.interval) * velocity
        velocity = kept + push + self.drift * random.standard_normal(angle.shape)
        return middle + half * velocity, velocity

    def _walk(
        self,
        start: Float[np.ndarray, "*batch 2"],
        u: Float[np.ndarray, "*batch time 1"],
        random: np.random.Generator,
    ) -> Float[np.ndarray, "*batch time 2"]:
        """Draw the states (..., time, 2) that follow a state."""
        angle, velocity = start[..., 0], start[..., 1]
        states = np.empty((*u.shape[:-1], 2))
        for t in range(u.shape[-2]):
            angle, velocity = self._step(angle, velocity, u[..., t, 0], random)
            states[..., t, 0], states[..., t, 1] = angle, velocity
        return states

    def _position(self, angle: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch 2"]:
        """Return the position of the bob, in metres from the pivot."""
        return self.length * np.stack([np.sin(angle), -np.cos(angle)], axis=-1)

    def _log_density(
        self, x: Float[np.ndarray, "batch 2"], angle: Float[np.ndarray, "batch particle"]
    ) -> Float[np.ndarray, "batch particle"]:
        """Return log p(x_t | a_t) of the coordinates that are present."""
        across, up = self.length * np.sin(angle), -self.length * np.cos(angle)
        present = ~np.isnan(x)
        value = np.where(present, x, 0.0) / self.noise
        scale = present / self.noise  # 0 leaves a coordinate out
        square = (value[:, :1] - scale[:, :1] * across) ** 2
        square += (value[:, 1:] - scale[:, 1:] * up) ** 2
        log_volume = present.sum(axis=1, keepdims=True) * np.log(2.0 * np.pi * self.noise**2)
        return -0.5 * (square + log_volume)

    def _filter(
        self,
        x: Float[np.ndarray, "batch time 2"],
        u: Float[np.ndarray, "batch time 1"],
        particles: int,
        random: np.random.Generator,
    ) -> FilteredPendulum:
        """Filter a few tracks at a time."""
        check_at_least(1, particles=particles)
        batch, time = x.shape[:2]
        found = FilteredPendulum(
            np.empty((batch, time)), np.empty((batch, time, 2)), np.empty((particles, batch, 2))
        )
        size = max(1, PARTICLES_AT_ONCE // particles)
        for first in range(0, batch, size):
            part = slice(first, first + size)
            normals = random.standard_normal((2, len(x[part]), particles))
            angle, velocity = WIDER * self.angle * normals[0], WIDER * self.velocity * normals[1]
            log_weight = (0.5 * (1.0 - WIDER**2) * normals**2 + np.log(WIDER)).sum(axis=0)
            weight = np.exp(log_weight)
            for t in range(time):
                if t > 0:
                    angle, velocity = _resample(angle, velocity, weight, random)
                    log_weight = np.zeros_like(weight)
                angle, velocity = self._step(angle, velocity, u[part, t], random)
                log_weight += self._log_density(x[part, t], angle)
                top = log_weight.max(axis=1, keepdims=True)
                weight = np.exp(log_weight - top)
                seen = ~np.isnan(x[part, t]).all(axis=1)
                found.log_prob[part, t] = seen * (top[:, 0] + np.log(weight.mean(axis=1)))
                total = weight.sum(axis=1)
                found.mean[part, t, 0] = (weight * angle).sum(axis=1) / total
                found.mean[part, t, 1] = (weight * velocity).sum(axis=1) / total
            angle, velocity = _resample(angle, velocity, weight, random)
            found.particles[:, part, 0], found.particles[:, part, 1] = angle.T, velocity.T
        return found


def _check_inputs(u: Float[np.ndarray, "batch time 1"], batch: int, time: int) -> None:
    """Refuse torques that are not one for each time step of each track."""
    if u.shape != (batch, time, 1):
        raise DataError(
            f"expected u of shape ({batch}, {time}, 1), a torque for every time step, "
            f"found {u.shape}"
        )


def _resample(
    angle: Float[np.ndarray, "batch particle"],
    velocity: Float[np.ndarray, "batch particle"],
    weight: Float[np.ndarray, "batch particle"],
    random: np.random.Generator,
) -> tuple[Float[np.ndarray, "batch particle"], Float[np.ndarray, "batch particle"]]:
    """Return the particles of each track drawn again by weight."""
    chosen = _systematic(weight, random.random((len(weight), 1)))
    return np.take_along_axis(angle, chosen, axis=1), np.take_along_axis(velocity, chosen, axis=1)


def _systematic(
    weight: Float[np.ndarray, "batch particle"], uniform: Float[np.ndarray, "batch 1"]
) -> Int[np.ndarray, "batch particle"]:
    """Return which particles are drawn again, in rising order.

    Particle i is drawn once for each k with W_{i-1} <= (k + uniform) / N < W_i, where W_i is the
    share of the first i particles in the weight of all N.

    >>> _systematic(np.array([[2.0, 0.0, 1.0, 1.0]]), np.array([[0.5]])).tolist()
    [[0, 0, 2, 3]]
    """
    batch, count = weight.shape
    share = weight.cumsum(axis=1)
    ends = np.ceil(count * share / share[:, -1:] - uniform).astype(np.int64)
    copies = np.diff(ends, axis=1, prepend=0)
    return np.repeat(np.tile(np.arange(count), batch), copies.ravel()).reshape(batch, count)
