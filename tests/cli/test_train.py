"""`vrnn train`: every setting arrives, a stopped run goes on, sets of an archive."""

import shutil

import numpy as np
import pytest
from tests.cli.conftest import SHORT, SMALL, split
from tests.helpers.few import few

import vrnn
from vrnn import read_tracks
from vrnn.cli.main import main
from vrnn.cli.outputs import save_tracks
from vrnn.errors import DataError
from vrnn.training.choose_training import choose_training
from vrnn.training.run_folder import load
from vrnn.training.trackers import read_metrics


def test_every_setting_arrives(run, folder, tmp_path):
    flags = "--cell lstm --depth 0 --emission mixture(2) --prior standard --window 12 --observe 4"
    flags += " --heading --flip --speed 0.8 1.25 --jitter 0.1 --no-standardise --positions x y"
    flags += " --patience 9 --seed 5 --schedule constant --kl_warmup 3 --ema-decay 0.5"
    flags += " --grad-clip 0.7 --augment-prob 0.25 --augment-until 0.75 --energy-weight 0.1"
    out = tmp_path / "run"
    val = ["--val", folder / "walks.csv"]
    text = run("train", folder / "walks.csv", "--arch vrnn --out", out, *val, SHORT, *flags.split())
    assert "log density of the future, under the states that a forecast starts from" in text
    model = load(out)
    assert (model.config.cell, model.config.depth, model.config.emission) == (
        "lstm",
        0,
        "mixture(2)",
    )
    assert (model.config.x_dim, model.config.prior, model.config.latent_dim) == (2, "standard", 3)
    settings = vrnn.TrainConfig.from_dict(model.training)
    assert (settings.window, settings.observe, settings.patience, settings.seed) == (12, 4, 9, 5)
    assert (settings.schedule, settings.kl_warmup, settings.augment.flip) == ("constant", 3, True)
    assert (settings.augment.speed, settings.transform.heading) == ((0.8, 1.25), True)
    assert (settings.augment.jitter, settings.energy_weight) == (0.1, 0.1)
    assert (settings.ema_decay, settings.grad_clip) == (0.5, 0.7)
    assert (settings.augment.prob, settings.augment.until) == (0.25, 0.75)
    assert (settings.transform.standardise, settings.transform.positions) == (False, ("x", "y"))


@pytest.mark.parametrize("kind", few(["vrnn", "dmm", "srnn", "storn", "rssm"], 2))
def test_resume_with_the_same_command(run, folder, tmp_path, monkeypatch, kind):
    from vrnn.training.trainer import Trainer

    words = ["train", folder / "walks.csv", "--arch", kind, SHORT, "--out"]
    run(*words, tmp_path / "whole")
    step = Trainer._train_step

    def killed(self, number):
        if number == 3:
            raise KeyboardInterrupt
        return step(self, number)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_train_step", killed)
        assert main(split([*words, tmp_path / "part"])) == 130
    run(*words, tmp_path / "part", "--resume")
    whole, part = (load(tmp_path / name).network.state_dict() for name in ("whole", "part"))
    assert all(bool((whole[name] == part[name]).all()) for name in whole)
    assert "nats per step" in run(*words, tmp_path / "part", "--resume")  # nothing left to do


def test_validation_on_another_set_of_the_archive(run, folder, tmp_path):
    data, small = folder / "chorales.npz", f"{SHORT} --emission bernoulli --format piano-roll"
    words = ["train", data, "--arch vrnn", small, "--group train --out"]
    test = read_tracks(data, group="test", format="piano-roll")
    text = run(*words, tmp_path / "a", "--val", data, "--val-group", "test")
    assert run(*words, tmp_path / "b", "--val-group", "test").replace("/b", "/a") == text
    best = max(
        r["val_bound"] for r in read_metrics(tmp_path / "a" / "metrics.jsonl") if "val_bound" in r
    )
    same = vrnn.train(
        read_tracks(data, group="train", format="piano-roll"),
        config=load(tmp_path / "a").config,
        training=vrnn.TrainConfig.from_dict(load(tmp_path / "a").training),
        val=test,
        quiet=True,
    )
    assert max(r["val_bound"] for r in same.history if "val_bound" in r) == pytest.approx(best)


def test_resume_is_asked_for_and_checked(folder, tmp_path, copy, fails):
    words = ["train", folder / "walks.csv", "--arch", "vrnn", "--out", copy]
    small = f"{SMALL} --latent-dim 3"
    assert "--resume" in fails(*words, small)
    assert "began with: --seed 0" in fails(*words, small, "--seed", 1, "--resume")
    assert "same tracks" in fails(*words, small, "--x", "y", "x", "--resume")
    assert "nothing to resume" in fails(
        "train", folder / "walks.csv", "--arch vrnn --out", tmp_path / "new", "--resume"
    )


@pytest.fixture
def copy(runs, tmp_path):
    return shutil.copytree(runs["vrnn"], tmp_path / "copy")


