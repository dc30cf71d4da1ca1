"""Gaps with sampled paths, in the plane and against time."""

import numpy as np
import pytest
from tests.helpers.pictures import PNG, assert_tidy, texts

from vrnn.errors import DataError
from vrnn.plots import plot_imputed

pytest.importorskip("matplotlib")


def holed(count, dim, rows=30):
    """Return tracks with gaps of 4 rows at 10 and 2 at 20, and paths; every third is whole."""
    random = np.random.default_rng(0)
    tracks = list(np.cumsum(random.normal(size=(count, rows, dim)), 1))
    samples = [np.repeat(x[None], 15, 0) for x in tracks]
    for i in range(count):
        if i % 3:
            tracks[i] = tracks[i].copy()
            for gap in (slice(10, 14), slice(20, 22)):
                tracks[i][gap] = np.nan
                samples[i][:, gap] += random.normal(size=samples[i][:, gap].shape)
    return tracks, samples


def test_gaps_in_the_plane_are_maps_with_paths_from_end_to_end(tmp_path, drawn):
    tracks, samples = holed(12, 2)
    path = plot_imputed(
        tracks, samples, tmp_path / "i.png", count=5, ids="abcdefghijkl", units="m", title="Gaps"
    )
    assert path.read_bytes()[:4] == PNG
    panels = [axis for axis in drawn[0].axes if axis.axison]
    assert [axis.get_title(loc="left") for axis in panels] == list("bcefh")
    assert all(axis.get_aspect() == 1.0 for axis in panels) and panels[0].get_ylabel() == "y (m)"
    observed, paths, mean, filled = panels[0].lines
    np.testing.assert_array_equal(observed.get_xydata(), tracks[1][6:18])
    first = paths.get_xydata()[:12]  # from the point before the gap to the one after it
    np.testing.assert_array_equal(first[3:9], samples[1][0, 9:15])
    assert np.isnan(first[:3]).all() and np.isnan(first[9:]).all()
    np.testing.assert_allclose(mean.get_xydata()[3:9], samples[1][:, 9:15].mean(0))
    np.testing.assert_allclose(filled.get_xydata(), samples[1][:, 10:14].mean(0))
    assert texts(drawn[0]) == ["observed", "15 sampled paths", "mean of all paths"]
    assert_tidy(drawn[0])


@pytest.mark.parametrize(("dim", "rows"), [(1, 1), (3, 3), (6, 4)])
def test_gaps_of_other_dims_are_bands_against_time(tmp_path, drawn, dim, rows):
    tracks, samples = holed(4, dim)
    times = [0.5 * np.arange(30)] * 4
    plot_imputed(
        tracks,
        samples,
        tmp_path / "i.png",
        times,
        names=("a", "b", "c"),
        ids="abcd",
        title="Sensors",
    )
    axes = drawn[0].axes
    assert len(axes) == 2 * rows and [a.get_title(loc="left") for a in axes[:2]] == ["b", "c"]
    assert len(axes[0].collections) == 2
    assert axes[0].lines[-1].get_xdata().tolist() == times[0][6:18].tolist()
    assert_tidy(drawn[0])


def test_gaps_at_the_ends_and_none_at_all(tmp_path, drawn):
    tracks, samples = holed(2, 2)
    tracks[1] = np.full((30, 2), np.nan)
    tracks[1][:20] = samples[1][0, :20]
    samples[1][:, 0] = tracks[1][0] = np.nan  # before the first point nothing is drawn
    plot_imputed(tracks, samples, tmp_path / "i.png", names=("lat", "lon"))
    assert drawn[0].axes[0].get_xlabel() == "lon"
    assert_tidy(drawn[0])
    with pytest.raises(DataError, match="filled gap"):
        plot_imputed(tracks[:1], samples[:1], tmp_path / "i.png")
