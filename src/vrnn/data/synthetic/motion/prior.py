"""A broad prior over planar motion, for a model that forecasts tracks it has never seen."""

import numpy as np
from jaxtyping import Float

from vrnn.data.synthetic.motion.kinds import KINDS, Rng, log_uniform, some
from vrnn.data.synthetic.motion.recording import (
    MARGIN,
    coarser,
    key_frames,
    noisy,
    rounded,
    with_outliers,
)

SHARES = {
    "steady": 0.18,
    "correlated": 0.12,
    "turning": 0.08,
    "strokes": 0.08,
    "goals": 0.04,
    "oscillating": 0.07,
    "smooth": 0.26,
    "linear": 0.09,
    "junctions": 0.03,
    "resting": 0.05,
}
RATES = {1: 0.5, 2: 0.32, 4: 0.18}  # rows that are simulated per row, and their shares
SWITCHES = 0.15  # chance of a change to another track, at a row that may lie in the margins
NOISE, ROUNDED, KEY_FRAMES, OUTLIERS = 0.55, 0.25, 0.3, 0.03


def motion(
    rng: Rng, count: int, time: int, shares: dict[str, float] = SHARES
) -> Float[np.ndarray, "count time 2"]:
    """Return simulated tracks: positions (count, time, 2), from the origin.

    Kinds are mixed in these shares, at random rates of sampling. Some tracks switch to
    another kind. Then they are recorded: with noise, between key frames, on a grid, with outliers.
    Every track has a heading, a side and a scale of its own.

    >>> motion(np.random.default_rng(0), 5, 20).shape
    (5, 20, 2)
    """
    rows = time + 2 * MARGIN
    parts = []
    for every, some_tracks in zip(RATES, rng.multinomial(count, [*RATES.values()]), strict=True):
        for kind, n in zip(shares, rng.multinomial(some_tracks, [*shares.values()]), strict=True):
            if n:
                parts.append(unit(coarser(unit(KINDS[kind](rng, n, every * rows)), every)))
    moves = np.concatenate(parts)[rng.permutation(count)]
    other, at = moves[rng.permutation(count)], rng.integers(3, rows + 1, count)
    switches = some(rng, count, SWITCHES)
    behind = switches[:, None] & (np.arange(rows) >= at[:, None])
    moves = np.where(
        behind[..., None], other * log_uniform(rng, count, 0.3, 3)[:, None, None], moves
    )
    scale = np.sqrt((moves**2).sum(-1).mean(1))
    x = noisy(rng, moves.cumsum(1), scale, NOISE)
    x = key_frames(rng, x, KEY_FRAMES)
    x = with_outliers(rng, x, scale, OUTLIERS)
    x = turned(rng, x - x[:, :1])
    x = rounded(rng, x, scale, ROUNDED)
    return x * log_uniform(rng, count, 0.05, 20)[:, None, None]


def unit(moves: Float[np.ndarray, "count time 2"]) -> Float[np.ndarray, "count time 2"]:
    """Return moves of a root mean square length of 1 in every track."""
    return moves / (np.sqrt((moves**2).sum(-1).mean(1)) + 1e-9)[:, None, None]


def turned(rng: Rng, x: Float[np.ndarray, "count time 2"]) -> Float[np.ndarray, "count time 2"]:
    """Return tracks turned by angles of their own, half of them mirrored."""
    angle, side = rng.uniform(0, 2 * np.pi, len(x)), rng.choice([-1.0, 1.0], len(x))
    c, s, y = np.cos(angle)[:, None], np.sin(angle)[:, None], x[..., 1] * side[:, None]
    return np.stack([c * x[..., 0] - s * y, s * x[..., 0] + c * y], -1)
