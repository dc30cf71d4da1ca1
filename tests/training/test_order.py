"""The order of the data and its random changes are functions of (seed, step)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vrnn.training.config import AugmentConfig
from vrnn.training.order import BUCKET, Order, augmentation, epoch_order


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=200),
    batch_size=st.integers(1, 50),
    seed=st.integers(0, 99),
    epoch=st.integers(0, 9),
)
def test_every_index_at_most_once_an_epoch_and_as_often_as_fits(lengths, batch_size, seed, epoch):
    lengths = np.array(lengths)
    batches = epoch_order(lengths, batch_size, seed, epoch)
    size = min(batch_size, len(lengths))
    assert [len(b) for b in batches] == [size] * max(len(lengths) // batch_size, 1)
    every = np.concatenate(batches)
    assert len(set(every.tolist())) == len(every) > len(lengths) - batch_size


def test_order_depends_on_seed_and_epoch_alone():
    lengths = np.arange(100)
    first = np.concatenate(epoch_order(lengths, 7, seed=3, epoch=2))
    assert np.array_equal(first, np.concatenate(epoch_order(lengths, 7, seed=3, epoch=2)))
    for other in ((4, 2), (3, 3)):
        assert not np.array_equal(first, np.concatenate(epoch_order(lengths, 7, *other)))


def test_over_epochs_every_index_comes_up():
    seen = {
        int(i) for epoch in range(20) for b in epoch_order(np.arange(10), 4, 0, epoch) for i in b
    }
    assert seen == set(range(10))  # an epoch drops two of them, not always the same


def test_batches_hold_sequences_of_like_length():
    lengths = np.random.default_rng(0).integers(1, 1000, 8 * BUCKET)
    spread = np.mean([np.ptp(lengths[b]) for b in epoch_order(lengths, 8, 0, 0)])
    assert spread < 0.1 * np.ptp(lengths)
    first = [lengths[epoch_order(lengths, 8, seed, 0)[0]].mean() for seed in range(20)]
    assert np.std(first) > 100  # batches do not come in the order of their lengths


def test_steps_walk_through_epochs_in_any_order():
    order = Order(np.full(23, 5), batch_size=5, seed=1)
    assert order.batches_per_epoch == 4
    forward = [order.batch(step) for step in range(12)]
    again = Order(np.full(23, 5), batch_size=5, seed=1)
    assert all(np.array_equal(again.batch(step), forward[step]) for step in (11, 3, 7, 0))
    for epoch in range(3):
        expected = np.concatenate(epoch_order(np.full(23, 5), 5, 1, epoch))
        assert np.array_equal(np.concatenate(forward[4 * epoch : 4 * epoch + 4]), expected)


@pytest.mark.parametrize(
    "config",
    [AugmentConfig(flip=True), AugmentConfig(rotate=True), AugmentConfig(True, True, (0.5, 2.0))],
    ids=str,
)
def test_augmentation_is_a_similarity_of_each_track(config):
    x = np.random.default_rng(0).normal(size=(50, 6, 3))
    changed = augmentation(config, seed=1, step=2)(x)
    assert np.array_equal(changed, augmentation(config, 1, 2)(x))
    assert not np.array_equal(changed, augmentation(config, 1, 3)(x))
    assert np.array_equal(changed[..., 2], x[..., 2])
    ratio = np.linalg.norm(changed[..., :2], axis=-1) / np.linalg.norm(x[..., :2], axis=-1)
    np.testing.assert_allclose(ratio, ratio[:, :1].repeat(6, 1))
    low, high = config.speed
    assert ratio.min() >= low - 1e-12 and ratio.max() <= high + 1e-12
    turns = (x[:, 0, 0] * x[:, 1, 1] - x[:, 0, 1] * x[:, 1, 0]) * (
        changed[:, 0, 0] * changed[:, 1, 1] - changed[:, 0, 1] * changed[:, 1, 0]
    )
    assert (turns < 0).any() == config.flip and (
        turns > 0
    ).any()  # a mirror image turns the other way


def test_jitter_is_white_noise_with_a_scale_of_each_tracks_own():
    x = np.random.default_rng(0).normal(size=(4000, 60, 3))
    changed = augmentation(AugmentConfig(jitter=0.3), seed=1, step=2)(x)
    assert np.array_equal(changed, augmentation(AugmentConfig(jitter=0.3), 1, 2)(x))
    assert not np.array_equal(changed, augmentation(AugmentConfig(jitter=0.3), 1, 3)(x))
    noise = (changed - x)[..., :2]
    assert np.array_equal(changed[..., 2], x[..., 2])
    scale = noise.std((1, 2))
    for share in (0.25, 0.5, 0.9):  # a quantile of s u^2 is s times that of u, squared
        assert np.quantile(scale, share) == pytest.approx(0.3 * share**2, rel=0.06)
    white = noise / scale[:, None, None]
    assert abs((white[:, 1:] * white[:, :-1]).mean()) < 0.01 and abs(white.prod(-1).mean()) < 0.01


def test_transposition_moves_half_of_the_pieces_by_up_to_so_many_keys():
    roll = np.zeros((400, 3, 9))
    roll[:, :, 4], roll[:, 1, 8] = 1.0, np.nan
    changed = augmentation(AugmentConfig(transpose=2), seed=1, step=0)(roll)
    shift = changed[:, 0].argmax(-1) - 4
    assert set(shift) == {-2, -1, 0, 1, 2} and 0.45 < np.mean(shift == 0) < 0.75
    for piece, by in zip(changed, shift, strict=True):
        expected = np.zeros((3, 9))
        expected[:, 4 + by] = 1.0
        if by <= 0:  # what is moved past the last key is gone
            expected[1, 8 + by] = np.nan
        assert np.array_equal(piece, expected, equal_nan=True)


def test_no_augmentation_is_none():
    assert augmentation(AugmentConfig(), 0, 0) is None
