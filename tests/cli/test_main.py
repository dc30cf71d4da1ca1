"""The entry point: help, version, exit codes, failures."""

import subprocess
import sys

import pytest

from vrnn import __version__
from vrnn.cli import main as cli


def test_interrupt_is_quiet(monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "parse", stop)
    assert cli.main(["doctor", "data.csv"]) == 130
    assert capsys.readouterr() == ("", "")


def test_bugs_keep_their_traceback(monkeypatch):
    monkeypatch.setattr(cli, "parse", lambda *_: lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["doctor", "data.csv"])


@pytest.mark.parametrize(
    "words", ["--help", "train --help", *(f"{c} --help" for c in cli.COMMANDS if c != "train")]
)
def test_help(words, capsys):
    assert cli.main(words.split()) == 0
    said = capsys.readouterr()
    assert said.out.startswith("usage: vrnn")
    assert said.err == ""


@pytest.mark.parametrize("kind", cli.MODELS)
def test_help_of_models_hides_the_widths(kind, capsys):
    assert cli.main(["train", kind, "--help"]) == 0
    text = capsys.readouterr().out
    assert all(
        flag in text for flag in ("--hidden", "--steps", "--heading", "--flip", "--resume", "--id")
    )
    assert not any(word in text for word in ("x_dim", "x-dim", "u-dim", "y-dim"))


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"vrnn {__version__}\n"


def test_installed_command(tmp_path):
    """The one real process: the exit code arrives, and listing the commands imports nothing heavy."""
    done = subprocess.run(
        [sys.executable, "-m", "vrnn.cli.main", "doctor", "none.csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    light = "import sys; from vrnn.cli.main import main; main(['--help']); sys.exit('torch' in sys.modules or 'tyro' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", light], capture_output=True).returncode == 0
    assert (
        subprocess.run(
            [sys.executable, "-c", light.replace("--help", "forcast")], capture_output=True
        ).returncode
        == 0
    )
