"""Increments over gaps, worked by hand."""

import numpy as np
import pytest

from vrnn.data.transforms import Anchor, Displacement, Standardise, Transform, TransformConfig


def test_increments_after_a_gap_by_hand():
    x = np.array([[[0.0], [1.0], [np.nan], [np.nan], [10.0], [12.0]]])
    path, position, last = Displacement((True,)).encode(x, np.zeros((1, 1)))
    assert path.count[0, :, 0].tolist() == [1, 1, 2, 3, 1]
    assert (position[0, 0], last[0, 0]) == (12.0, 5)
    np.testing.assert_array_equal(path.values[0, :, 0], [1.0, np.nan, np.nan, 9.0, 2.0])
    encoded = Standardise((0.5,), (2.0,)).encode(path)
    assert encoded[0, 3, 0] == (9.0 - 3 * 0.5) / 2.0
    model_drew = np.array([0.3, -0.1])  # in the two missing rows
    rest = encoded[0, 3, 0] - model_drew.sum()
    steps = 0.5 + 2.0 * np.array([*model_drew, rest])
    assert steps.sum() == pytest.approx(9.0)  # the track reconnects


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e9])
@pytest.mark.parametrize("heading", [False, True])
def test_rounding_errors_of_the_data_are_no_increments(unit, heading):
    """A track that stands still between two moves, its rows interpolated far from 0."""
    place, part = unit * np.array([4.5e7, 1e8]), np.linspace(0, 1, 30)[:, None]
    still = (1 - part) * place + part * place
    assert (still != place).any()
    move = unit * np.array([0.5, -0.25])
    x = np.concatenate([still[:1] - move, still, still[-1:] + 1e-6 * move])[None]
    config = TransformConfig(heading=heading)
    transform = Transform.fit(list(x), config, (True, True), observe=2)
    transform = Transform(2, transform.heading, transform.displacement)
    values = transform.encode(x)[0].values[0]
    assert (values[1:-1] == 0).all() and (np.abs(values[0]).max() > 0.1 * unit)
    assert 0 < np.abs(values[-1]).max() < 1e-6 * unit
    nowhere = np.full((1, 2), np.nan)
    anchor = Anchor(nowhere, np.zeros((1, 2)), transform.encode(x)[1].angle, nowhere)
    steps = []
    for t in range(x.shape[1]):
        one, anchor = transform.encode_next(x[:, t : t + 1], anchor)
        steps.append(one[0, 0])
    np.testing.assert_allclose(np.stack(steps)[1:], values, rtol=1e-9, atol=1e-30)
    np.testing.assert_array_equal(np.stack(steps)[2:-1], 0.0)
