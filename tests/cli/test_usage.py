"""Flags and outputs that cannot be: refused before any work, in one line that names the help to read."""

import os
import subprocess
import sys

import pytest

from vrnn import __version__
from vrnn.cli import main as cli

WRONG = {
    "": "see: vrnn --help",
    "forcast": "did you mean forecast?",
    "train": "rnn, seq2seq, rollout, vrnn, dmm, srnn, storn",
    "train vrn": "did you mean vrnn?",
    "train vrnn data.csv": "missing --out",
    "train vrnn data.csv --out run --hiden 3": "did you mean --hidden?",
    "train vrnn data.csv --out run --steps many": "--steps: expected a whole number, found 'many'",
    "train vrnn data.csv --out run --clip big": "--clip: expected a number, found 'big'",
    "train vrnn data.csv --out run --steps 0": "expected steps above 0",
    "train vrnn data.csv --out run --cell tanh": "--cell: expected one of",
    "train vrnn data.csv --out run --window 8 --observe 8": "less than the window",
    "train rnn data.csv --out run --latent-dim 3": "no such option: --latent-dim",
    "train vrnn data.csv --out run --x-dim 2": "no such option: --x-dim",
    "forecast run data.csv": "missing --out",
    "forecast run data.csv --out f.csv --samples few": "--samples: expected",
    "forecast run data.csv --out f.csv --samples 5 --representative 5": "found 5 of 5 samples",
    "forecast run data.csv --out f.csv --inputs zero": "--inputs: expected one of",
    "evaluate run": "missing DATA",
    "evaluate run data.csv --out f.csv": "no such option: --out",
    "doctor": "missing DATA",
    "doctor data.csv --colour red": "no such option: --colour",
    "doctor a.csv b.csv": "no such option: b.csv",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_words(line, fails):
    assert WRONG[line] in fails(*line.split())


@pytest.mark.parametrize("ending", ["f", "f.txt", "f.json", "f.CSV.gz"])
@pytest.mark.parametrize("words", ["forecast run data.csv", "generate run", "encode run data.csv"])
def test_ending_of_outputs(words, ending, fails):
    assert ".csv, .parquet or .npz" in fails(*words.split(), "--out", ending)


def test_outputs_that_cannot_be_written(tmp_path, folder, runs, fails, monkeypatch):
    (tmp_path / "taken.csv").mkdir()
    (tmp_path / "file").write_text("")
    words = ["generate", runs["vrnn"], "--out"]
    assert "found a folder" in fails(*words, tmp_path / "taken.csv")
    assert "is not a folder" in fails(*words, tmp_path / "file" / "g.csv")
    assert "ending in one of .png" in fails(*words, tmp_path / "g.csv", "--plot", tmp_path / "g.mp4")
    assert "found a file" in fails("train", "rnn", folder / "walks.csv", "--out", tmp_path / "file")
    assert "Not a directory" in fails(
        "train", "rnn", folder / "walks.csv", "--out", tmp_path / "file" / "run"
    )
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "no permission" in fails(*words, tmp_path / "g.csv")


def test_failure_while_writing_leaves_nothing(tmp_path, runs, fails, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", str(tmp_path / "g.csv"))

    monkeypatch.setattr(os, "replace", full)
    assert "No space left on device" in fails(
        "generate", runs["vrnn"], "--out", tmp_path / "g.csv", "--steps", 3
    )


def test_numbers_out_of_range(tmp_path, folder, runs, fails):
    run, out = runs["vrnn"], tmp_path / "f.csv"
    assert "horizon" in fails("forecast", run, folder / "prefix.csv", "--out", out, "--horizon", 0)
    assert "samples" in fails("forecast", run, folder / "prefix.csv", "--out", out, "--samples", 0)
    assert "observe" in fails("evaluate", run, folder / "walks.csv", "--observe", 1)
    assert "steps" in fails("generate", run, "--out", out, "--steps", 1)
    assert "x, y" in fails("generate", run, "--out", out, "--start", 1)


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
    assert all(flag in text for flag in ("--hidden", "--steps", "--heading", "--flip", "--resume", "--id"))
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
