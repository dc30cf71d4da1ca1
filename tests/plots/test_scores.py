"""Scores of tracks in order, and of the time steps of one."""

import itertools

import numpy as np
import pytest
from tests.helpers.pictures import PNG, assert_tidy, texts

from vrnn.errors import DataError
from vrnn.plots import plot_scores, plot_time_steps

pytest.importorskip("matplotlib")

SCORES = np.random.default_rng(0).normal(size=40)


def test_scores_stand_in_order_with_the_unusual_ones_named(tmp_path, drawn):
    score = np.concatenate([SCORES, [3.0, 3.01, 2.9, np.nan, np.inf]])
    normal = np.random.default_rng(1).normal(size=120)
    ids = [f"track {i}" for i in range(45)]
    path = plot_scores(score, tmp_path / "s.png", ids, 2.5, normal, title="Ships")
    assert path.read_bytes()[:4] == PNG
    axis = drawn[0].axes[0]
    usual, unusual = (c.get_offsets() for c in axis.collections)
    assert len(usual) == 40 and len(unusual) == 3
    assert (np.diff(np.concatenate([usual, unusual]), axis=0) > 0).all()
    assert [t.get_text() for t in axis.texts] == ["track 41", "track 40", "track 42"]
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), np.sort(normal))
    assert texts(drawn[0]) == ["43 tracks", "120 calibration tracks", "3 above threshold 2.5"]
    assert_tidy(drawn[0])
    from matplotlib.text import Text

    boxes = [Text.get_window_extent(t) for t in axis.texts]  # without the line to the point
    assert all(upper.y0 > lower.y1 for upper, lower in itertools.pairwise(boxes))


@pytest.mark.parametrize("far", [1.0, 1e3, 1e6])
def test_a_wild_track_leaves_the_others_to_be_seen(tmp_path, drawn, far):
    plot_scores(np.concatenate([SCORES, [far]]), tmp_path / "s.png", [str(i) for i in range(41)])
    axis = drawn[0].axes[0]
    place = axis.transData + axis.transAxes.inverted()
    middle = np.ptp(place.transform([[0, q] for q in np.quantile(SCORES, [0.1, 0.9])])[:, 1])
    assert middle > 0.05 and len(axis.texts) == 3
    heights = [place.transform((0, tick))[1] for tick in axis.get_yticks() if -3 < tick < 2 * far]
    assert min(np.diff(heights)) > 0.02
    assert_tidy(drawn[0])


def test_scores_of_one_kind_need_no_threshold_or_names(tmp_path, drawn):
    plot_scores(np.full(3, 2.0), tmp_path / "s.png")
    assert texts(drawn[0]) == ["3 tracks"] and not drawn[0].axes[0].texts
    assert_tidy(drawn[0])
    with pytest.raises(DataError, match="finite score"):
        plot_scores(np.full(3, np.nan), tmp_path / "s.png")


def test_time_steps_of_one_track_with_the_unlikely_ones_marked(tmp_path, drawn):
    log_prob, pit = -SCORES.copy(), np.linspace(0.5, 1.0, 40)
    log_prob[0] = log_prob[7] = np.nan
    pit[[3, 7]] = 0.001
    plot_time_steps(np.arange(40.0), log_prob, pit, tmp_path / "r.png", title="Anna")
    axis = drawn[0].axes[0]
    np.testing.assert_allclose(axis.collections[0].get_offsets(), [[3, SCORES[3]]])
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), -log_prob)
    assert texts(drawn[0]) == ["38 time steps", "1 less likely than 99 % of the model's own draws"]
    assert_tidy(drawn[0])
    with pytest.raises(DataError, match="scored time step"):
        plot_time_steps(np.arange(2.0), np.full(2, np.nan), np.ones(2), tmp_path / "r.png")
