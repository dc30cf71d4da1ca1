"""Pictures are written whole, in known formats, without pyplot."""

import sys

import pytest

from vrnn.errors import ConfigError, DataError, MissingExtraError
from vrnn.plots import plot_training

pytest.importorskip("matplotlib")

RECORDS = [{"step": s, "loss": 1 / (s + 1)} for s in range(100)]


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
