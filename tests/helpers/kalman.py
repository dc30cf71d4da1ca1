"""The exact answers of a linear-Gaussian state-space model.

    s_1 ~ N(m, P),   s_t = F s_{t-1} + c + N(0, Q),   x_t = H s_t + d + N(0, R)

One sequence at a time, NumPy in float64, NaN where an entry of x is missing. Nothing here knows of
the library. Kalman filter and smoother are the fast form; `joint` and `condition` are the plain one
that tests them.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float


class StateSpace(NamedTuple):
    """The matrices of a model; Q, P and R may be singular while the observed x have a density."""

    F: Float[np.ndarray, "state state"]
    c: Float[np.ndarray, " state"]
    Q: Float[np.ndarray, "state state"]
    m: Float[np.ndarray, " state"]
    P: Float[np.ndarray, "state state"]
    H: Float[np.ndarray, "dim state"]
    d: Float[np.ndarray, " dim"]
    R: Float[np.ndarray, "dim dim"]


class Kalman(NamedTuple):
    """The exact answers for one sequence.

    Attributes:
        log_prob: log p(x_t | x_{<t}) of the observed entries, 0 where none is, (time,).
        mean, cov: E[s_t | x_{1:t}] and Cov[s_t | x_{1:t}].
        smoothed_mean, smoothed_cov: E[s_t | x_{1:T}] and Cov[s_t | x_{1:T}].
    """

    log_prob: Float[np.ndarray, " time"]
    mean: Float[np.ndarray, "time state"]
    cov: Float[np.ndarray, "time state state"]
    smoothed_mean: Float[np.ndarray, "time state"]
    smoothed_cov: Float[np.ndarray, "time state state"]


def kalman(space: StateSpace, x: Float[np.ndarray, "time dim"]) -> Kalman:
    """Return the filtered and the smoothed moments of one sequence.

    Source: Särkkä 2013, Bayesian Filtering and Smoothing, theorems 4.2 and 8.2.
    """
    log_prob, predicted, filtered = [], [], []
    mean, cov = space.m, space.P
    for t, row in enumerate(x):
        if t:
            mean, cov = space.F @ mean + space.c, space.F @ cov @ space.F.T + space.Q
        predicted.append((mean, cov))
        there = np.isfinite(row)
        H, R = space.H[there], space.R[np.ix_(there, there)]
        gap, spread = row[there] - H @ mean - space.d[there], H @ cov @ H.T + R
        log_prob.append(
            -0.5 * (gap @ np.linalg.solve(spread, gap) + np.linalg.slogdet(2 * np.pi * spread)[1])
        )
        gain = np.linalg.solve(spread, H @ cov).T
        mean, cov = mean + gain @ gap, cov - gain @ spread @ gain.T
        filtered.append((mean, cov))
    smoothed = [filtered[-1]]
    for t in reversed(range(len(x) - 1)):
        (mean, cov), (ahead_mean, ahead_cov) = filtered[t], predicted[t + 1]
        gain = cov @ space.F.T @ np.linalg.pinv(ahead_cov, rcond=1e-10, hermitian=True)
        mean = mean + gain @ (smoothed[0][0] - ahead_mean)
        smoothed.insert(0, (mean, cov + gain @ (smoothed[0][1] - ahead_cov) @ gain.T))
    stack = lambda laws: (np.stack(part) for part in zip(*laws, strict=True))  # noqa: E731
    return Kalman(np.array(log_prob), *stack(filtered), *stack(smoothed))


def draw(
    space: StateSpace, time: int, random: np.random.Generator
) -> Float[np.ndarray, "time dim"]:
    """Return the observations of one sequence, drawn."""
    root = lambda cov: np.linalg.svd(cov)[0] * np.sqrt(np.linalg.svd(cov)[1])  # noqa: E731
    first, later, seen = root(space.P), root(space.Q), root(space.R)
    state, rows = space.m + first @ random.normal(size=len(space.m)), []
    for t in range(time):
        if t:
            state = space.F @ state + space.c + later @ random.normal(size=len(space.m))
        rows.append(space.H @ state + space.d + seen @ random.normal(size=len(space.d)))
    return np.stack(rows)


def joint(space: StateSpace, time: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of (s_1, ..., s_T, x_1, ..., x_T), as one affine map of noise."""
    n = len(space.m)
    mean, of_noise, spread = [space.m], [np.eye(n, time * n)], [space.P]
    for t in range(1, time):
        mean.append(space.F @ mean[-1] + space.c)
        of_noise.append(space.F @ of_noise[-1] + np.eye(n, time * n, t * n))
        spread.append(space.Q)
    noise = np.zeros((time * n, time * n))
    for t, cov in enumerate(spread):
        noise[t * n : (t + 1) * n, t * n : (t + 1) * n] = cov
    states = np.concatenate(of_noise)
    both = np.concatenate([np.eye(time * n), np.kron(np.eye(time), space.H)])
    cov = both @ states @ noise @ states.T @ both.T
    cov[time * n :, time * n :] += np.kron(np.eye(time), space.R)
    return both @ np.concatenate(mean) + np.concatenate(
        [np.zeros(time * n), np.tile(space.d, time)]
    ), cov


def condition(
    mean: np.ndarray, cov: np.ndarray, there: Bool[np.ndarray, " all"], value: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of all entries of a Gaussian vector given some of them."""
    gain = np.linalg.solve(cov[np.ix_(there, there)], cov[there]).T
    return mean + gain @ (value - mean[there]), cov - gain @ cov[there]
