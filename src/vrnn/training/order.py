"""The order of the data and its random changes, both functions of (seed, step) alone."""

import numpy as np

from vrnn.data.preprocessor import Change
from vrnn.inference.noise import Stream
from vrnn.training.config import AugmentConfig

BUCKET = 32  # batches whose sequences are sorted by length together, so that little is padded


def epoch_order(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Give the batches of an epoch as arrays of indices: shuffled, bucketed by length, the incomplete last one dropped.

    With fewer sequences than `batch_size` the one batch has all of them.

    >>> [sorted(b.tolist()) for b in epoch_order(np.array([5, 5, 5]), 8, seed=0, epoch=0)]
    [[0, 1, 2]]
    """
    rng = np.random.default_rng([seed, epoch, Stream.ORDER])
    order = rng.permutation(len(lengths))
    count = max(len(order) // batch_size, 1)
    order = order[: count * batch_size]
    if np.ptp(lengths):
        chunks = [
            order[i : i + BUCKET * batch_size] for i in range(0, len(order), BUCKET * batch_size)
        ]
        order = np.concatenate([c[np.argsort(lengths[c], kind="stable")] for c in chunks])
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    return [batches[i] for i in rng.permutation(count)]


class Order:
    """Give the indices of any step's batch; the epoch last asked for is remembered.

    Args:
        lengths: rows of each sequence, (N,).
    """

    def __init__(self, lengths: np.ndarray, batch_size: int, seed: int):
        self.lengths, self.batch_size, self.seed = lengths, batch_size, seed
        self.batches_per_epoch = max(len(lengths) // batch_size, 1)
        self._epoch, self._batches = -1, []

    def batch(self, step: int) -> np.ndarray:
        """Give the indices of step `step`, counted from 0."""
        epoch, position = divmod(step, self.batches_per_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._batches = epoch_order(self.lengths, self.batch_size, self.seed, epoch)
        return self._batches[position]


def augmentation(config: AugmentConfig, seed: int, step: int) -> Change | None:
    """Make the random change of a step, each track its own; fixed points do not matter to displacements.

    Positions: x -> c R F x + s u^2 e in the first two columns; F mirrors the second axis, R rotates, c is a speed, e normal, u uniform, a
    number a track. Keys: in a
    share of the tracks every column moves by the same number of places, and what leaves the range is gone.
    """
    if not config.active:
        return None

    def change(x: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng([seed, step, Stream.AUGMENT])
        x = _turned(x, config, rng) if config.turns else x
        x = (
            _jittered(x, config, np.random.default_rng([seed, step, Stream.JITTER]))
            if config.jitter
            else x
        )
        shift = rng.integers(-config.transpose, config.transpose, len(x), endpoint=True)
        return _transposed(x, np.where(rng.random(len(x)) < config.share, shift, 0))

    return change


def _turned(x: np.ndarray, config: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    count = len(x)
    matrix = np.broadcast_to(np.eye(2), (count, 2, 2)).copy()
    flips, angles, speeds = rng.random(count), rng.random(count), rng.random(count)
    if config.flip:
        matrix[:, 1, 1] = np.where(flips < config.share, -1.0, 1.0)
    if config.rotate:
        c, s = np.cos(2 * np.pi * angles), np.sin(2 * np.pi * angles)
        matrix = np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2) @ matrix
    low, high = np.log(config.speed)
    matrix *= np.exp(low + (high - low) * speeds)[:, None, None]
    turned = np.einsum("bij,btj->bti", matrix, x[..., :2])
    return np.concatenate([turned, x[..., 2:]], -1)


def _jittered(x: np.ndarray, config: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    scale = config.jitter * rng.random((len(x), 1, 1)) ** 2
    return np.concatenate([x[..., :2] + scale * rng.normal(size=(*x.shape[:2], 2)), x[..., 2:]], -1)


def _transposed(x: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Move the columns of each track (batch, time, dim) by its own number of places (batch,), zeros moving in."""
    source = np.arange(x.shape[-1]) - shift[:, None]
    there = (source >= 0) & (source < x.shape[-1])
    moved = np.take_along_axis(x, np.where(there, source, 0)[:, None], axis=-1)
    absent = np.isnan(x).all(-1, keepdims=True)  # zeros move into rows that are there
    return np.where(there[:, None], moved, np.where(absent, np.nan, 0.0))
