"""`vrnn evaluate`, also on the real test scenes, whose page states windows and errors."""

import json

import pytest

import vrnn
from vrnn.cli.main import main


@pytest.mark.parametrize("selection", ["samples", "clusters"])
def test_evaluate(run, folder, runs, selection):
    words = ["evaluate", folder / "walks.csv", "--model", runs["vrnn"]]
    words += ["--samples 3 --selection", selection]
    found = json.loads(run(*words, "--json"))
    assert (found["windows"], found["samples"]) == (24, 3)
    assert found["selection"] == selection
    assert set(found["model"]) == {"ade", "fde", "min_ade", "min_fde", "nll", "energy_score"}
    assert found["kalman_fit"] == "training tracks"
    for name in ("random_walk", "kalman"):
        assert set(found[name]) == set(found["model"]) and None not in found[name].values()
    text = run(*words)
    assert all(name in text for name in ("constant velocity", "random walk", "Kalman filter"))
    assert f"{found['model']['ade']:.3f}" in text


def test_evaluate_supervised(run, folder, runs):
    found = json.loads(
        run("evaluate", folder / "speed.csv", "--model", runs["supervised"], "--samples 3 --json")
    )
    assert found["model"]["rmse"] > 0


def test_distances_on_the_globe(run, folder, tmp_path):
    """Degrees in, nautical miles out: tracks that stop after 0.1 degrees of latitude a step."""
    path = folder / "globe.csv"
    rows = [f"{i},{t},{40 + 0.1 * min(t, 4) + i},{10 * i}" for i in range(12) for t in range(8)]
    path.write_text("id,t,lat,lon\n" + "\n".join(rows), encoding="utf-8")
    out, named = tmp_path / "g", "--x lat lon"
    flags = "--steps 2 --geographic nmi --position-input"
    run("train", path, "--arch rnn --out", out, named, flags)
    found = json.loads(
        run("evaluate", path, "--model", out, named, "--observe 5 --horizon 3 --json")
    )
    assert found["constant_velocity"]["fde"] == pytest.approx(3 * 0.1 * 60.04, rel=1e-3)
    assert found["constant_velocity"]["ade"] == pytest.approx(2 * 0.1 * 60.04, rel=1e-3)


# windows, ADE and FDE of the last displacement repeated, metres; from the README of the data
FOLDS = {
    "eth": (364, 1.075, 2.282),
    "hotel": (1197, 0.319, 0.614),
    "zara1": (2356, 0.427, 0.952),
    "zara2": (5910, 0.324, 0.724),
    "univ": (24334, 0.524, 1.165),
}


@pytest.fixture(scope="module")
def scene_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "a"
    vrnn.train(
        vrnn.Crossroads().sample(20),
        config=vrnn.RNNConfig(x_dim=2, hidden=4),
        training=vrnn.TrainConfig(steps=2, holdout=0.0),
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
def test_windows_and_constant_velocity_are_those_of_the_data(scene_run, data_dir, capsys, fold):
    data = data_dir / "eth_ucy" / fold / "test"
    assert main(["evaluate", str(data), "--model", str(scene_run), "--samples", "2", "--json"]) in (
        0,
        None,
    )
    found = json.loads(capsys.readouterr().out)
    count, ade, fde = FOLDS[fold]
    assert found["windows"] == count
    for name, exact in {"ade": ade, "fde": fde, "min_ade": ade, "min_fde": fde}.items():
        assert found["constant_velocity"][name] == pytest.approx(exact, abs=6e-4)
