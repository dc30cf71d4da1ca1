"""The pictures: written whole, with every mark inside, no text over another, and no state left behind."""

import itertools
import sys

import numpy as np
import pytest

from vrnn.data.synthetic import Crossroads
from vrnn.errors import ConfigError, DataError, MissingExtraError
from vrnn.plots import (
    canvas,
    plot_forecast,
    plot_futures,
    plot_imputed,
    plot_scores,
    plot_time_steps,
    plot_tracks,
    plot_training,
)

pytest.importorskip("matplotlib")
PNG = b"\x89PNG"
WORLD = Crossroads()
WALKS = np.stack(WORLD.sample(6).x)
FUTURES = WORLD.future(WALKS[:, :8], 12, 20)
RECORDS = [
    {"step": s, "loss": 1 / (s + 1), "kl": 0.1 * s, "val/loss": 1.2 / (s + 1)} for s in range(100)
]


@pytest.fixture
def drawn(monkeypatch):
    """Collect the figures that are saved."""
    figures, save = [], canvas.save

    def keep(fig, path):
        figures.append(fig)
        return save(fig, path)

    monkeypatch.setattr(canvas, "save", keep)
    return figures


def assert_tidy(fig):
    """No title, panel with its labels, or legend lies over another or over the edge."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(fig).draw()
    parts = [axis.get_tightbbox() for axis in fig.axes if axis.axison]
    parts += [legend.get_window_extent() for legend in fig.legends]
    parts += [fig._suptitle.get_window_extent()] if fig._suptitle else []
    for part in parts:
        assert part.x0 >= -1 and part.y0 >= -1
        assert part.x1 <= fig.bbox.x1 + 1 and part.y1 <= fig.bbox.y1 + 1
    for one, two in itertools.combinations(parts, 2):
        width, height = (
            min(one.x1, two.x1) - max(one.x0, two.x0),
            min(one.y1, two.y1) - max(one.y0, two.y0),
        )
        assert min(width, height) <= 1


def test_forecast_draws_one_map_a_track(tmp_path, drawn):
    path = plot_forecast(
        WALKS[:, :8], FUTURES, WALKS[:, 8:], tmp_path / "new" / "f.png", count=5, units="m", title="Five",
        ids="abcdef",
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


@pytest.mark.parametrize("sources", [1, 2, 3])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_futures_stand_side_by_side_in_one_scale(tmp_path, drawn, sources, turned, scale):
    shape = [1.0, scale][:: -1 if turned else 1]
    history, futures = WALKS[0, :8] * shape, FUTURES[:, 0] * shape
    named = {name: futures for name in ("the true process", "RNN", "VRNN")[:sources]}
    notes = {"RNN": "energy score 3.1"}
    path = plot_futures(
        history, named, tmp_path / "f.png", WALKS[0, 8:] * shape, notes, title="Which way?"
    )
    assert path.read_bytes()[:4] == PNG
    axes = drawn[0].axes
    assert [axis.get_title() for axis in axes] == list(named)
    assert len({axis.get_xlim() + axis.get_ylim() for axis in axes}) == 1
    assert_tidy(drawn[0])


def test_futures_refuse_samples_of_many_prefixes(tmp_path):
    with pytest.raises(DataError, match="VRNN: expected finite futures"):
        plot_futures(WALKS[0, :8], {"VRNN": FUTURES}, tmp_path / "f.png")
    with pytest.raises(DataError, match="found none"):
        plot_futures(WALKS[0, :8], {}, tmp_path / "f.png")


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


SCORES = np.random.default_rng(0).normal(size=40)


def texts(fig):
    return [t.get_text() for t in fig.legends[0].texts]


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


def test_rows_of_one_track_with_the_odd_ones_marked(tmp_path, drawn):
    log_prob, pit = -SCORES.copy(), np.linspace(0.5, 1.0, 40)
    log_prob[0] = log_prob[7] = np.nan
    pit[[3, 7]] = 0.001
    plot_time_steps(np.arange(40.0), log_prob, pit, tmp_path / "r.png", title="Anna")
    axis = drawn[0].axes[0]
    np.testing.assert_allclose(axis.collections[0].get_offsets(), [[3, SCORES[3]]])
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), -log_prob)
    assert texts(drawn[0]) == ["38 rows", "1 less likely than 99 % of the model's own draws"]
    assert_tidy(drawn[0])
    with pytest.raises(DataError, match="scored row"):
        plot_time_steps(np.arange(2.0), np.full(2, np.nan), np.ones(2), tmp_path / "r.png")


def holed(count, dim, rows=30):
    """Tracks with a gap of 4 rows at 10 and one of 2 at 20, and paths through them; every third track is whole."""
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
    assert (
        len(axes[0].collections) == 2
        and axes[0].lines[-1].get_xdata().tolist() == times[0][6:18].tolist()
    )
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


def test_training_puts_validation_beside_training(tmp_path, drawn):
    extra = [
        {"step": 100, "val": {"loss": 0.01, "elbo": -1.0}, "note": "best"},
        {"step": 101, "loss": float("nan")},
    ]
    plot_training([*RECORDS, *extra], tmp_path / "t.png", title="runs/a")
    fig = drawn[0]
    assert [axis.get_title(loc="left") for axis in fig.axes if axis.axison] == [
        "loss",
        "elbo",
        "kl",
    ]
    validation = fig.axes[0].lines[-1]
    assert validation.get_color() == canvas.TRUTH and len(validation.get_xdata()) == 101
    assert_tidy(fig)


def test_running_mean_of_a_line_is_the_line(tmp_path, drawn):
    plot_training([{"step": s, "loss": 2.0 * s} for s in range(400)], tmp_path / "t.png")
    mean = drawn[0].axes[0].lines[1]
    np.testing.assert_allclose(mean.get_ydata(), 2.0 * mean.get_xdata(), atol=1e-9)


def test_training_without_numbers_is_refused(tmp_path):
    with pytest.raises(DataError, match="has training logged"):
        plot_training([{"step": 1, "note": "x"}], tmp_path / "t.png")


def test_unknown_ending_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ConfigError, match=r"try .*t\.png"):
        plot_training(RECORDS, tmp_path / "t.doc")
    assert not list(tmp_path.iterdir())


def test_a_failed_save_leaves_the_old_picture_and_no_scrap(tmp_path, monkeypatch):
    path = plot_training(RECORDS, tmp_path / "t.png")
    before = path.read_bytes()
    from matplotlib.figure import Figure

    def fail(self, target, **options):
        target.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        plot_training(RECORDS, path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_nothing_of_pyplot_is_loaded(tmp_path):
    loaded = "matplotlib.pyplot" in sys.modules
    plot_training(RECORDS, tmp_path / "t.svg")
    assert ("matplotlib.pyplot" in sys.modules) == loaded


def test_absent_matplotlib_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vrnn\[plot\]'"):
        plot_training(RECORDS, tmp_path / "t.png")
