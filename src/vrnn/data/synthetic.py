"""Processes whose truth is known: exact samples, densities and conditional futures to hold models against."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError

TURNS = ("left", "straight", "right")
EAST = np.array([1.0, 0.0])
ARMS = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, -1.0]])
"""Unit vectors of the arms that a walker from the west takes on turning left, going on and turning right."""


@dataclass(frozen=True)
class Crossroads:
    """Walkers who come from the west to a junction at the origin and turn left, go on or turn right.

        turn ~ probabilities,    p_1 = start,    p_{t+1} = p_t + d_t
        d_1     ~ N(speed east, noise^2 I)
        d_{t+1} ~ N(persistence d_t + (1 - persistence) speed e_{t+1}, noise^2 I)
        e_t     = arm of the turn if max_{s <= t} x_s >= 0, else east

    The turn is hidden until the walker reaches the junction: then three futures are possible, and the mean of
    the futures lies on none of the arms. Given the turn the path is Gaussian and Markov, so everything below
    is exact. With the defaults 8 observed points end about 1 m before the junction, and 12 more end about
    10 m along an arm.

    Args:
        probabilities: of left, straight and right.
        speed: metres a step.
        persistence: share of the last displacement that is kept, in [0, 1).
        noise: standard deviation of a displacement given the last one, metres.
        start: first point of every walker, metres.

    Raises:
        ConfigError: probabilities that are no distribution over three turns, or a noise that is not positive.

    >>> world = Crossroads()
    >>> walks = world.sample(500, seed=0)
    >>> len(walks), walks.x[0].shape
    (500, (20, 2))
    >>> world.turn_shares(np.stack(walks.x)).round(1).tolist()
    [0.2, 0.5, 0.3]
    """

    probabilities: tuple[float, float, float] = (0.25, 0.5, 0.25)
    speed: float = 1.0
    persistence: float = 0.5
    noise: float = 0.1
    start: tuple[float, float] = (-8.0, 0.0)

    def __post_init__(self) -> None:
        weights = np.asarray(self.probabilities)
        if weights.shape != (3,) or (weights < 0).any() or abs(weights.sum() - 1.0) > 1e-9:
            raise ConfigError(
                f"expected 3 probabilities (left, straight, right) that sum to 1, found {self.probabilities}"
            )
        if not self.noise > 0:
            raise ConfigError(
                f"expected noise above 0, found {self.noise}; without noise there is no density"
            )

    def sample(self, count: int, steps: int = 20, seed: int = 0) -> Tracks:
        """Draw count walks of the given number of points."""
        return self.sample_turns(count, steps, seed)[0]

    def sample_turns(
        self, count: int, steps: int = 20, seed: int = 0
    ) -> tuple[Tracks, Int[np.ndarray, "count"]]:
        """Draw walks together with their hidden turns (count,), indices into `TURNS`."""
        random = np.random.default_rng(seed)
        turns = random.choice(3, size=count, p=self.probabilities)
        origin = np.tile(np.asarray(self.start, np.float64), (count, 1, 1))
        paths = np.concatenate([origin, self._walk(origin, turns, steps - 1, random)], axis=1)
        return Tracks(list(paths)), turns

    def log_prob(
        self, path: Float[np.ndarray, "batch time 2"], given: int = 1
    ) -> Float[np.ndarray, "batch"]:
        """Compute log p(p_{given+1}, ..., p_T | p_1, ..., p_given), is_increment over the hidden turn.

            log sum_k w_k prod_{t < T} N(d_t; m_t^k, noise^2 I)  -  the same over the prefix

        Args:
            path: (batch, time, 2) metres; the first point is given, never scored.
            given: points of the prefix.

        Returns:
            (batch,) nats, a density of metres.
        """
        whole = _logsumexp(self._joint(path))
        return whole - _logsumexp(self._joint(path[:, : max(given, 1)]))

    def turn_posterior(
        self, prefix: Float[np.ndarray, "batch observe 2"]
    ) -> Float[np.ndarray, "batch 3"]:
        """Compute p(turn | prefix), (batch, 3): the prior until the junction, all but certain soon after."""
        joint = self._joint(prefix)
        return np.exp(joint - _logsumexp(joint)).T

    def future(
        self,
        prefix: Float[np.ndarray, "batch observe 2"],
        horizon: int,
        samples: int,
        seed: int = 0,
    ) -> Float[np.ndarray, "{samples} batch {horizon} 2"]:
        """Draw futures from p(future | prefix): the turn from its posterior, then the walk.

        Args:
            prefix: observed points (batch, observe, 2), metres.
            horizon: points to draw.
            samples: futures a prefix.
            seed: of the draw.

        Returns:
            (samples, batch, horizon, 2) metres.
        """
        random = np.random.default_rng(seed)
        bounds = self.turn_posterior(prefix).cumsum(axis=1)[:, :2]
        turns = (random.random((samples, len(prefix), 1)) >= bounds).sum(axis=-1)
        return self._walk(np.broadcast_to(prefix, (samples, *prefix.shape)), turns, horizon, random)

    def turn(self, path: Float[np.ndarray, "*batch time 2"]) -> Int[np.ndarray, "*batch"]:
        """Tell the arm on which a path ends (...), an index into `TURNS`, by the quarter of the plane.

        Left is north, y > |x|; right is south, y < -|x|; all else counts as straight, a walker still short of
        the junction included.
        """
        x, y = path[..., -1, 0], path[..., -1, 1]
        return np.asarray(1 - (y > np.abs(x)).astype(np.int64) + (y < -np.abs(x)).astype(np.int64))

    def turn_shares(
        self, paths: Float[np.ndarray, "sample *batch time 2"]
    ) -> Float[np.ndarray, "*batch 3"]:
        """Count the shares (..., 3) of left, straight and right among the paths of the leading axis."""
        return (self.turn(paths)[..., None] == np.arange(3)).mean(axis=0)

    def _heading(
        self, turns: Int[np.ndarray, "*batch"], past: Bool[np.ndarray, "*batch"]
    ) -> np.ndarray:
        return np.where(past[..., None], ARMS[turns], EAST)

    def _joint(self, path: Float[np.ndarray, "batch time 2"]) -> Float[np.ndarray, "3 batch"]:
        """Compute log w_k + log p(p_2, ..., p_T | p_1, turn k) for each turn k."""
        moves = np.diff(path, axis=1)
        past = np.maximum.accumulate(path[:, :-1, 0] >= 0.0, axis=1)
        heading = np.stack([self._heading(np.full(past.shape, k), past) for k in range(3)])
        mean = (1.0 - self.persistence) * self.speed * heading
        mean[:, :, 1:] += self.persistence * moves[:, :-1]
        mean[:, :, :1] = self.speed * EAST
        density = (
            -0.5 * ((moves - mean) / self.noise) ** 2
            - np.log(self.noise)
            - 0.5 * np.log(2.0 * np.pi)
        )
        with np.errstate(divide="ignore"):  # a turn that is never taken
            weight = np.log(np.asarray(self.probabilities))
        return weight[:, None] + density.sum(axis=(2, 3))

    def _walk(
        self, prefix: np.ndarray, turns: np.ndarray, horizon: int, random: np.random.Generator
    ) -> np.ndarray:
        """Go on from prefix (..., observe, 2) with known turns (...), returning (..., horizon, 2)."""
        noise = self.noise * random.standard_normal((horizon, *turns.shape, 2))
        position, past = prefix[..., -1, :], np.asarray((prefix[..., 0] >= 0.0).any(axis=-1))
        move = prefix[..., -1, :] - prefix[..., -2, :] if prefix.shape[-2] > 1 else None
        path = []
        for eps in noise:
            pull = self.speed * self._heading(turns, past)
            mean = (
                self.speed * EAST
                if move is None
                else self.persistence * move + (1.0 - self.persistence) * pull
            )
            move = mean + eps
            position = position + move
            past = past | (position[..., 0] >= 0.0)
            path.append(position)
        return np.stack(path, axis=-2) if path else np.zeros((*turns.shape, 0, 2))


@dataclass(frozen=True)
class ConstantVelocityWalk:
    """A linear-Gaussian track: a drifting velocity, seen through noisy positions; dimensions are independent.

        p_1 ~ N(0, position^2),      v_1 ~ N(0, velocity^2)
        p_{t+1} = p_t + v_t,         v_{t+1} ~ N(v_t, drift^2),      x_t ~ N(p_t, noise^2)

    The states are hidden, so x is not Markov and a recurrent model has something to remember. All T points of
    a dimension are jointly Gaussian with covariance

        C = position^2 1 1' + S (velocity^2 1 1' + drift^2 S S') S' + noise^2 I,    S_{ij} = [j < i],

    from which log_prob and future follow without a filter: an independent oracle, missing points included.

    Args:
        position, velocity: standard deviations of the first state, metres and metres a step.
        drift: of the change of velocity in a step.
        noise: of the observation, metres.
        dim: independent dimensions.

    >>> world = ConstantVelocityWalk()
    >>> x = np.stack(world.sample(3, steps=5, seed=0).x)
    >>> bool(np.allclose(world.log_prob(x), world.log_prob(x[:, :2]) + world.log_prob(x, given=2)))
    True
    """

    position: float = 1.0
    velocity: float = 1.0
    drift: float = 0.2
    noise: float = 0.1
    dim: int = 2

    def __post_init__(self) -> None:
        if not self.noise > 0 or min(self.position, self.velocity, self.drift) < 0:
            raise ConfigError(
                f"expected noise above 0 and the other scales at least 0, found {self}"
            )

    def covariance(self, steps: int) -> Float[np.ndarray, "{steps} {steps}"]:
        """Build the covariance C of the points x_1, ..., x_steps of one dimension, square metres."""
        ones, before = np.ones((steps, steps)), np.tri(steps, k=-1)
        motion = self.velocity**2 * ones + self.drift**2 * before @ before.T
        return self.position**2 * ones + before @ motion @ before.T + self.noise**2 * np.eye(steps)

    def sample(self, count: int, steps: int = 20, seed: int = 0) -> Tracks:
        """Draw count tracks (steps, dim) by simulation."""
        random = np.random.default_rng(seed)
        draw = lambda scale, *lead: scale * random.standard_normal((count, *lead, self.dim))  # noqa: E731
        first, speed = draw(self.position, 1), draw(self.velocity, 1)
        drift = draw(self.drift, max(steps - 2, 0)).cumsum(axis=1)
        velocity = np.concatenate([speed, speed + drift], axis=1)[:, : steps - 1]
        positions = np.concatenate([first, first + velocity.cumsum(axis=1)], axis=1)
        return Tracks(list(positions + draw(self.noise, steps)))

    def log_prob(
        self, x: Float[np.ndarray, "batch time dim"], given: int = 0
    ) -> Float[np.ndarray, "batch"]:
        """Compute log p(x_{given+1}, ..., x_T | x_1, ..., x_given), (batch,) nats, a density of metres.

        A row with a NaN is missing: it is is_increment out exactly.
        """
        return self._log_prob(x) - self._log_prob(x[:, :given])

    def future(
        self,
        prefix: Float[np.ndarray, "batch observe dim"],
        horizon: int,
        samples: int,
        seed: int = 0,
    ) -> Float[np.ndarray, "{samples} batch {horizon} dim"]:
        """Draw futures (samples, batch, horizon, dim) from p(future | prefix) by Gaussian conditioning.

        E[f | x] = C_fx C_xx^{-1} x,    Cov[f | x] = C_ff - C_fx C_xx^{-1} C_xf
        """
        batch, observe, dim = prefix.shape
        value, present, known = self._masked(prefix)
        whole = self.covariance(observe + horizon)
        cross = whole[observe:, :observe] * present[:, None]
        gain = np.linalg.solve(known, cross.transpose(0, 2, 1)).transpose(0, 2, 1)
        factor = np.linalg.cholesky(whole[observe:, observe:] - gain @ cross.transpose(0, 2, 1))
        noise = np.random.default_rng(seed).standard_normal((samples, batch, horizon, dim))
        return gain @ value + factor @ noise

    def _masked(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return x with 0 where missing, the mask (batch, time), and C with N(0, 1) for missing points."""
        present = np.asarray(~np.isnan(x).any(axis=-1))
        both = present[:, :, None] & present[:, None, :]
        covariance = np.where(both, self.covariance(x.shape[1]), np.eye(x.shape[1]))
        return np.where(present[..., None], x, 0.0), present, covariance

    def _log_prob(self, x: np.ndarray) -> np.ndarray:
        value, present, covariance = self._masked(x)
        log_volume = np.linalg.slogdet(covariance)[1] + present.sum(axis=1) * np.log(2.0 * np.pi)
        square = (value * np.linalg.solve(covariance, value)).sum(axis=(1, 2))
        return -0.5 * (square + x.shape[-1] * log_volume)


def _logsumexp(values: Float[np.ndarray, "choice batch"]) -> Float[np.ndarray, "batch"]:
    top = values.max(axis=0)
    return top + np.log(np.exp(values - top).sum(axis=0))
