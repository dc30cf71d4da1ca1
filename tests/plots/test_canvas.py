"""Pictures are written whole, in known formats, without pyplot."""

import sys
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.few import few

from vrnn.errors import ConfigError, DataError, MissingExtraError
from vrnn.plots import plot_forecast, plot_scores, plot_training

pytest.importorskip("matplotlib")

RECORDS = [{"step": s, "loss": 1 / (s + 1)} for s in range(100)]


def test_unknown_ending_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ConfigError, match=r"try .*t\.png"):
        plot_training(RECORDS, tmp_path / "t.doc")
    assert not list(tmp_path.iterdir())


def test_a_failed_save_leaves_the_old_picture_and_no_scrap(tmp_path, monkeypatch):
    path = plot_training(RECORDS, tmp_path / "t.png")
    before = path.read_bytes()

    def fail(self, data):
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(DataError, match="cannot be written"):
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


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert plot_training(RECORDS, "~/t.svg") == tmp_path / "t.svg"
    assert (tmp_path / "t.svg").is_file()


NAMES = ["$x^$", "$$", r"\frac{1}{0", "a_b^c%&#~{", "$\\notacommand$", "a\x1b[31m\nb", "東京"]


RC = [{}, {"text.usetex": True}, {"axes.formatter.use_mathtext": True}]


@pytest.mark.parametrize("rc", few(RC, 2))
@pytest.mark.parametrize("ending", few(["svg", "png", "pdf"]))
def test_names_are_drawn_as_they_are(ending, rc, tmp_path, drawn):
    """Two dollar signs are no mathematics, and no name runs through LaTeX."""
    import matplotlib

    together = " ".join(NAMES)  # in which any two dollar signs could be mathematics
    tracks = [np.arange(8.0).reshape(4, 2)] * len(NAMES)
    futures = np.ones((3, len(NAMES), 2, 2))
    with matplotlib.rc_context(rc):
        plot_forecast(
            tracks, futures, path=tmp_path / f"f.{ending}", ids=NAMES, count=len(NAMES),
            names=(together, together), units=together, title=together,
        )  # fmt: skip
        for name in [*NAMES, together] if ending == "png" else [together]:
            plot_scores(np.arange(3.0), tmp_path / f"s.{ending}", ids=[name] * 3, title=name)
            plot_training([{"step": s, name: s} for s in range(3)], tmp_path / f"t.{ending}")
    titles = [axis.get_title(loc="left") for axis in drawn[0].axes[: len(NAMES)]]
    assert titles == [*NAMES[:5], r"a\x1b[31m\nb", "東京"]


def test_numbers_at_ticks_may_be_mathematics(tmp_path, drawn):
    plot_training([{"step": s, "loss": 1e-9 * s} for s in range(3)], tmp_path / "t.png")
    axis = drawn[0].axes[0]
    assert all(label.get_parse_math() for label in axis.get_yticklabels())
    assert not axis.title.get_parse_math()
