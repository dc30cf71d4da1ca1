"""The entry point: help, version, exit codes, failures."""

import subprocess
import sys
from pathlib import Path

import pytest

from vrnn import __version__
from vrnn.cli import main as cli
from vrnn.cli.parse import Command
from vrnn.errors import ConfigError
from vrnn.models.registry import REGISTRY


def test_interrupt_is_quiet(monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Command, "parse", stop)
    assert cli.main(["doctor", "data.csv"]) == 130
    assert capsys.readouterr() == ("", "")


def test_bugs_keep_their_traceback(monkeypatch):
    monkeypatch.setattr(Command, "parse", lambda *_: lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["doctor", "data.csv"])


@pytest.mark.parametrize(
    "words", ["--help", "train --help", "-h", *(f"{c} --help" for c in cli.COMMANDS)]
)
def test_help(words, capsys):
    assert cli.main(words.split()) == 0
    said = capsys.readouterr()
    assert said.out.startswith("Usage: vrnn")
    assert said.err == ""


@pytest.mark.parametrize("kind", REGISTRY)
def test_help_of_models_hides_the_widths(kind, capsys):
    assert cli.main(["train", "--arch", kind, "--help"]) == 0
    text = capsys.readouterr().out
    flags = ("--hidden", "--steps", "--heading", "--flip", "--augment-prob", "--resume", "--id")
    assert all(flag in text for flag in flags)
    assert f"default: {kind}" in text
    assert not any(word in text for word in ("x_dim", "x-dim", "u-dim", "y-dim"))


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"vrnn {__version__}\n"


def test_installed_command(tmp_path):
    """In a real process the exit code arrives."""
    words = [sys.executable, "-m", "vrnn.cli.main", "doctor", "none.csv"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("word", ["--help", "--version", "forcast"])
def test_nothing_heavy_is_imported_before_a_command_is_chosen(word):
    code = f"import sys; from vrnn.cli.main import main; main(['{word}']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert imported.isdisjoint({"torch", "numpy", "cyclopts", "rich", "vrnn.cli.parse"})
    assert {name for name in imported if name.startswith("vrnn")} == {
        "vrnn",
        "vrnn.cli",
        "vrnn.cli.main",
        "vrnn.console",
        "vrnn.errors",
        "vrnn.models",
        "vrnn.models.config",
        "vrnn.models.registry",
        "vrnn.models.settings",
        "vrnn.stored",
    }


def test_every_command_is_a_file_and_is_listed(capsys):
    files = {path.stem for path in Path(cli.__file__).parent.glob("*.py")}
    assert cli.COMMANDS.keys() <= files
    assert cli.main(["--help"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line[:2] == "  "]
    assert listed == list(cli.COMMANDS)


def test_words_of_a_failure_are_flags(monkeypatch, capsys):
    def refuse(*_):
        raise ConfigError(setting="energy_weight", expected="at least 0", found=-1)

    monkeypatch.setattr(Command, "parse", refuse)
    assert cli.main(["doctor", "data.csv"]) == 2
    assert capsys.readouterr().err == (
        "vrnn doctor: --energy-weight: expected at least 0, found -1\n"
    )


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "out of memory: ask for fewer samples"),
        (RuntimeError("cannot allocate memory"), "out of memory: ask for fewer samples"),
        (OSError(28, "No space left on device", "f.csv"), "f.csv: No space left on device"),
    ],
)
def test_failures_of_the_machine_are_one_line(error, line, monkeypatch, capsys):
    def fail(*_):
        raise error

    monkeypatch.setattr(Command, "parse", fail)
    assert cli.main(["doctor", "data.csv"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"vrnn doctor: {line}") and len(said.splitlines()) == 1
