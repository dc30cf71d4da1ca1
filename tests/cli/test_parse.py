"""Words that a command does not take: refused in one line that names the help to read."""

import pytest

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


def test_numbers_out_of_range(tmp_path, folder, runs, fails):
    run, out = runs["vrnn"], tmp_path / "f.csv"
    walks, holed = folder / "walks.csv", folder / "holed.csv"
    assert "particles of at least 1" in fails(
        "score", walks, "--model", run, "--out", out, "--particles", 0
    )
    assert "particles of at least 2" in fails(
        "impute", holed, "--model", run, "--out", out, "--particles", 1
    )
    assert "samples of at least 1" in fails(
        "impute", holed, "--model", run, "--out", out, "--samples", 0
    )
    assert "found 0 and 3" in fails("likelihood", walks, "--model", run, "--samples", 0)
    assert "seed" in fails("likelihood", walks, "--model", run, "--seed", -1)
    assert "horizon" in fails(
        "forecast", folder / "prefix.csv", "--model", run, "--out", out, "--horizon", 0
    )
    assert "samples" in fails(
        "forecast", folder / "prefix.csv", "--model", run, "--out", out, "--samples", 0
    )
    assert "--states of" in fails(
        "forecast", folder / "prefix.csv", "--model", run, "--out", out, "--states", 0
    )
    assert "--temperature above 0" in fails(
        "forecast", folder / "prefix.csv", "--model", run, "--out", out, "--temperature", 0
    )
    assert "observe" in fails("evaluate", folder / "walks.csv", "--model", run, "--observe", 1)
    assert "steps" in fails("generate", "--model", run, "--out", out, "--steps", 1)
    assert "x, y" in fails("generate", "--model", run, "--out", out, "--start", 1)
