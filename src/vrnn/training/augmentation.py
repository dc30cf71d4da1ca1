"""Random changes of the training tracks, functions of (seed, step) alone."""

import numpy as np

from vrnn.data.preprocessor import Change
from vrnn.inference.random_numbers import Stream
from vrnn.training.config import AugmentConfig


def augmentation(config: AugmentConfig, seed: int, step: int, steps: int) -> Change | None:
    """Return the random change of step `step` out of `steps`, or None where it changes nothing.

    Positions: x -> x_1 + c R F (x - x_1) + s u^2 e in the first two columns, x_1 the first observed
    point. F mirrors the second axis, R rotates, c is a speed, e is normal and u uniform. Each track
    draws its own R, F, c and u.

    Keys: every column of a track moves by the same number of places. Keys that leave the range
    are gone.
    """
    if not config.active or step >= config.until * steps:
        return None

    def change(x: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng([seed, step, Stream.AUGMENT])
        x = _turned(x, config, rng) if config.turns else x
        if config.jitter:
            x = _jittered(x, config, np.random.default_rng([seed, step, Stream.JITTER]))
        shift = rng.integers(-config.transpose, config.transpose, len(x), endpoint=True)
        return _transposed(x, np.where(rng.random(len(x)) < config.prob, shift, 0))

    return change


def _turned(x: np.ndarray, config: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """Return tracks (batch, time, dim) mirrored, rotated and scaled, each by its own matrix.

    The first point that is observed stays in its place.
    """
    count = len(x)
    matrix = np.broadcast_to(np.eye(2), (count, 2, 2)).copy()
    flips, angles, speeds = rng.random(count), rng.random(count), rng.random(count)
    if config.flip:
        matrix[:, 1, 1] = np.where(flips < config.prob, -1.0, 1.0)
    if config.rotate:
        c, s = np.cos(2 * np.pi * angles), np.sin(2 * np.pi * angles)
        matrix = np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2) @ matrix
    low, high = np.log(config.speed)
    matrix *= np.exp(low + (high - low) * speeds)[:, None, None]
    whole = np.isfinite(x[..., :2]).all(-1)
    first = np.nan_to_num(x[np.arange(count), whole.argmax(1), :2])[:, None]
    turned = first + np.einsum("bij,btj->bti", matrix, x[..., :2] - first)
    return np.concatenate([turned, x[..., 2:]], -1)


def _jittered(x: np.ndarray, config: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """Return tracks (batch, time, dim) with white noise, each with its own scale."""
    scale = config.jitter * rng.random((len(x), 1, 1)) ** 2
    return np.concatenate([x[..., :2] + scale * rng.normal(size=(*x.shape[:2], 2)), x[..., 2:]], -1)


def _transposed(x: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return tracks (batch, time, dim) with columns moved by `shift` (batch,) places.

    Zeros move in, but a row that is missing stays missing.
    """
    source = np.arange(x.shape[-1]) - shift[:, None]
    there = (source >= 0) & (source < x.shape[-1])
    moved = np.take_along_axis(x, np.where(there, source, 0)[:, None], axis=-1)
    absent = np.isnan(x).all(-1, keepdims=True)
    return np.where(there[:, None], moved, np.where(absent, np.nan, 0.0))
