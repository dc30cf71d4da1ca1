"""The order of the data: which sequences every batch holds, a function of (seed, step) alone."""

import numpy as np

from vrnn.inference.random_numbers import Stream

BUCKET = 32  # batches whose sequences are sorted by length together, so that little is padded


def epoch_batches(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Return the batches of an epoch as arrays of indices.

    Sequences are shuffled and bucketed by length, and an incomplete last batch is dropped. With
    fewer sequences than `batch_size` the only batch holds all of them.

    >>> [sorted(b.tolist()) for b in epoch_batches(np.array([5, 5, 5]), 8, seed=0, epoch=0)]
    [[0, 1, 2]]
    """
    rng = np.random.default_rng([seed, epoch, Stream.ORDER])
    order = rng.permutation(len(lengths))
    count = max(len(order) // batch_size, 1)
    order = order[: count * batch_size]
    if np.ptp(lengths):
        starts = range(0, len(order), BUCKET * batch_size)
        buckets = [order[i : i + BUCKET * batch_size] for i in starts]
        order = np.concatenate([b[np.argsort(lengths[b], kind="stable")] for b in buckets])
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    return [batches[i] for i in rng.permutation(count)]


class BatchSampler:
    """The batches of every step. It remembers the epoch that was asked for last.

    Args:
        lengths: time steps of each sequence, (N,).
        batch_size: sequences in a batch.
        seed: seed of the order.
    """

    def __init__(self, lengths: np.ndarray, batch_size: int, seed: int):
        self.lengths, self.batch_size, self.seed = lengths, batch_size, seed
        self.batches_per_epoch = max(len(lengths) // batch_size, 1)
        self._epoch, self._batches = -1, []

    def batch(self, step: int) -> np.ndarray:
        """Return the indices of the batch of step `step`, counted from 0."""
        epoch, position = divmod(step, self.batches_per_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._batches = epoch_batches(self.lengths, self.batch_size, self.seed, epoch)
        return self._batches[position]
