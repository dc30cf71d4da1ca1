"""Flags and outputs that cannot be: refused before any work, in one line that names the help to read."""

import os
import subprocess
import sys
from dataclasses import fields

import pytest

from vrnn import __version__
from vrnn.cli import main as cli
from vrnn.cli.parse import SETTINGS, as_flags
from vrnn.models import KINDS
from vrnn.training.config import TrainConfig

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
    "train vrnn data.csv --out run --objective fivo": "expected --samples of at least 2, found 1",
    "train vrnn data.csv --out run --objective nelbo": "--objective: expected one of",
    "train vrnn data.csv --out run --objective iwae --samples 5 --free-bits 0.1": "--free-bits change the KL of the elbo",
    "train vrnn data.csv --out run --resampling-term": "--resampling-term belongs to --objective fivo, found 'elbo'",
    "train vrnn data.csv --out run --resample-below 2": "expected --resample-below from 0 to 1, found 2",
    "train vrnn data.csv --out run --transpose -1": "expected --transpose of at least 0",
    "train vrnn data.csv --out run --speed 2 1": "expected --speed as two rising positive factors",
    "score run": "missing DATA, --out",
    "score run data.csv --out s.csv --false-alarms 0.1": "expected --calibration DATA beside --false-alarms",
    "score run data.csv --out s.csv --calibration n.csv --false-alarms 2": "between 0 and 1, found 2",
    "score run data.csv --out s.csv --rows ./s.csv": "a file of its own",
    "score run data.csv --out s.csv --rows r.txt": ".csv, .parquet or .npz",
    "impute run data.csv": "missing --out",
    "impute run data.csv --out i.csv --interval 90": "between 0 and 1, found 90",
    "impute run data.csv --out i.csv --insert-rows yes": "no such option: yes",
    "likelihood run": "missing DATA",
    "reliability run": "missing DATA",
    "reliability run data.csv --regions 0.5 1.5": "expected regions that hold a share between 0 and 1, found 1.5",
    "likelihood run data.csv --bound nelbo": "--bound: expected one of",
    "likelihood run data.csv --samples few": "--samples: expected a whole number",
    "doctor": "missing DATA",
    "doctor data.csv --colour red": "no such option: --colour",
    "doctor a.csv b.csv": "no such option: b.csv",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_words(line, fails):
    assert WRONG[line] in fails(*line.split())


@pytest.mark.parametrize("ending", ["f", "f.txt", "f.json", "f.CSV.gz"])
@pytest.mark.parametrize(
    "words",
    [
        "forecast run data.csv",
        "generate run",
        *(f"{c} run data.csv" for c in ("encode", "score", "impute")),
    ],
)
def test_ending_of_outputs(words, ending, fails):
    assert ".csv, .parquet or .npz" in fails(*words.split(), "--out", ending)


def test_outputs_that_cannot_be_written(tmp_path, folder, runs, fails, monkeypatch):
    (tmp_path / "taken.csv").mkdir()
    (tmp_path / "file").write_text("")
    words = ["generate", runs["vrnn"], "--out"]
    assert "found a folder" in fails(*words, tmp_path / "taken.csv")
    assert "is not a folder" in fails(*words, tmp_path / "file" / "g.csv")
    assert "ending in one of .png" in fails(
        *words, tmp_path / "g.csv", "--plot", tmp_path / "g.mp4"
    )
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


def test_failure_while_writing_the_second_table_leaves_nothing(
    tmp_path, folder, runs, fails, monkeypatch
):
    """Scores write the rows first, so that the table they are named after is there only when all is."""
    import vrnn.tasks.score as scores

    def full(columns, path):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(scores, "write_table", full)
    words = ["score", runs["vrnn"], folder / "walks.csv", "--out", tmp_path / "s.csv"]
    assert "r.csv: No space left on device" in fails(*words, "--rows", tmp_path / "r.csv")


def test_numbers_out_of_range(tmp_path, folder, runs, fails):
    run, out = runs["vrnn"], tmp_path / "f.csv"
    walks, holed = folder / "walks.csv", folder / "holed.csv"
    assert "particles of at least 1" in fails("score", run, walks, "--out", out, "--particles", 0)
    assert "particles of at least 2" in fails("impute", run, holed, "--out", out, "--particles", 1)
    assert "samples of at least 1" in fails("impute", run, holed, "--out", out, "--samples", 0)
    assert "found 0 and 3" in fails("likelihood", run, walks, "--samples", 0)
    assert "seed" in fails("likelihood", run, walks, "--seed", -1)
    assert "horizon" in fails("forecast", run, folder / "prefix.csv", "--out", out, "--horizon", 0)
    assert "samples" in fails("forecast", run, folder / "prefix.csv", "--out", out, "--samples", 0)
    assert "--states of" in fails(
        "forecast", run, folder / "prefix.csv", "--out", out, "--states", 0
    )
    assert "--temperature above 0" in fails(
        "forecast", run, folder / "prefix.csv", "--out", out, "--temperature", 0
    )
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


def test_settings_in_errors_are_those_there_are():
    configs = [TrainConfig, *(config for config, _ in KINDS.values())]
    names = {f.name for config in configs for f in fields(config) if "_" in f.name}
    assert set(SETTINGS) == names - {"x_dim", "u_dim", "y_dim"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("free_bits: expected a run folder", "free_bits: expected a run folder"),
        ("runs/latent_dim/a.csv: no such file", "runs/latent_dim/a.csv: no such file"),
        ("changed: training.batch_size, model.latent_dim", "changed: --batch-size, --latent-dim"),
        ("found model.safetensors", "found model.safetensors"),
    ],
)
def test_only_settings_become_flags(text, expected):
    assert as_flags(text) == expected
