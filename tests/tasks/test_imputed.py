"""Paths through gaps: means, quantiles and widening, by hand."""

import numpy as np
import pytest

import vrnn
from vrnn.errors import ConfigError
from vrnn.tasks.imputed import Imputed

NAN = np.nan


def example() -> Imputed:
    """Return three paths through a gap of one row, a half row, and a row past the last seen one."""
    x = np.array([[0.0, 0], [NAN, NAN], [2, NAN], [3, 3], [NAN, NAN]])
    paths = np.stack([np.where(np.isnan(x), k * np.arange(1.0, 6)[:, None], x) for k in (1, 2, 4)])
    return Imputed(vrnn.Tracks([x]), [paths], ("x", "y"))


def test_gaps_are_widened_about_their_means_and_what_follows_the_last_row_is_not():
    found = example().widened(3.0)
    assert found.widening == 3.0
    gap = lambda t: (7 / 3 + 3 * (np.array([1, 2, 4]) - 7 / 3)) * (t + 1)  # noqa: E731
    np.testing.assert_allclose(found.samples[0][:, 1], gap(1)[:, None] * np.ones(2))
    np.testing.assert_allclose(found.samples[0][:, 2], np.stack([2 * np.ones(3), gap(2)], -1))
    np.testing.assert_array_equal(
        found.samples[0][:, [0, 3, 4]], example().samples[0][:, [0, 3, 4]]
    )
    np.testing.assert_allclose(found.mean[0], example().mean[0])


def test_quantiles_are_those_of_weibull():
    """The (n + 1) q-th of n paths: of three paths the quantile 0.25 is the first."""
    found = example()
    for q, path in ((0.25, 0), (0.5, 1), (0.75, 2)):
        np.testing.assert_allclose(found.quantile(q)[0], found.samples[0][path])
    low, high = found.interval(0.5)
    np.testing.assert_allclose((low[0], high[0]), found.samples[0][[0, 2]])


def test_tables_have_intervals_of_nine_tenths_unless_another_share_is_asked(tmp_path):
    found = example()
    table, expected = found.to_columns(), found.to_columns(0.9)
    assert list(table) == list(expected) == list(found.to_frame())
    for name, column in found.to_frame().items():
        np.testing.assert_array_equal(column, expected[name])
        np.testing.assert_array_equal(table[name], expected[name])
    assert (
        found.save(tmp_path / "a.csv").read_text()
        == found.save(tmp_path / "b.csv", 0.9).read_text()
    )
    for one, other in zip(found.interval(), found.interval(0.9), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
    assert table["imputed"].tolist() == [0, 1, 1, 0, 1]


def test_the_repr_counts_rows_with_something_missing():
    assert repr(example()) == "Imputed(3 points of 1 tracks, 3 paths)"
    assert example().distinct.tolist() == [3]
    with pytest.raises(ConfigError, match="between 0 and 1"):
        example().interval(1.0)
