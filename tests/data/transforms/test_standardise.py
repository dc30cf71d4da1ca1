"""Means and scales of single increments, and the columns that keep theirs."""

import numpy as np
import pytest
from tests.helpers.transforms import walks

from vrnn.data.transforms import Standardise, Transform, TransformConfig
from vrnn.data.transforms.encoded import Increments
from vrnn.data.transforms.standardise import without_far


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


@pytest.mark.parametrize("unit", [1e-15, 1.0, 1e9])
@pytest.mark.parametrize("far", [0.0, 1e8])
@pytest.mark.parametrize("config", [{}, {"displacement": False}, {"causal": True}], ids=str)
def test_the_scale_has_the_unit_of_the_data_wherever_they_are(unit, far, config):
    x = np.round(walks(20, 30, 0) * 2**16) / 2**16
    one, other = (
        Transform.fit(list(a), TransformConfig(**config), (True, True)).standardise
        for a in (x, unit * (x + far))
    )
    np.testing.assert_allclose(other.scale, unit * np.array(one.scale), rtol=1e-6)
    shift = 0.0 if config != {"displacement": False} else far
    np.testing.assert_allclose(
        other.mean, unit * (np.array(one.mean) + shift), rtol=1e-12, atol=1e-6 * unit
    )


@pytest.mark.parametrize("unit", [1e-15, 1.0, 1e9])
@pytest.mark.parametrize("far", [0.0, 1e8])
def test_increments_that_do_not_vary_take_the_unit_of_the_others(unit, far):
    """Tracks along one axis: their increments across it are 0, at a speed that is constant or not."""
    speed = np.random.default_rng(0).normal(1.0, 0.5, size=(4, 20, 1))
    varying = np.concatenate([np.cumsum(speed, 1), np.zeros_like(speed)], -1)
    scale = Transform.fit(
        list(unit * (varying + far)), TransformConfig(), (True, True)
    ).standardise.scale
    increments = np.diff(varying[..., 0], axis=1)
    expected = increments.std(), np.sqrt((increments**2).mean() / 2)
    np.testing.assert_allclose(scale, unit * np.array(expected), rtol=1e-6)
    steady = np.stack([0.1 * np.arange(20.0), np.zeros(20)], -1)
    found = Transform.fit([unit * (steady + far)], TransformConfig(), (True, True)).standardise
    np.testing.assert_allclose(found.scale, unit * 0.1 * np.sqrt([0.5, 0.5]), rtol=1e-6)
    np.testing.assert_allclose(found.mean, [0.1 * unit, 0.0], rtol=1e-6)


def test_a_wrong_position_does_not_set_the_scale():
    x = walks(20, 30, 0)
    clean = Transform.fit(list(x), TransformConfig(), (True, True)).standardise
    x[3, 7] = 1e9
    found = Transform.fit(list(x), TransformConfig(), (True, True)).standardise
    np.testing.assert_allclose(found.scale, clean.scale, rtol=0.02)


@pytest.mark.parametrize("moving", [0.01, 0.04, 0.2])
def test_rare_travel_sets_the_scale(moving):
    """As of anchored ships and resting animals, whose other increments are noise."""
    random = np.random.default_rng(0)
    far = random.random((20, 400, 1)) < moving
    steps = random.normal(size=(20, 400, 2)) * np.where(far, 3000.0, 1.0)
    found = Transform.fit(list(steps.cumsum(1)), TransformConfig(), (True, True)).standardise
    np.testing.assert_allclose(found.scale, steps[:, 1:].reshape(-1, 2).std(0), rtol=1e-6)


def test_increments_over_gaps_come_back():
    """The mean of an increment counts once for each row that it spans."""
    count = np.array([[1, 1], [3, 2], [1, 4]])
    values = np.random.default_rng(0).normal(size=(3, 2))
    standardise = Standardise((0.5, -2.0), (3.0, 0.25))
    encoded = standardise.encode(Increments(values, count))
    expected = (values - count * [0.5, -2.0]) / [3.0, 0.25]
    np.testing.assert_allclose(encoded, expected)
    np.testing.assert_allclose(standardise.decode(Increments(encoded, count)), values)


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e6])
def test_a_value_is_an_error_past_a_hundred_times_the_95th_percentile(unit):
    """Of the distances 0, 1, 1, ..., 99, 99, 100 and the last one it is 95.

    A last value below the others moves the median to -1.
    """
    column = np.r_[np.arange(-100.0, 100.0), 0.0]
    for far, is_error in ((9499.0, False), (9501.0, True), (-9502.0, True)):
        column[-1] = far
        found = without_far(unit * column[:, None])[:, 0]
        np.testing.assert_array_equal(found[:-1], unit * column[:-1])
        assert np.isnan(found[-1]) == is_error


@pytest.mark.parametrize(("rows", "errors"), [(201, 2), (1900, 2), (5000, 5)])
def test_errors_are_rare(rows, errors):
    """They are two values, or one in a thousand; more are travel."""
    column = np.random.default_rng(0).normal(size=(rows, 1))
    column[:errors] = 1e9
    assert np.isnan(without_far(column)[:, 0]).nonzero()[0].tolist() == [*range(errors)]
    column[errors] = 1e9
    assert np.isfinite(without_far(column)).all()
