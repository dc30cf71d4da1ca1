"""What each command does on good data."""

import json

import numpy as np
import pytest

from vrnn import read_tracks
from vrnn.cli.main import main
from vrnn.training.checkpoint import load
from vrnn.training.tracking import read_metrics

SMALL = ["--hidden", "8", "--latent-dim", "3", "--steps", "4", "--validate-every", "2", "--batch-size", "16"]


@pytest.fixture
def run(capsys):
    """Run a command that must succeed, and give what it prints to standard output."""

    def call(*words: object) -> str:
        capsys.readouterr()
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        assert code == 0, said.err
        return said.out

    return call


def test_doctor(run, folder):
    text = run("doctor", folder / "walks.csv")
    assert "tracks        24" in text
    assert "--observe 8 --horizon 12 gives 24 windows" in text
    assert "tracks        24" in run(
        "doctor", folder / "ships.csv", "--id", "mmsi", "--t", "when", "--x", "lon", "lat"
    )
    assert "Columns" not in run("doctor", folder / "walks.csv", "--id", "None", "--t", "None")


def test_train_says_what_came_out(run, folder, tmp_path):
    data, out = folder / "walks.csv", tmp_path / "run"
    text = run("train", "vrnn", data, "--out", out, "--plot", tmp_path / "c.png", *SMALL)
    best = max(r["val_bound"] for r in read_metrics(out / "metrics.jsonl") if "val_bound" in r)
    assert f"{best:.4f} nats per step, in data units" in text
    assert "lower bound (ELBO) of log p(track | its first point)" in text
    assert "of 3 units active" in text
    assert f"vrnn evaluate {out} {data} --observe 8 --horizon 12" in text
    assert (tmp_path / "c.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rnn", "log p(track | its first point), exact"),
        ("seq2seq", "lower bound of log p(track | its first point); the KL to N(0, I) is a regulariser"),
        ("rollout", "lower bound of log p(future | prefix)"),
        ("supervised", "lower bound of log p(y | x)"),
        *((n, "lower bound (ELBO) of log p(track | its first point)") for n in ("dmm", "srnn", "storn")),
    ],
)
def test_the_number_is_named(name, words, runs):
    from vrnn.cli.summary import bound_name

    assert bound_name(load(runs[name])).startswith(words)


def test_every_setting_arrives(run, folder, tmp_path):
    flags = "--cell lstm --depth 0 --emission mixture(2) --prior standard --window 12 --observe 4 --heading --flip"
    flags += " --speed 0.8 1.25 --no-standardise --positions x y --patience 9 --seed 5 --schedule constant --kl_warmup 3"
    out = tmp_path / "run"
    val = ["--val", folder / "walks.csv"]
    text = run("train", "vrnn", folder / "walks.csv", "--out", out, *val, *SMALL, *flags.split())
    assert "log density of the future, under the states that a forecast starts from" in text
    model = load(out)
    assert (model.config.cell, model.config.depth, model.config.emission) == ("lstm", 0, "mixture(2)")
    assert (model.config.x_dim, model.config.prior, model.config.latent_dim) == (2, "standard", 3)
    settings = model.training
    assert (settings.window, settings.observe, settings.patience, settings.seed) == (12, 4, 9, 5)
    assert (settings.schedule, settings.kl_warmup, settings.augment.flip) == ("constant", 3, True)
    assert (settings.augment.speed, settings.frame.heading) == ((0.8, 1.25), True)
    assert (settings.frame.standardise, settings.frame.positions) == (False, ("x", "y"))


@pytest.mark.parametrize("kind", ["vrnn", "dmm", "srnn", "storn"])
def test_resume_with_the_same_command(run, folder, tmp_path, monkeypatch, kind):
    from vrnn.training.loop import Loop

    words = ["train", kind, folder / "walks.csv", *SMALL, "--out"]
    run(*words, tmp_path / "whole")
    step = Loop._train_step

    def killed(self, number):
        if number == 3:
            raise KeyboardInterrupt
        return step(self, number)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_train_step", killed)
        assert main([str(w) for w in [*words, tmp_path / "part"]]) == 130
    run(*words, tmp_path / "part", "--resume")
    whole, part = (load(tmp_path / name).network.state_dict() for name in ("whole", "part"))
    assert all(bool((whole[name] == part[name]).all()) for name in whole)
    assert "nats per step" in run(*words, tmp_path / "part", "--resume")  # nothing left to do


@pytest.mark.parametrize("ending", ["csv", "parquet", "npz"])
def test_forecast(run, folder, runs, tmp_path, ending):
    out = tmp_path / "deep" / f"f.{ending}"
    words = [
        "forecast",
        runs["vrnn"],
        folder / "prefix.csv",
        "--horizon",
        5,
        "--samples",
        4,
        "--seed",
        1,
        "--out",
    ]
    run(*words, out)
    if ending == "csv":
        table = np.genfromtxt(out, delimiter=",", names=True)
        run(*words, tmp_path / "again.csv")
        assert out.read_bytes() == (tmp_path / "again.csv").read_bytes()
    elif ending == "parquet":
        import pandas as pd

        table = pd.read_parquet(out)
    else:
        table = np.load(out)
    assert table["x"].shape == (3 * 4 * 5,)
    assert np.asarray(table["t"])[:5].tolist() == [8, 9, 10, 11, 12]
    assert np.isfinite(np.asarray(table["y"])).all()


