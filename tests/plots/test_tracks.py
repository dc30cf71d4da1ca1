"""Whole tracks in a grid or on one map."""

import numpy as np
import pytest
from tests.helpers.pictures import WALKS, assert_tidy

from vrnn.errors import DataError
from vrnn.plots import plot_tracks

pytest.importorskip("matplotlib")


@pytest.mark.parametrize(("count", "panels"), [(1, 1), (5, 5), (13, 1)])
def test_tracks_in_a_grid_or_over_one_another(tmp_path, drawn, count, panels):
    tracks = [WALKS[i % 6, : 10 + i % 7] for i in range(count)]
    plot_tracks(tracks, tmp_path / "t.png", title="Generated", units="m")
    assert sum(axis.axison for axis in drawn[0].axes) == panels
    assert_tidy(drawn[0])


def test_tracks_of_other_dims_and_with_gaps(tmp_path, drawn):
    track = np.random.default_rng(0).normal(size=(20, 3))
    track[5] = np.nan
    plot_tracks([track] * 3, tmp_path / "t.png", names=("a", "b", "c"))
    assert [t.get_text() for t in drawn[0].legends[0].texts] == ["a", "b", "c"]
    plot_tracks([track[:, :2], np.ones((1, 2))], tmp_path / "u.png")
    for fig in drawn:
        assert_tidy(fig)
    with pytest.raises(DataError, match="at least one track"):
        plot_tracks([], tmp_path / "t.png")
