"""Walkers at a crossroads, a process with three futures."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError

TURNS = ("left", "straight", "right")
EAST = np.array([1.0, 0.0])
ARMS = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, -1.0]])
"""Unit vectors of the arms: left is north, straight is east, right is south."""


@dataclass(frozen=True)
class Crossroads:
    """Walkers who come from the west to a junction and turn left, go straight or turn right.

        turn ~ probabilities,    p_1 = start,    p_{t+1} = p_t + d_t
        d_1     ~ N(speed east, noise^2 I)
        d_{t+1} ~ N(persistence d_t + (1 - persistence) speed e_{t+1}, noise^2 I)
        e_t     = arm of the turn if max_{s <= t} x_s >= 0, else east

    The junction is at the origin. The turn is hidden until the walker reaches it. Until then three
    futures are possible, and their mean lies on none of the arms. Given the turn the path is
    Gaussian and Markov, so all methods are exact. With the defaults 8 observed points end about 1 m
    before the junction, and 12 more end about 10 m along an arm.

    Args:
        probabilities: those of left, straight and right.
        speed: metres in a step.
        persistence: fraction of the last displacement that is kept, in [0, 1).
        noise: standard deviation of a displacement given the last one, in metres.
        start: first point of every walker, in metres.

    Raises:
        ConfigError: probabilities that are no distribution over three turns, or a noise that is
            not positive.

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
                "expected 3 probabilities (left, straight, right) that sum to 1, "
                f"found {self.probabilities}"
            )
        if not self.noise > 0:
            raise ConfigError(
                f"expected noise above 0, found {self.noise}; without noise there is no density"
            )

    def sample(self, count: int, steps: int = 20, seed: int = 0) -> Tracks:
        """Draw walks of `steps` points, as tracks."""
        return self.sample_turns(count, steps, seed)[0]

    def sample_turns(
        self, count: int, steps: int = 20, seed: int = 0
    ) -> tuple[Tracks, Int[np.ndarray, "count"]]:
        """Draw walks and their hidden turns (count,), which are indices into `TURNS`."""
        random = np.random.default_rng(seed)
        turns = random.choice(3, size=count, p=self.probabilities)
        origin = np.tile(np.asarray(self.start, np.float64), (count, 1, 1))
        paths = np.concatenate([origin, self._walk(origin, turns, steps - 1, random)], axis=1)
        return Tracks(list(paths)), turns

    def log_prob(
        self, path: Float[np.ndarray, "batch time 2"], given: int = 1
    ) -> Float[np.ndarray, "batch"]:
        """Return log p(p_{given+1}, ..., p_T | p_1, ..., p_given), marginal over the hidden turn.

            log sum_k w_k prod_{t < T} N(d_t; m_t^k, noise^2 I)  -  the same over the prefix

        Args:
            path: positions (batch, time, 2) in metres; the first point is given, never scored.
            given: points of the prefix.

        Returns:
            Log-densities (batch,) in nats, of positions in metres.
        """
        whole = _logsumexp(self._joint(path))
        return whole - _logsumexp(self._joint(path[:, : max(given, 1)]))

    def turn_posterior(
        self, prefix: Float[np.ndarray, "batch observe 2"]
    ) -> Float[np.ndarray, "batch 3"]:
        """Return p(turn | prefix), (batch, 3).

        It is the prior until the junction, and almost certain soon after.
        """
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
            prefix: observed points (batch, observe, 2), in metres.
            horizon: points to draw.
            samples: futures of each prefix.
            seed: seed of the draws.

        Returns:
            Positions (samples, batch, horizon, 2), in metres.
        """
        random = np.random.default_rng(seed)
        bounds = self.turn_posterior(prefix).cumsum(axis=1)[:, :2]
        turns = (random.random((samples, len(prefix), 1)) >= bounds).sum(axis=-1)
        return self._walk(np.broadcast_to(prefix, (samples, *prefix.shape)), turns, horizon, random)

    def turn(self, path: Float[np.ndarray, "*batch time 2"]) -> Int[np.ndarray, "*batch"]:
        """Return the arm on which each path ends (...), an index into `TURNS`.

        Left is north, y > |x|. Right is south, y < -|x|. All else is straight, including a walker
        who has not reached the junction.
        """
        x, y = path[..., -1, 0], path[..., -1, 1]
        return np.asarray(1 - (y > np.abs(x)).astype(np.int64) + (y < -np.abs(x)).astype(np.int64))

    def junction(self, path: Float[np.ndarray, "*batch time 2"]) -> Int[np.ndarray, "*batch"]:
        """Return the index of the first move that the arm pulls at (...), the last if none is.

        Move t leads from point t to point t + 1. The arm pulls from the first point with x >= 0.
        """
        there = path[..., :-1, 0] >= 0.0
        return np.where(there.any(-1), there.argmax(-1), there.shape[-1] - 1)

    def turn_shares(
        self, paths: Float[np.ndarray, "sample *batch time 2"]
    ) -> Float[np.ndarray, "*batch 3"]:
        """Return the fractions (..., 3) of left, straight and right among the sampled paths."""
        return (self.turn(paths)[..., None] == np.arange(3)).mean(axis=0)

    def _heading(
        self, turns: Int[np.ndarray, "*batch"], past: Bool[np.ndarray, "*batch"]
    ) -> Float[np.ndarray, "*batch 2"]:
        """Return the direction of the next move: the arm after the junction, east before."""
        return np.where(past[..., None], ARMS[turns], EAST)

    def _joint(self, path: Float[np.ndarray, "batch time 2"]) -> Float[np.ndarray, "3 batch"]:
        """Return log w_k + log p(p_2, ..., p_T | p_1, turn k) for each turn k."""
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
        with np.errstate(divide="ignore"):  # a turn of probability 0
            weight = np.log(np.asarray(self.probabilities))
        return weight[:, None] + density.sum(axis=(2, 3))

    def _walk(
        self,
        prefix: Float[np.ndarray, "*batch observe 2"],
        turns: Int[np.ndarray, "*batch"],
        horizon: int,
        random: np.random.Generator,
    ) -> Float[np.ndarray, "*batch {horizon} 2"]:
        """Draw the next points (..., horizon, 2) of walks with known turns (...).

        Args:
            prefix: observed points (..., observe, 2), in metres.
            turns: indices into `TURNS` (...).
            horizon: points to draw.
            random: source of the noise.
        """
        noise = self.noise * random.standard_normal((horizon, *turns.shape, 2))
        position, past = prefix[..., -1, :], np.asarray((prefix[..., 0] >= 0.0).any(axis=-1))
        move = prefix[..., -1, :] - prefix[..., -2, :] if prefix.shape[-2] > 1 else None
        path = []
        for eps in noise:
            if move is None:
                mean = self.speed * EAST
            else:
                pull = self.speed * self._heading(turns, past)
                mean = self.persistence * move + (1.0 - self.persistence) * pull
            move = mean + eps
            position = position + move
            past = past | (position[..., 0] >= 0.0)
            path.append(position)
        return np.stack(path, axis=-2) if path else np.zeros((*turns.shape, 0, 2))


def _logsumexp(values: Float[np.ndarray, "choice batch"]) -> Float[np.ndarray, "batch"]:
    """Return log sum exp over the first axis."""
    top = values.max(axis=0)
    return top + np.log(np.exp(values - top).sum(axis=0))
