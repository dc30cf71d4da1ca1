"""`vrnn evaluate` on the real test scenes: the windows and constant-velocity errors that the data's own page states."""

import json

import pytest

import vrnn
from vrnn.cli.main import main

# windows, ADE and FDE of the last displacement repeated, metres; from the README of the data
FOLDS = {
    "eth": (364, 1.075, 2.282),
    "hotel": (1197, 0.319, 0.614),
    "zara1": (2356, 0.427, 0.952),
    "zara2": (5910, 0.324, 0.724),
    "univ": (24334, 0.524, 1.165),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "a"
    vrnn.train(
        vrnn.RNNConfig(x_dim=2, hidden=4),
        vrnn.Crossroads().sample(20),
        vrnn.TrainConfig(steps=2, holdout=0.0),
        out=folder,
        quiet=True,
    )
    return folder


@pytest.mark.parametrize(
    "fold",
    [
        pytest.param(name, marks=pytest.mark.slow if name in ("zara2", "univ") else [])
        for name in FOLDS
    ],
)
def test_windows_and_constant_velocity_are_those_of_the_data(run, data_dir, capsys, fold):
    data = data_dir / "eth_ucy" / fold / "test"
    assert main(["evaluate", str(run), str(data), "--samples", "2", "--json"]) in (0, None)
    found = json.loads(capsys.readouterr().out)
    count, ade, fde = FOLDS[fold]
    assert found["windows"] == count
    assert found["constant_velocity"] == pytest.approx({"ade": ade, "fde": fde}, abs=6e-4)
