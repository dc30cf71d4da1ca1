"""Random changes of tracks are functions of (seed, step)."""

import numpy as np
import pytest

from vrnn.training.augmentation import augmentation
from vrnn.training.config import AugmentConfig


@pytest.mark.parametrize(
    "config",
    [AugmentConfig(flip=True), AugmentConfig(rotate=True), AugmentConfig(True, True, (0.5, 2.0))],
    ids=str,
)
def test_augmentation_is_a_similarity_of_each_track(config):
    x = np.random.default_rng(0).normal(size=(50, 6, 3))
    changed = augmentation(config, seed=1, step=2, steps=9)(x)
    assert np.array_equal(changed, augmentation(config, 1, 2, 9)(x))
    assert not np.array_equal(changed, augmentation(config, 1, 3, 9)(x))
    assert np.array_equal(changed[..., 2], x[..., 2])
    assert np.array_equal(changed[:, 0], x[:, 0])  # a track turns about its first point
    x, changed = x[:, 1:] - x[:, :1], changed[:, 1:] - changed[:, :1]
    ratio = np.linalg.norm(changed[..., :2], axis=-1) / np.linalg.norm(x[..., :2], axis=-1)
    np.testing.assert_allclose(ratio, ratio[:, :1].repeat(5, 1))
    low, high = config.speed
    assert ratio.min() >= low - 1e-12 and ratio.max() <= high + 1e-12
    turns = (x[:, 0, 0] * x[:, 1, 1] - x[:, 0, 1] * x[:, 1, 0]) * (
        changed[:, 0, 0] * changed[:, 1, 1] - changed[:, 0, 1] * changed[:, 1, 0]
    )
    assert (turns < 0).any() == config.flip
    assert (turns > 0).any()  # a mirror image turns the other way


def test_jitter_is_white_noise_with_a_scale_of_each_tracks_own():
    x = np.random.default_rng(0).normal(size=(4000, 60, 3))
    changed = augmentation(AugmentConfig(jitter=0.3), seed=1, step=2, steps=9)(x)
    assert np.array_equal(changed, augmentation(AugmentConfig(jitter=0.3), 1, 2, 9)(x))
    assert not np.array_equal(changed, augmentation(AugmentConfig(jitter=0.3), 1, 3, 9)(x))
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
    changed = augmentation(AugmentConfig(transpose=2), seed=1, step=0, steps=9)(roll)
    shift = changed[:, 0].argmax(-1) - 4
    assert set(shift) == {-2, -1, 0, 1, 2} and 0.45 < np.mean(shift == 0) < 0.75
    for piece, by in zip(changed, shift, strict=True):
        expected = np.zeros((3, 9))
        expected[:, 4 + by] = 1.0
        if by <= 0:  # what is moved past the last key is gone
            expected[1, 8 + by] = np.nan
        assert np.array_equal(piece, expected, equal_nan=True)


def test_no_augmentation_is_none():
    assert augmentation(AugmentConfig(), 0, 0, 9) is None
