"""Futures of several sources in one scale."""

import numpy as np
import pytest
from tests.helpers.pictures import FUTURES, PNG, WALKS, assert_tidy

from vrnn.errors import DataError
from vrnn.plots import canvas, plot_futures

to_hex = pytest.importorskip("matplotlib.colors").to_hex


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


def test_futures_have_the_colour_of_their_category(tmp_path, drawn):
    named = {"RNN": FUTURES[:, 0], "VRNN": FUTURES[:, 0]}
    of = np.arange(len(FUTURES)) % 3
    plot_futures(WALKS[0, :8], named, tmp_path / "f.png", categories={"VRNN": of})
    plain, coloured = drawn[0].axes
    colours = [to_hex(c.get_color()[0]) for c in coloured.collections[::2]]
    assert colours == list(canvas.CATEGORIES[:3])
    assert len(plain.collections) == 2  # one fan and its ends
    lines = [len(c.get_segments()) for c in coloured.collections[::2]]
    assert lines == [(of == k).sum() * FUTURES.shape[2] for k in range(3)]
    words = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert words[-3:] == ["category 1", "category 2", "category 3"]
    assert_tidy(drawn[0])


def test_futures_refuse_categories_of_other_futures(tmp_path):
    named, of = {"VRNN": FUTURES[:, 0]}, {"VRNN": np.zeros(2, int)}
    with pytest.raises(DataError, match="VRNN: expected a category for each of"):
        plot_futures(WALKS[0, :8], named, tmp_path / "f.png", categories=of)
