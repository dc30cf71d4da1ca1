"""The commands with every model."""

import json

import numpy as np
import pytest
from tests.cli.conftest import MODELS

from vrnn import read_tracks

QUICK = ["--samples", 8, "--particles", 20]


@pytest.mark.parametrize("name", [*MODELS])
def test_tasks_of_every_model(run, folder, runs, tmp_path, name):
    data = folder / ("speed.csv" if name in ("supervised", "inputs") else "walks.csv")
    found = json.loads(run("likelihood", data, "--model", runs[name], "--samples", 3, "--json"))
    assert np.isfinite(found["log_likelihood"])
    run("score", data, "--model", runs[name], "--out", tmp_path / "s.csv", "--particles", 3)
    scores = np.genfromtxt(tmp_path / "s.csv", delimiter=",", names=True)
    assert set(scores["rows"]) == {found["rows"] // 24}
    if name != "rollout":
        run("impute", data, "--model", runs[name], "--out", tmp_path / "i.csv", *QUICK)


@pytest.mark.parametrize("kind", ["dmm", "srnn", "storn", "rssm"])
def test_futures_tracks_codes_and_scores(run, folder, runs, tmp_path, kind):
    out = tmp_path / "out.csv"
    words = ["forecast", folder / "prefix.csv", "--model", runs[kind], "--horizon 5 --samples 4"]
    run(*words, "--out", out)
    assert len(np.genfromtxt(out, delimiter=",", names=True)) == 3 * 4 * 5
    run("generate", "--model", runs[kind], "--count", 3, "--steps", 6, "--out", out)
    assert read_tracks(out).lengths.tolist() == [6, 6, 6]
    run("encode", folder / "walks.csv", "--model", runs[kind], "--out", out)
    assert len(np.genfromtxt(out, delimiter=",", names=True)) == 24 * 19
    found = json.loads(
        run("evaluate", folder / "walks.csv", "--model", runs[kind], "--samples", 3, "--json")
    )
    assert np.isfinite(found["model"]["nll"])
