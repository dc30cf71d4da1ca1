"""What recording does to motion: noise, rounding, key frames, coarse sampling, outliers."""

import numpy as np
from jaxtyping import Float

from vrnn.data.synthetic.motion.kinds import Rng, log_uniform, some

Positions = Float[np.ndarray, "count time 2"]


MARGIN = 24
"""Rows before and behind a track that its key frames may lie in."""


FINEST = 1e-4
"""Resolution of tracks that are not rounded further, in units of their moves."""


def coarser(moves: Positions, every: int) -> Positions:
    """Return the moves of tracks of which each `every`-th row is kept."""
    count, time, _ = moves.shape
    return moves.reshape(count, time // every, every, 2).sum(2)


def noisy(rng: Rng, x: Positions, scale: Float[np.ndarray, " count"], share: float) -> Positions:
    """Return positions; a share of the tracks gets noise, white or correlated between rows."""
    count = len(x)
    size = log_uniform(rng, count, 0.003, 0.6) * scale * some(rng, count, share)
    noise = rng.standard_normal(x.shape)
    slow = some(rng, count, 0.3)
    noise[slow] = (noise[slow] + np.roll(noise[slow], 1, 1)) / np.sqrt(2)
    return x + size[:, None, None] * noise


def rounded(rng: Rng, x: Positions, scale: Float[np.ndarray, " count"], share: float) -> Positions:
    """Return positions on a grid: a coarse one for a share of the tracks, else a very fine one."""
    coarse = some(rng, len(x), share)
    grid = np.where(coarse, log_uniform(rng, len(x), 0.01, 1.0), FINEST)
    grid = (grid * np.where(scale > 0, scale, 1.0))[:, None, None]
    return np.round(x / grid) * grid


def key_frames(rng: Rng, x: Positions, share: float) -> Positions:
    """Return positions between key frames joined by lines or curves, of a share of the tracks.

    Hand-annotated tracks look like this: only every few rows were marked.

    Args:
        x: with `MARGIN` rows before and behind, which the result is without.
    """
    count, time = len(x), x.shape[1] - 2 * MARGIN
    every = np.floor(log_uniform(rng, count, 2, 12)).astype(int)
    first = (rng.random(count) * every).astype(int)
    rows = np.arange(time) + first[:, None]
    frame = rows // every[:, None]
    part = ((rows % every[:, None]) / every[:, None])[..., None]

    def at(offset: int) -> np.ndarray:
        index = MARGIN + (frame + offset) * every[:, None] - first[:, None]
        return np.take_along_axis(x, index[..., None], 1)

    before, start, end, behind = at(-1), at(0), at(1), at(2)
    line = start + part * (end - start)
    curve = start + 0.5 * part * (
        end
        - before
        + part
        * (2 * before - 5 * start + 4 * end - behind + part * (3 * (start - end) + behind - before))
    )
    joined = np.where(some(rng, count, 0.5)[:, None, None], line, curve)
    whole = x[:, MARGIN : MARGIN + time]
    return np.where(some(rng, count, share)[:, None, None], joined, whole)


def with_outliers(
    rng: Rng, x: Positions, scale: Float[np.ndarray, " count"], share: float
) -> Positions:
    """Return positions of which single ones are far off, of a share of the tracks."""
    count, time, _ = x.shape
    chance = log_uniform(rng, count, 0.01, 0.05) * some(rng, count, share)
    hit = rng.random((count, time)) < chance[:, None]
    off = rng.standard_normal(x.shape) * (scale * log_uniform(rng, count, 2, 30))[:, None, None]
    return x + off * hit[..., None]