def test_representatives_and_picture(run, folder, runs, tmp_path):
    out, plot = tmp_path / "f.csv", tmp_path / "f.png"
    run(
        "forecast",
        runs["rollout"],
        folder / "prefix.csv",
        "--representative",
        2,
        "--out",
        out,
        "--plot",
        plot,
    )
    table = np.genfromtxt(out, delimiter=",", names=True)
    assert len(table) == 3 * 2 * 12
    assert set(table["sample"]) == {0, 1}
    assert plot.stat().st_size > 1000


def test_inputs_are_held(run, folder, runs, tmp_path):
    run("forecast", runs["inputs"], folder / "speed.csv", "--inputs", "hold", "--out", tmp_path / "f.npz")
    assert np.load(tmp_path / "f.npz")["x"].shape == (24 * 20 * 12,)


@pytest.mark.parametrize("ending", ["csv", "npz", "parquet"])
def test_generated_tracks_are_read_back(run, runs, tmp_path, ending):
    out = tmp_path / f"g.{ending}"
    run("generate", runs["vrnn"], "--count", 3, "--steps", 6, "--start", 5, 7, "--out", out)
    tracks = read_tracks(out)
    assert tracks.lengths.tolist() == [6, 6, 6]
    assert tracks.x[2][0].tolist() == [5, 7]
    assert "3" in run("doctor", out)


@pytest.mark.parametrize("flags", [[], ["--representative"]])
def test_evaluate(run, folder, runs, flags):
    words = ["evaluate", runs["vrnn"], folder / "walks.csv", "--samples", 3, *flags]
    found = json.loads(run(*words, "--json"))
    assert (found["windows"], found["samples"]) == (24, 3)
    assert found["selection"] == ("representative" if flags else "iid")
    assert set(found["model"]) == {"ade", "fde", "min_ade", "min_fde", "nll", "energy_score"}
    text = run(*words)
    assert "constant velocity" in text
    assert f"{found['model']['ade']:.3f}" in text


def test_evaluate_supervised(run, folder, runs):
    found = json.loads(run("evaluate", runs["supervised"], folder / "speed.csv", "--samples", 3, "--json"))
    assert found["model"]["rmse"] > 0


def test_numbers_without_a_word_in_json():
    from vrnn.cli.evaluate import _finite

    assert _finite({"a": {"b": float("inf"), "c": 1.5}}) == {"a": {"b": None, "c": 1.5}}


def test_encode(run, folder, runs, tmp_path):
    run("encode", runs["rollout"], folder / "walks.csv", "--out", tmp_path / "track.csv")
    run("encode", runs["seq2seq"], folder / "walks.csv", "--out", tmp_path / "point.csv")
    track, point = (
        np.genfromtxt(tmp_path / f"{n}.csv", delimiter=",", names=True) for n in ("track", "point")
    )
    assert track.dtype.names == ("id", "mean0", "mean1", "mean2", "scale0", "scale1", "scale2")
    assert len(track) == 24
    assert len(point) == 24 * 19
    assert "step" in point.dtype.names


@pytest.mark.parametrize("kind", ["dmm", "srnn", "storn"])
def test_verbs_on_models_whose_posterior_reads_the_whole_track(run, folder, runs, tmp_path, kind):
    out = tmp_path / "out.csv"
    run("forecast", runs[kind], folder / "prefix.csv", "--horizon", 5, "--samples", 4, "--out", out)
    assert len(np.genfromtxt(out, delimiter=",", names=True)) == 3 * 4 * 5
    run("generate", runs[kind], "--count", 3, "--steps", 6, "--out", out)
    assert read_tracks(out).lengths.tolist() == [6, 6, 6]
    run("encode", runs[kind], folder / "walks.csv", "--out", out)
    assert len(np.genfromtxt(out, delimiter=",", names=True)) == 24 * 19
    found = json.loads(run("evaluate", runs[kind], folder / "walks.csv", "--samples", 3, "--json"))
    assert np.isfinite(found["model"]["nll"])


def test_columns_are_remembered(run, folder, tmp_path, fails):
    out, ships = tmp_path / "run", folder / "ships.csv"
    run("train", "vrnn", ships, "--out", out, "--id", "mmsi", "--t", "when", "--x", "lon", "lat", *SMALL)
    assert run("evaluate", out, ships, "--json") == run(
        "evaluate", out, ships, "--json", "--id", "mmsi", "--t", "when", "--x", "lon", "lat"
    )
    run("evaluate", out, folder / "walks.csv")  # has none of those names, so the usual ones
    fleet = tmp_path / "fleet"
    fleet.mkdir()
    (fleet / "a.csv").write_text(ships.read_text())
    assert json.loads(run("evaluate", out, fleet, "--json"))["windows"] == 24
    assert "'nobody' for id" in fails("evaluate", out, ships, "--id", "nobody")
