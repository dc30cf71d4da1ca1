"""The order of the data is a function of (seed, step)."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vrnn.training.batch_order import BUCKET, BatchSampler, epoch_batches


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=200),
    batch_size=st.integers(1, 50),
    seed=st.integers(0, 99),
    epoch=st.integers(0, 9),
)
def test_every_index_at_most_once_an_epoch_and_as_often_as_fits(lengths, batch_size, seed, epoch):
    lengths = np.array(lengths)
    batches = epoch_batches(lengths, batch_size, seed, epoch)
    size = min(batch_size, len(lengths))
    assert [len(b) for b in batches] == [size] * max(len(lengths) // batch_size, 1)
    every = np.concatenate(batches)
    assert len(set(every.tolist())) == len(every) > len(lengths) - batch_size


def test_order_depends_on_seed_and_epoch_alone():
    lengths = np.arange(100)
    first = np.concatenate(epoch_batches(lengths, 7, seed=3, epoch=2))
    assert np.array_equal(first, np.concatenate(epoch_batches(lengths, 7, seed=3, epoch=2)))
    for other in ((4, 2), (3, 3)):
        assert not np.array_equal(first, np.concatenate(epoch_batches(lengths, 7, *other)))


def test_over_epochs_every_index_comes_up():
    seen = {
        int(i) for epoch in range(20) for b in epoch_batches(np.arange(10), 4, 0, epoch) for i in b
    }
    assert seen == set(range(10))  # an epoch drops two of them, not always the same


def test_batches_hold_sequences_of_like_length():
    lengths = np.random.default_rng(0).integers(1, 1000, 8 * BUCKET)
    spread = np.mean([np.ptp(lengths[b]) for b in epoch_batches(lengths, 8, 0, 0)])
    assert spread < 0.1 * np.ptp(lengths)
    first = [lengths[epoch_batches(lengths, 8, seed, 0)[0]].mean() for seed in range(20)]
    assert np.std(first) > 100  # batches do not come in the order of their lengths


def test_steps_walk_through_epochs_in_any_order():
    order = BatchSampler(np.full(23, 5), batch_size=5, seed=1)
    assert order.batches_per_epoch == 4
    forward = [order.batch(step) for step in range(12)]
    again = BatchSampler(np.full(23, 5), batch_size=5, seed=1)
    assert all(np.array_equal(again.batch(step), forward[step]) for step in (11, 3, 7, 0))
    for epoch in range(3):
        expected = np.concatenate(epoch_batches(np.full(23, 5), 5, 1, epoch))
        assert np.array_equal(np.concatenate(forward[4 * epoch : 4 * epoch + 4]), expected)
