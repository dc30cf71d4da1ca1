"""Means and scales of single increments, and the columns that keep theirs."""

import numpy as np
from tests.helpers.transforms import walks

from vrnn.data.transforms import Transform, TransformConfig


def test_standardise_gives_unit_increments_and_leaves_masses_alone():
    x = walks(20, 30, 0, dim=3)
    x[..., 2] = np.random.default_rng(1).integers(0, 2, x[..., 2].shape)
    transform = Transform.fit(list(x), TransformConfig(), (True, True, False))
    values = transform.encode(x)[0].values.reshape(-1, 3)
    np.testing.assert_allclose(values[:, :2].mean(0), 0.0, atol=1e-12)
    np.testing.assert_allclose(values[:, :2].std(0), 1.0, atol=1e-12)
    assert set(values[:, 2]) == {0.0, 1.0} and (transform.log_jacobian(x[:, 0])[:, 2] == 0.0).all()
    assert transform.is_increment.tolist() == [True, True, False]


def test_statistics_are_of_single_steps_alone():
    x = walks(20, 30, 0)
    complete = Transform.fit(list(x), TransformConfig(), (True, True)).standardise
    holed = x.copy()
    holed[::2, 10:13] = np.nan  # increments over these holes are four steps long
    steps = np.diff(holed, axis=1).reshape(-1, 2)
    expected = np.nanmean(steps, 0), np.nanstd(steps, 0)
    found = Transform.fit(list(holed), TransformConfig(), (True, True)).standardise
    np.testing.assert_allclose((found.mean, found.scale), expected)
    np.testing.assert_allclose(found.mean, complete.mean, rtol=0.1)


def test_column_that_does_not_vary_keeps_its_scale():
    x = walks(3, 5, 0)
    x[..., 1] = 4.0
    transform = Transform.fit(list(x), TransformConfig(displacement=False), (True, True))
    assert transform.standardise.scale[1] == 1.0
    assert np.abs(transform.encode(x)[0].values[..., 1]).max() == 0.0
