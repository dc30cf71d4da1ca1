"""Tracks as one array, and numbers near their expectation."""

import numpy as np


def stacked(tracks):
    return np.stack(tracks.x)


def near(value, expected, sample_std, count, sigmas=4.5):
    return np.all(np.abs(value - expected) < sigmas * sample_std / np.sqrt(count))
