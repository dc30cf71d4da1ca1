"""Increments over gaps, worked by hand."""

import numpy as np
import pytest

from vrnn.data.transforms import Displacement, Standardise


def test_increments_after_a_gap_by_hand():
    x = np.array([[[0.0], [1.0], [np.nan], [np.nan], [10.0], [12.0]]])
    path, position, last = Displacement((True,)).encode(x)
    assert path.count[0, :, 0].tolist() == [1, 1, 2, 3, 1]
    assert (position[0, 0], last[0, 0]) == (12.0, 5)
    np.testing.assert_array_equal(path.values[0, :, 0], [1.0, np.nan, np.nan, 9.0, 2.0])
    encoded = Standardise((0.5,), (2.0,)).encode(path)
    assert encoded[0, 3, 0] == (9.0 - 3 * 0.5) / 2.0
    model_drew = np.array([0.3, -0.1])  # in the two missing rows
    rest = encoded[0, 3, 0] - model_drew.sum()
    steps = 0.5 + 2.0 * np.array([*model_drew, rest])
    assert steps.sum() == pytest.approx(9.0)  # the track reconnects
