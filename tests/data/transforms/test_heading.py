"""Tracks are rotated to the direction they had at one time step, and later ones are not read."""

import numpy as np
import pytest
from tests.helpers.transforms import ROW, fitted, walks

from vrnn.data.transforms import Heading, TransformConfig, rotate


def test_heading_reads_nothing_after_its_row():
    x = walks(4, 10, 0)
    transform = fitted(TransformConfig(heading=True, standardise=False), x)
    later = x.copy()
    later[:, ROW + 1 :] *= -3.0
    assert transform.encode(later)[1].angle.tolist() == transform.encode(x)[1].angle.tolist()
    np.testing.assert_array_equal(
        transform.encode(later)[0].values[:, :ROW], transform.encode(x)[0].values[:, :ROW]
    )
    last = transform.encode(x)[0].values[:, ROW - 1]
    assert (last[:, 0] > 0).all()
    assert np.abs(last[:, 1]).max() < 1e-12  # the last known step points along +x


def test_heading_of_tracks_with_holes():
    x = np.array(
        [[[0.0, 0], [0, 1], [np.nan, np.nan], [3, 1]], [[5.0, 5]] + [[np.nan, np.nan]] * 3]
    )
    assert Heading(2).angle(x).tolist() == pytest.approx([np.pi / 2, 0.0])
    assert Heading(3).angle(x).tolist() == pytest.approx([0.0, 0.0])
    assert np.isfinite(Heading(0).angle(x)).all()


def test_a_rotation_leaves_third_columns_alone():
    x = np.random.default_rng(0).normal(size=(2, 3, 3))
    rotated = rotate(x, np.array([0.3, -2.0]))
    np.testing.assert_allclose(
        np.linalg.norm(rotated[..., :2], axis=-1), np.linalg.norm(x[..., :2], axis=-1)
    )
    np.testing.assert_array_equal(rotated[..., 2], x[..., 2])
