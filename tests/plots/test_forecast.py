"""Forecasts on maps and against time."""

import numpy as np
import pytest
from tests.helpers.pictures import FUTURES, PNG, WALKS, assert_tidy

from vrnn.errors import DataError
from vrnn.plots import plot_forecast

pytest.importorskip("matplotlib")


def test_forecast_draws_one_map_a_track(tmp_path, drawn):
    path = plot_forecast(
        WALKS[:, :8], FUTURES, WALKS[:, 8:], tmp_path / "new" / "f.png",
        count=5, units="m", title="Five", ids="abcdef",
    )  # fmt: skip
    assert path.read_bytes()[:4] == PNG
    fig = drawn[0]
    panels = [axis for axis in fig.axes if axis.axison]
    assert len(panels) == 5
    assert all(len(axis.collections[0].get_segments()) == 20 * 12 for axis in panels)
    assert panels[0].get_ylabel() == "y (m)" and all(axis.get_aspect() == 1.0 for axis in panels)
    assert [t.get_text() for t in fig.legends[0].texts] == [
        "observed",
        "20 futures",
        "ground truth",
    ]
    assert_tidy(fig)


def test_forecast_without_truth_names_none(tmp_path, drawn):
    plot_forecast(WALKS[:1, :8], FUTURES[:, :1], path=tmp_path / "f.png")
    assert "ground truth" not in [t.get_text() for t in drawn[0].legends[0].texts]
    assert_tidy(drawn[0])


def test_forecast_with_gaps_starts_from_the_last_point_seen(tmp_path, drawn):
    history = WALKS[:1, :8].copy()
    history[0, [3, 7]] = np.nan
    plot_forecast(history, FUTURES[:, :1], WALKS[:1, 8:], tmp_path / "f.png")
    first = drawn[0].axes[0].collections[0].get_segments()[0]
    np.testing.assert_array_equal(first[0], history[0, 6])


def test_forecast_takes_histories_of_different_lengths(tmp_path):
    history = [WALKS[i, i:8] for i in range(6)]
    assert plot_forecast(history, FUTURES, WALKS[:, 8:], tmp_path / "f.png").exists()


@pytest.mark.parametrize(("dim", "rows"), [(1, 1), (3, 3), (6, 4)])
def test_forecast_of_other_dims_draws_bands_against_time(tmp_path, drawn, dim, rows):
    random = np.random.default_rng(0)
    history, samples = random.normal(size=(2, 9, dim)), random.normal(size=(40, 2, 5, dim))
    history[0, 4, 0] = np.nan
    plot_forecast(
        history, samples, samples[0], tmp_path / "f.png", names=("a", "b", "c"), title="Sensors"
    )
    assert len(drawn[0].axes) == 2 * rows
    assert len(drawn[0].axes[0].collections) == 2  # the two bands
    assert_tidy(drawn[0])


def test_forecast_refuses_what_it_cannot_draw(tmp_path):
    with pytest.raises(DataError, match="same tracks"):
        plot_forecast(WALKS[:3, :8], FUTURES, None, tmp_path / "f.png")
    with pytest.raises(DataError, match="finite"):
        plot_forecast(WALKS[:, :8], FUTURES * np.nan, None, tmp_path / "f.png")
