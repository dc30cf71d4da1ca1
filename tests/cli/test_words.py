"""What the tasks refuse is said in the words of the command line, and in no others."""

import re

import pytest

PYTHON_WORDS = re.compile(r"\bvrnn\.\w|\b[a-z_]+=|\b[a-z]+_[a-z]+\b")
LAST_MISSING = "its last row has a missing value; this model continues from the last observed point"
REFUSED = {
    "forecast prefix vrnn --horizon 0": "--horizon: expected at least 1, found 0",
    "forecast prefix vrnn --samples 0": "--samples: expected at least 1, found 0",
    "forecast prefix vrnn --temperature 0": "--temperature: expected a number above 0, found 0.0",
    "forecast prefix vrnn --modes": "the model has no modes yet; fit them with vrnn modes DATA "
    "--model RUN, or take clusters of the samples of a forecast",
    "forecast speed inputs": "--inputs: the model has known inputs (speed): expected their values "
    "over the horizon, found none; repeat the last values with --inputs hold",
    "forecast speed supervised --prefix-samples 3": "a supervised model filters x and y once a "
    "path: expected no --prefix-samples, found 3; leave it out",
    "forecast speed supervised --horizon 90": "track 0: a supervised model needs x to the end of "
    "the horizon: expected at least 91 rows, found 20; give more rows of x, or lower --horizon",
    "forecast holed rollout": f"track 2: {LAST_MISSING}; drop the trailing rows, and raise "
    "--horizon by as many",
    "evaluate walks vrnn --observe 1": "--observe: expected at least 2, found 1",
    "evaluate walks vrnn --horizon 0": "--horizon: expected at least 1, found 0",
    "evaluate walks vrnn --samples-per-cluster 1": "--samples-per-cluster: expected at least 2, "
    "found 1",
    "evaluate walks supervised": "a supervised model is evaluated on its targets (speed); map "
    "columns to --y",
    "evaluate speed supervised --temperature 2": "--temperature: a supervised model is evaluated "
    "on the distribution that it has: expected 1, found 2.0; leave --temperature 1",
    "reliability walks vrnn --samples 1": "--samples: expected at least 2, found 1",
    "reliability speed supervised": "reliability is of forecasts of x, and a supervised model "
    "predicts y; see vrnn score DATA --model RUN --out FILE",
    "generate - vrnn --count 0": "--count: expected at least 1, found 0",
    "generate - vrnn --steps 1": "--steps: expected at least 2, found 1",
    "generate - vrnn --start nan 1": "--start: expected finite numbers, found NaN or infinity",
    "generate - inputs --given speed": "--given: expected COLUMN=VALUE, found 'speed'",
    "generate - inputs --given speed=fast": "speed: expected a number, found 'fast'",
    "generate - inputs --given load=3": "expected a value for each known input (speed), found "
    "load; look at load, speed",
    "score walks vrnn --particles 0": "--particles: expected at least 1, found 0",
    "impute holed vrnn --sweeps -1": "--sweeps: expected at least 0, found -1",
    "impute holed rollout": "a RolloutVAE that forecasts has no density of a track's first points "
    "and cannot fill gaps; train a vrnn, srnn or dmm",
    "impute holed rnn --calibrate --particles 5": "--calibrate: seen rows are hidden in gaps like "
    "the real ones: expected at least 20 such rows, found 2; impute more tracks together, or leave "
    "--calibrate out",
    "likelihood walks vrnn --repeats 0": "--repeats: expected at least 1, found 0",
    "encode walks rnn": "an RNN has no latent to encode into; train a seq2seq, rollout or vrnn "
    "model",
}


@pytest.mark.parametrize("line", REFUSED)
def test_a_refusal_names_flags(line, folder, runs, tmp_path, fails):
    command, data, model, *flags = line.split()
    words = [command] if data == "-" else [command, folder / f"{data}.csv"]
    words += ["--model", runs[model], *flags]
    if command not in ("evaluate", "likelihood", "reliability"):
        words += ["--out", tmp_path / "out.csv"]
    said = fails(*words)
    assert said == f"vrnn {command}: {REFUSED[line]}\n"
    assert not PYTHON_WORDS.search(said)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            "--chunk 5 --energy-weight 1",
            "--chunk: expected the elbo alone, found --energy-weight 1.0; only the elbo is a sum "
            "over chunks",
        ),
        (
            "--rotate --geographic nmi --x lat lon",
            "augmentation turns, scales and jitters positions of a plane; on the globe that is no "
            "motion; switch it off, or set --geographic ''",
        ),
    ],
)
def test_a_refusal_of_training_names_flags(flags, message, folder, tmp_path, fails):
    globe = tmp_path / "globe.csv"
    globe.write_text((folder / "walks.csv").read_text().replace("id,t,x,y", "id,t,lat,lon", 1))
    data = globe if "lat" in flags else folder / "walks.csv"
    said = fails("train", data, "--out", tmp_path / "run", *flags.split())
    assert said == f"vrnn train: {message}\n"


def test_a_folder_without_a_run_names_the_command_that_makes_one(folder, tmp_path, fails):
    said = fails("evaluate", folder / "walks.csv", "--model", tmp_path)
    assert "expected a run folder written by vrnn train DATA --out RUN; it has no" in said
