"""`vrnn modes`, and the two commands that use a mode set."""

import json

import numpy as np
import pytest
from tests.cli.conftest import SHORT


def test_a_mode_set_is_trained_written_and_measured(run, folder, tmp_path, fails):
    out, table, walks = tmp_path / "run", tmp_path / "named.csv", folder / "walks.csv"
    run("train", walks, "--out", out, SHORT, "--window", 20, "--observe", 8)
    forecast = ["forecast", folder / "prefix.csv", "--model", out, "--modes", "--out", table]
    assert "fit them with vrnn modes DATA --model RUN" in fails(*forecast)
    words = ["modes", walks, "--model", out, "--count", 3, "--hidden", 8, "--steps", 4]
    assert "has a mode set of 3 futures of 12 time steps" in run(*words, "--val", walks)
    run(*forecast, "--horizon", 5)
    found = np.genfromtxt(table, delimiter=",", names=True)
    assert len(found) == 3 * 3 * 5 and np.isfinite(found["x"]).all()
    assert found["weight"][found["step"] == 1].sum() == pytest.approx(3)
    evaluate = ["evaluate", walks, "--model", out, "--selection", "modes"]
    assert json.loads(run(*evaluate, "--samples", 3, "--json"))["selection"] == "modes"
    assert "expected as many --samples, found 20" in fails(*evaluate)
    assert "--horizon: the modes were fitted for 12 rows" in fails(*forecast, "--horizon", 13)
    assert "expected a run folder" in fails("modes", walks, "--model", tmp_path)
    assert "--count: expected a whole number of at least 1" in fails(*words[:4], "--count", 0)


def test_a_mode_set_needs_tracks_as_long_as_its_futures(folder, runs, fails):
    line = fails("modes", folder / "walks.csv", "--model", runs["vrnn"], "--horizon", 90)
    assert "lower --horizon" in line