def test_defaults_are_those_of_python(run, folder, tmp_path):
    words = ("--from", "tracks-2d", "--out", tmp_path / "a", "--steps", 1)
    out = run("train", folder / "walks.csv", *words)
    assert load(tmp_path / "a").config == vrnn.load("tracks-2d").config
    assert "started from   tracks-2d; --from scratch" in out
    out = run("train", folder / "walks.csv", "--out", tmp_path / "b", "--steps", 1)
    assert "started from" not in out
    model = load(tmp_path / "b")
    chosen = {"emission": "full_gaussian", "latent": "categorical(16)"}
    assert model.config == vrnn.VRNNConfig(x_dim=2, **chosen)
    chosen = vrnn.TrainConfig(steps=1, patience=5)
    assert vrnn.TrainConfig.from_dict(model.training) == chosen
    tracks = vrnn.read_tracks(folder / "walks.csv")
    assert choose_training(tracks, vrnn.TrainConfig(steps=1)).settings == chosen


def test_few_tracks_keep_the_weights_and_need_no_curves(tmp_path, capsys):
    data = tmp_path / "few.csv"
    rows = [f"{i},{t},{i + t},{2 * t}" for i in range(4) for t in range(9)]
    data.write_text("\n".join(["id,t,x,y", *rows]) + "\n")
    plot = tmp_path / "curves.png"
    assert main(["train", str(data), "--out", str(tmp_path / "run"), "--plot", str(plot)]) == 0
    said = capsys.readouterr()
    assert "training needs at least 10 tracks, found 4" in said.err
    assert "curves.png: not drawn, since no training step was taken" in said.err
    assert "started from   tracks-2d" in said.out and not plot.exists()
    words = ["--model", str(tmp_path / "run"), "--out", str(tmp_path / "f.csv")]
    assert main(["forecast", str(data), *words]) == 0


def test_processes_that_train_together_measure_no_steps(folder, tmp_path, fails, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    line = fails("train", folder / "walks.csv", "--out", tmp_path / "run", "--minutes 1")
    assert "--minutes: processes that train together" in line
    assert "expected none under torchrun, found 1; name the --steps" in line


def test_steps_that_are_named_are_taken_as_they_are(folder, tmp_path, fails, monkeypatch):
    measured, taken = [], []

    def within(*_):
        measured.append(True)
        return 1

    def fit(*_, training, **__):
        taken.append(training.steps)
        raise DataError("as far as this")

    monkeypatch.setattr("vrnn.cli.train.steps_within", within)
    monkeypatch.setattr("vrnn.cli.train.fit", fit)
    usual = vrnn.TrainConfig().steps
    words = ("train", folder / "walks.csv", "--arch rnn --hidden 4", "--out", tmp_path / "run")
    for steps in ((), ("--steps", usual), (f"--steps={usual}",)):
        fails(*words, *steps)
    assert taken == [1, usual, usual] and len(measured) == 1


@pytest.mark.parametrize("flag", ["--learning-rate 0.001", "--validate-every 200", "--no-causal"])
def test_defaults_that_are_named_reach_the_training(flag, tmp_path, fails, monkeypatch):
    walks = np.random.default_rng(0).normal(size=(20, 60, 2)).cumsum(1)
    save_tracks(vrnn.Tracks(list(walks)), tmp_path / "w.csv")
    taken, compared = [], []

    def fit(*_, training, **__):
        taken.append(training)
        raise DataError("as far as this")

    def bound(prepared):
        compared.append(prepared.settings.transform.causal)
        return float(prepared.settings.transform.causal)

    monkeypatch.setattr("vrnn.cli.train.fit", fit)
    monkeypatch.setattr("vrnn.training.choose_transform._bound", bound)
    words = ("train", tmp_path / "w.csv", "--out", tmp_path / "run", flag)
    fails(*words)
    (found,) = taken
    usual = vrnn.TrainConfig()
    assert (found.learning_rate == usual.learning_rate) == ("rate" in flag)
    assert (found.validate_every == usual.validate_every) == ("every" in flag)
    assert found.transform.causal == ("causal" not in flag)
    assert compared == ([] if "causal" in flag else [False, True])


def test_a_resumed_run_takes_the_steps_that_are_named(folder, tmp_path, run, fails):
    words = ("train", folder / "walks.csv", "--out", tmp_path / "run", "--arch rnn --hidden 4")
    run(*words, "--steps 3")
    assert "began with: --steps 3" in fails(*words, "--resume --steps", vrnn.TrainConfig().steps)


def test_outliers_are_named(folder, tmp_path, capsys):
    lines = (folder / "walks.csv").read_text().splitlines()
    name, t, *_ = lines[9].split(",")
    lines[9] = f"{name},{t},1e9,0"
    (tmp_path / "far.csv").write_text("\n".join(lines) + "\n")
    words = ("train", tmp_path / "far.csv", "--out", tmp_path / "run", SMALL, "--minutes 0.01")
    assert main(split(words)) == 0
    assert f"note: 2 outliers in speed, the fastest in track {name}" in capsys.readouterr().err
