"""Means over independent runs, compared with what they should be."""

import math

import numpy as np
import torch

from vrnn.data.batch import Batch


def repeat(batch: Batch, count: int) -> Batch:
    """Return a batch with its first sequence many times."""
    return batch.sequences(torch.zeros(count, dtype=torch.long))


def assert_mean(runs: np.ndarray, exact: np.ndarray | float, resolution: float) -> None:
    """Compare the mean over independent runs (run, ...) with what it should be.

    It may be off by 5 of its own standard errors, taken from the spread of the runs, which chance
    exceeds once in 10^6. It may also be off by 2 / runs, for what is so rare that no run saw it.

    Args:
        resolution: the most that this may come to: the test sees every error above it.
    """
    error = 5 * runs.std(0, ddof=1) / math.sqrt(len(runs)) + 2 / len(runs)
    assert error.max() < resolution, f"too rough to prove anything: {error.max():.4f}"
    off = np.abs(runs.mean(0) - exact) / error
    assert off.max() < 1, (
        f"{off.max():.2f} times the tolerance, at {off.argmax()}: {runs.mean(0)}, exact {exact}"
    )


def assert_moments(
    v: np.ndarray, weight: np.ndarray | float, mean: np.ndarray, cov: np.ndarray, resolution: float
) -> None:
    """Compare mean and covariance of weighted draws (draw, run, width) with the exact ones.

    Both are compared in standard deviations of each entry.
    """
    scale = np.sqrt(np.diag(cov))
    unit = (v - mean) / scale
    products = (unit[..., :, None] * unit[..., None, :]).reshape(*unit.shape[:-1], -1)
    found = (np.asarray(weight)[..., None] * np.concatenate([unit, products], -1)).sum(0)
    exact = np.concatenate([np.zeros(len(mean)), (cov / np.outer(scale, scale)).flatten()])
    assert_mean(found, exact, resolution)
