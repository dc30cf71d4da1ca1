"""Words that a command does not take: refused in one line that names the help to read."""

import pytest

from vrnn.cli.parse import Command

TRAIN = "train data.csv --out run"
FORECAST = "forecast data.csv --model run --out f.csv"
SCORE = "score data.csv --model run --out s.csv"
IMPUTE = "impute data.csv --model run --out i.csv"
WRONG = {
    "": "see: vrnn --help",
    "forcast": "did you mean forecast?",
    "train": "missing DATA, --out",
    "train data.csv": "missing --out",
    f"{TRAIN} --arch vrn": "--arch: expected one of rnn, seq2seq, rollout, vrnn, dmm, srnn, storn, rssm, "
    "found 'vrn'; did you mean vrnn?",
    f"{TRAIN} --arch": "--arch: expected a value, found none",
    f"{TRAIN} --arch rnn --arch vrnn": "--arch: expected once, found twice",
    f"{TRAIN} --hiden 3": "did you mean --hidden?",
    f"{TRAIN} --steps many": "--steps: expected a whole number, found 'many'",
    f"{TRAIN} --steps 1.5": "--steps: expected a whole number, found '1.5'",
    f"{TRAIN} --window 1.5": "--window: expected a whole number, found '1.5'",
    f"{TRAIN} --steps": "--steps: expected a value, found none",
    f"{TRAIN} --speed 2": "--speed: expected 2 values, found 2",
    f"{TRAIN} --grad-clip big": "--grad-clip: expected a number, found 'big'",
    f"{TRAIN} --steps 0": "--steps: expected a whole number of at least 1, found 0",
    f"{TRAIN} --cell tanh": "--cell: expected one of gru, lstm, found 'tanh'",
    f"{TRAIN} --window 8 --observe 8": "--observe: expected less than the window of 8, found 8",
    f"{TRAIN} --arch rnn --latent-dim 3": "no such option: --latent-dim",
    f"{TRAIN} --x-dim 2": "no such option: --x-dim",
    f"{TRAIN} --kernel native": "no such option: --kernel",
    f"{TRAIN} --heading=maybe": "--heading: expected true or false, found 'maybe'",
    f"{TRAIN} --objective fivo": "--samples: expected at least 2 for --objective fivo, found 1",
    f"{TRAIN} --objective nelbo": "--objective: expected one of",
    f"{TRAIN} --objective iwae --samples 5 --free-bits 0.1": "--free-bits: expected 0 for "
    "--objective iwae, found 0.1",
    f"{TRAIN} --resampling-term": "--resampling-term: expected --objective fivo, found elbo",
    f"{TRAIN} --resample-below 2": "--resample-below: expected a number from 0 to 1, found 2",
    f"{TRAIN} --transpose -1": "--transpose: expected a whole number of at least 0, found -1",
    f"{TRAIN} --augment-prob 2": "--augment-prob: expected a number from 0 to 1, found 2",
    f"{TRAIN} --augment-until -1": "--augment-until: expected a number from 0 to 1, found -1",
    f"{TRAIN} --prob 0.5": "no such option: --prob",
    f"{TRAIN} --speed 2 1": "--speed: expected the smaller factor first, found (2.0, 1.0)",
    "score data.csv": "missing --out",
    "generate": "missing --model, --out",
    f"{FORECAST} --samples few": "--samples: expected a whole number, found 'few'",
    f"{FORECAST} --samples 5 --clusters 5": "found 5 of 5 samples",
    f"{FORECAST} --inputs zero": "--inputs: expected one of hold, found 'zero'",
    f"{FORECAST} --modes --samples 5": "leave --samples or --modes out",
    f"{FORECAST} --modes --clusters 5": "leave --clusters or --modes out",
    f"{FORECAST} --modes --prefix-samples 5": "leave --prefix-samples or --modes out",
    f"{FORECAST} --modes --qmc": "leave --qmc or --modes out",
    f"{FORECAST} --modes --temperature 2": "leave --temperature or --modes out",
    f"{FORECAST} --no-qmc": "no such option: --no-qmc; did you mean --qmc?",
    "evaluate --model run": "missing DATA",
    "evaluate data.csv --model run --out f.csv": "no such option: --out",
    "evaluate data.csv --model run --selection best": "--selection: expected one of samples, "
    "clusters, modes, found 'best'",
    "generate --out g.csv": "missing --model",
    "modes data.csv": "missing --model",
    "score --model run": "missing DATA, --out",
    f"{SCORE} --false-alarms 0.1": "expected --calibration beside --false-alarms",
    f"{SCORE} --calibration n.csv --false-alarms 2": "between 0 and 1, found 2",
    f"{SCORE} --rows ./s.csv": "a file of its own",
    f"{SCORE} --rows r.txt": ".csv, .parquet or .npz",
    "impute data.csv --model run": "missing --out",
    f"{IMPUTE} --interval 90": "--interval: expected a share between 0 and 1, found 90",
    f"{IMPUTE} --insert-rows yes": "expected nothing more, found yes",
    "likelihood --model run": "missing DATA",
    "likelihood data.csv --model run --bound nelbo": "--bound: expected one of",
    "likelihood data.csv --model run --samples few": "--samples: expected a whole number",
    "reliability --model run": "missing DATA",
    "reliability data.csv --model run --regions 0.5 1.5": "--regions: expected shares between 0 "
    "and 1, found 1.5",
    "doctor": "missing DATA",
    "doctor data.csv --colour red": "no such option: --colour",
    "doctor data.csv -x a": "no such option: -x",
    "doctor a.csv b.csv": "expected nothing more, found b.csv",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_words(line, fails):
    assert WRONG[line] in fails(*line.split())


@pytest.mark.parametrize("line", [line for line in WRONG if WRONG[line].startswith("missing")])
def test_usage_errors_name_the_help(line, fails):
    assert fails(*line.split()).endswith(f"see: vrnn {line.split()[0]} --help\n")


def greet(name: str, /, *, times: int | None = None, ends: tuple[str, ...] = ()) -> str:
    """Return a greeting.

    Args:
        name: who is greeted.
        times: how often.
        ends: what is said in the end.
    """
    return f"{name} {times} {ends}"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("anna", "anna None ()"),
        ("anna --times None", "anna None ()"),
        ("anna --times=-2", "anna -2 ()"),
        ("anna --times -2", "anna -2 ()"),
        ("--ends a b --times 3 anna", "anna 3 ('a', 'b')"),
        ("anna --ends", "anna None ()"),
    ],
)
def test_words_arrive(line, said):
    assert Command(greet, "greet").parse(line.split())() == said


