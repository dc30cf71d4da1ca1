"""Tracks with a drifting velocity, a process with an exact Gaussian density."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError


@dataclass(frozen=True)
class ConstantVelocityWalk:
    """Linear-Gaussian tracks: noisy positions of a point whose velocity is a random walk.

        p_1 ~ N(0, position^2),      v_1 ~ N(0, velocity^2)
        p_{t+1} = p_t + v_t,         v_{t+1} ~ N(v_t, drift^2),      x_t ~ N(p_t, noise^2)

    The dimensions are independent. The states are hidden, so x is not Markov and a recurrent model
    has something to remember. All T points of a dimension are jointly Gaussian with covariance

        C = position^2 1 1' + S (velocity^2 1 1' + drift^2 S S') S' + noise^2 I,  S_{ij} = [j < i]

    Densities and futures follow from C without a filter, also where points are missing. They are
    therefore an independent check of filters.

    Args:
        position, velocity: standard deviations of the first state, in metres and metres a step.
        drift: standard deviation of the change of velocity in a step.
        noise: standard deviation of the observation, in metres.
        dim: independent dimensions.

    Raises:
        ConfigError: a noise that is not positive, or another scale that is negative.

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
        """Return the covariance C of x_1, ..., x_steps in one dimension, in square metres."""
        ones, before = np.ones((steps, steps)), np.tri(steps, k=-1)
        motion = self.velocity**2 * ones + self.drift**2 * before @ before.T
        return self.position**2 * ones + before @ motion @ before.T + self.noise**2 * np.eye(steps)

    def sample(self, count: int, steps: int = 20, seed: int = 0) -> Tracks:
        """Draw tracks (steps, dim) by simulation."""
        random = np.random.default_rng(seed)

        def draw(scale: float, time: int) -> Float[np.ndarray, "count time dim"]:
            return scale * random.standard_normal((count, time, self.dim))

        first, speed = draw(self.position, 1), draw(self.velocity, 1)
        drift = draw(self.drift, max(steps - 2, 0)).cumsum(axis=1)
        velocity = np.concatenate([speed, speed + drift], axis=1)[:, : steps - 1]
        positions = np.concatenate([first, first + velocity.cumsum(axis=1)], axis=1)
        return Tracks(list(positions + draw(self.noise, steps)))

    def log_prob(
        self, x: Float[np.ndarray, "batch time dim"], given: int = 0
    ) -> Float[np.ndarray, "batch"]:
        """Return log p(x_{given+1}, ..., x_T | x_1, ..., x_given) in nats, (batch,).

        A point with a NaN is missing, and the density is the exact marginal without it.

        Args:
            x: positions (batch, time, dim), in metres.
            given: points that the density is conditional on.
        """
        return self._log_prob(x) - self._log_prob(x[:, :given])

    def future(
        self,
        prefix: Float[np.ndarray, "batch observe dim"],
        horizon: int,
        samples: int,
        seed: int = 0,
    ) -> Float[np.ndarray, "{samples} batch {horizon} dim"]:
        """Draw futures from p(future | prefix) by Gaussian conditioning.

            E[f | x] = C_fx C_xx^{-1} x,    Cov[f | x] = C_ff - C_fx C_xx^{-1} C_xf

        Args:
            prefix: observed points (batch, observe, dim), in metres; NaN where missing.
            horizon: points to draw.
            samples: futures of each prefix.
            seed: seed of the draws.

        Returns:
            Positions (samples, batch, horizon, dim), in metres.
        """
        batch, observe, dim = prefix.shape
        value, present, known = self._masked(prefix)
        whole = self.covariance(observe + horizon)
        cross = whole[observe:, :observe] * present[:, None]
        gain = np.linalg.solve(known, cross.transpose(0, 2, 1)).transpose(0, 2, 1)
        factor = np.linalg.cholesky(whole[observe:, observe:] - gain @ cross.transpose(0, 2, 1))
        noise = np.random.default_rng(seed).standard_normal((samples, batch, horizon, dim))
        return gain @ value + factor @ noise

    def _masked(
        self, x: Float[np.ndarray, "batch time dim"]
    ) -> tuple[
        Float[np.ndarray, "batch time dim"],
        Bool[np.ndarray, "batch time"],
        Float[np.ndarray, "batch time time"],
    ]:
        """Return x with 0 where missing, the mask, and C with N(0, 1) for missing points."""
        present = np.asarray(~np.isnan(x).any(axis=-1))
        both = present[:, :, None] & present[:, None, :]
        covariance = np.where(both, self.covariance(x.shape[1]), np.eye(x.shape[1]))
        return np.where(present[..., None], x, 0.0), present, covariance

    def _log_prob(self, x: Float[np.ndarray, "batch time dim"]) -> Float[np.ndarray, "batch"]:
        """Return log p(x_1, ..., x_T) without the missing points."""
        value, present, covariance = self._masked(x)
        log_volume = np.linalg.slogdet(covariance)[1] + present.sum(axis=1) * np.log(2.0 * np.pi)
        square = (value * np.linalg.solve(covariance, value)).sum(axis=(1, 2))
        return -0.5 * (square + x.shape[-1] * log_volume)
