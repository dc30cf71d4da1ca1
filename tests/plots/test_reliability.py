"""Coverage of predictive regions against their size."""

import numpy as np
import pytest
from tests.helpers.pictures import PNG, assert_tidy, texts

from vrnn.errors import DataError
from vrnn.plots import plot_reliability

pytest.importorskip("matplotlib")


def test_coverage_of_uniform_levels_lies_on_the_diagonal(tmp_path, drawn):
    level = np.tile((np.arange(200)[:, None] + 0.5) / 200, (1, 6))
    path = plot_reliability(level, tmp_path / "r.png", title="Calibrated")
    assert path.read_bytes()[:4] == PNG
    diagonal, *curves = drawn[0].axes[0].lines
    assert len(curves) == 4 and list(diagonal.get_xdata()) == [0, 100]
    for curve in curves:
        np.testing.assert_allclose(curve.get_ydata(), curve.get_xdata(), atol=0.5)
    assert texts(drawn[0]) == ["step 1", "step 3", "step 4", "step 6"]
    assert_tidy(drawn[0])


def test_wide_regions_lie_above_the_diagonal_and_time_is_named(tmp_path, drawn):
    plot_reliability(
        np.full((10, 2), 0.2), tmp_path / "r.png", ahead=np.array([0.4, 0.8]), units="s"
    )
    curve = drawn[0].axes[0].lines[1]
    covered = dict(zip(curve.get_xdata(), curve.get_ydata(), strict=True))
    assert covered[10.0] == 0 and covered[50.0] == 100
    assert texts(drawn[0]) == ["0.4 s ahead", "0.8 s ahead"]


def test_no_window_is_refused(tmp_path):
    with pytest.raises(DataError, match="at least one window"):
        plot_reliability(np.zeros((0, 3)), tmp_path / "r.png")