def test_help_is_the_docstring(capsys):
    Command(greet, "greet").parse(["anna", "--help"])()
    text = capsys.readouterr().out
    assert text.startswith("Usage: greet NAME [OPTIONS]\n")
    assert all(words in text for words in ("Return a greeting.", "who is greeted.", "how often."))


def test_numbers_out_of_range(tmp_path, folder, runs, fails):
    run, out = runs["vrnn"], tmp_path / "f.csv"
    walks, holed = folder / "walks.csv", folder / "holed.csv"
    assert "--particles: expected at least 1, found 0" in fails(
        "score", walks, "--model", run, "--out", out, "--particles", 0
    )
    assert "--particles: expected at least 2, found 1" in fails(
        "impute", holed, "--model", run, "--out", out, "--particles", 1
    )
    assert "--samples: expected at least 1, found 0" in fails(
        "impute", holed, "--model", run, "--out", out, "--samples", 0
    )
    assert "--samples: expected at least 1, found 0" in fails(
        "likelihood", walks, "--model", run, "--samples", 0
    )
    assert "--seed: expected" in fails("likelihood", walks, "--model", run, "--seed", -1)
    assert "--horizon" in fails(
        "forecast", folder / "prefix.csv", "--model", run, "--out", out, "--horizon", 0
    )
    assert "--samples" in fails(
        "forecast", folder / "prefix.csv", "--model", run, "--out", out, "--samples", 0
    )
    assert "--prefix-samples: expected at least 1" in fails(
        "forecast", folder / "prefix.csv", "--model", run, "--out", out, "--prefix-samples", 0
    )
    assert "--temperature: expected a number above 0" in fails(
        "forecast", folder / "prefix.csv", "--model", run, "--out", out, "--temperature", 0
    )
    assert "--observe" in fails("evaluate", folder / "walks.csv", "--model", run, "--observe", 1)
    assert "--steps" in fails("generate", "--model", run, "--out", out, "--steps", 1)
    assert "x, y" in fails("generate", "--model", run, "--out", out, "--start", 1)
