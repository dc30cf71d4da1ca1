"""Arrays with missing values, by hand."""

import numpy as np
import pytest

from vrnn.data.arrays import (
    before_first_value,
    carry_forward,
    last_observed,
    mean_and_scale,
    pad,
    usable_scale,
)

NAN = np.nan


def test_arrays_of_different_lengths_are_filled_up():
    padded = pad([np.ones((1, 2)), np.ones((3, 2))], 3, NAN)
    assert padded.shape == (2, 3, 2) and np.isnan(padded[0, 1:]).all()
    assert np.isfinite(padded[1]).all()


def test_gaps_are_filled_with_the_last_value():
    values = np.array([[[NAN, 1.0], [2.0, NAN], [NAN, NAN]]])
    assert carry_forward(values).tolist() == [[[0.0, 1.0], [2.0, 1.0], [2.0, 1.0]]]
    assert before_first_value(values).tolist() == [[[True, False], [False, False], [False, False]]]


def test_last_observed_value_of_each_column():
    values = np.array([[[1.0, NAN], [2.0, NAN], [NAN, NAN]], [[NAN, 3.0], [4.0, NAN], [5.0, NAN]]])
    value, step = last_observed(values)
    np.testing.assert_array_equal(value, [[2.0, NAN], [5.0, 3.0]])
    assert step.tolist() == [[1, 0], [2, 0]]


def test_moments_skip_what_is_missing_and_constant_columns_keep_scale_1():
    rows = [np.array([[1.0, 5.0, NAN]]), np.array([[3.0, 5.0, NAN], [NAN, 5.0, NAN]])]
    mean, scale = mean_and_scale(rows)
    assert mean.tolist() == [2.0, 5.0, 0.0] and scale.tolist() == [1.0, 1.0, 1.0]
    noise = np.array([1e-13, 1e-3])  # rounding errors are no spread, small spreads are
    assert usable_scale(noise, np.array([1e3, 1e3])).tolist() == [1.0, 1e-3]
    assert usable_scale(noise, np.array([1e3, 1e3]), 7.0).tolist() == [7.0, 1e-3]


@pytest.mark.parametrize("unit", [1e-15, 1.0, 1e12])
@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_moments_are_those_of_the_same_data_in_any_unit_and_place(unit, offset):
    random = np.random.default_rng(0)
    rows = np.round(random.normal(size=(5000, 2)) * 2**16) / 2**16
    rows[random.random(rows.shape) < 0.1] = NAN
    mean, scale = mean_and_scale([unit * (rows + offset)])
    np.testing.assert_allclose(scale, unit * np.nanstd(rows, 0), rtol=1e-7)
    np.testing.assert_allclose(
        mean, unit * (np.nanmean(rows, 0) + offset), rtol=1e-15, atol=1e-12 * unit
    )
    constant = [np.full((5000, 1), unit * (0.1 + offset))]
    assert mean_and_scale(constant) == (constant[0][0], 1.0)
