"""What each command does on good data."""

import json
import shlex

import numpy as np
import pytest
from tests.cli.conftest import MODELS

import vrnn
from vrnn import read_tracks
from vrnn.cli.main import main
from vrnn.cli.outputs import save_tracks
from vrnn.training.checkpoint import load
from vrnn.training.trackers import read_metrics

SMALL = [
    "--hidden",
    "8",
    "--latent-dim",
    "3",
    "--steps",
    "4",
    "--validate-every",
    "2",
    "--batch-size",
    "16",
]


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
        (
            "seq2seq",
            "lower bound of log p(track | its first point); the KL to N(0, I) is a regulariser",
        ),
        ("rollout", "lower bound of log p(future | prefix)"),
        ("supervised", "lower bound of log p(y | x)"),
        *(
            (n, "lower bound (ELBO) of log p(track | its first point)")
            for n in ("dmm", "srnn", "storn")
        ),
    ],
)
def test_the_number_is_named(name, words, runs):
    from vrnn.cli.summary import bound_name

    assert bound_name(load(runs[name])).startswith(words)


def test_every_setting_arrives(run, folder, tmp_path):
    flags = "--cell lstm --depth 0 --emission mixture(2) --prior standard --window 12 --observe 4 --heading --flip"
    flags += " --speed 0.8 1.25 --jitter 0.1 --no-standardise --positions x y --patience 9 --seed 5 --schedule constant --kl_warmup 3"
    out = tmp_path / "run"
    val = ["--val", folder / "walks.csv"]
    text = run("train", "vrnn", folder / "walks.csv", "--out", out, *val, *SMALL, *flags.split())
    assert "log density of the future, under the states that a forecast starts from" in text
    model = load(out)
    assert (model.config.cell, model.config.depth, model.config.emission) == (
        "lstm",
        0,
        "mixture(2)",
    )
    assert (model.config.x_dim, model.config.prior, model.config.latent_dim) == (2, "standard", 3)
    settings = model.training
    assert (settings.window, settings.observe, settings.patience, settings.seed) == (12, 4, 9, 5)
    assert (settings.schedule, settings.kl_warmup, settings.augment.flip) == ("constant", 3, True)
    assert (settings.augment.speed, settings.transform.heading) == ((0.8, 1.25), True)
    assert settings.augment.jitter == 0.1
    assert (settings.transform.standardise, settings.transform.positions) == (False, ("x", "y"))


@pytest.mark.parametrize("kind", ["vrnn", "dmm", "srnn", "storn"])
def test_resume_with_the_same_command(run, folder, tmp_path, monkeypatch, kind):
    from vrnn.training.fit import Loop

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


def test_learned_representatives(run, folder, tmp_path, fails):
    """Learned, written and measured, all on one run folder; no other flag of sampling goes with them."""
    out, table, walks = tmp_path / "run", tmp_path / "named.csv", folder / "walks.csv"
    run(
        "train",
        "vrnn",
        walks,
        "--out",
        out,
        *SMALL,
        "--latent-dim",
        3,
        "--window",
        20,
        "--observe",
        8,
    )
    assert "vrnn modes RUN DATA" in fails("forecast", out, walks, "--learned", "--out", table)
    said = run("modes", out, walks, "--count", 3, "--hidden", 8, "--steps", 4, "--val", walks)
    assert "knows 3 futures of 12 rows" in said
    run("forecast", out, folder / "prefix.csv", "--learned", "--horizon", 5, "--out", table)
    found = np.genfromtxt(table, delimiter=",", names=True)
    assert len(found) == 3 * 3 * 5 and np.isfinite(found["x"]).all()
    assert found["weight"][found["step"] == 1].sum() == pytest.approx(3)
    scores = json.loads(run("evaluate", out, walks, "--samples", 3, "--learned", "--json"))
    assert scores["selection"] == "learned"
    assert "expected as many samples, found 20" in fails("evaluate", out, walks, "--learned")
    assert "leave representative, qmc" in fails(
        "evaluate", out, walks, "--learned", "--representative"
    )
    assert "leave samples" in fails(
        "forecast", out, walks, "--learned", "--samples", 5, "--out", table
    )
    assert "expected a run folder" in fails("modes", tmp_path, walks)
    assert "expected count of at least 1" in fails("modes", out, walks, "--count", 0)


def test_states_and_temperature_reach_the_forecast(run, folder, runs, tmp_path):
    """At no temperature to speak of, paths from one state are one path."""
    out = tmp_path / "f.csv"
    run(
        "forecast",
        runs["vrnn"],
        folder / "prefix.csv",
        "--samples",
        5,
        "--states",
        1,
        "--temperature",
        1e-6,
        "--out",
        out,
    )
    x = np.genfromtxt(out, delimiter=",", names=True)["x"].reshape(3, 5, 12)
    assert x.std(1).max() < 1e-3 < x.std(2).min()


def test_inputs_are_held(run, folder, runs, tmp_path):
    run(
        "forecast",
        runs["inputs"],
        folder / "speed.csv",
        "--inputs",
        "hold",
        "--out",
        tmp_path / "f.npz",
    )
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
    found = json.loads(
        run("evaluate", runs["supervised"], folder / "speed.csv", "--samples", 3, "--json")
    )
    assert found["model"]["rmse"] > 0


# kinds


def test_tracks_of_a_kind(run, fails, folder, tmp_path):
    rows = [
        f"{i},{t},{t * (1 if i % 2 else -1)},{i},{'on' if i % 2 else 'back'}"
        for i in range(24)
        for t in range(8)
    ]
    path = folder / "ways.csv"
    path.write_text("id,t,x,y,way\n" + "\n".join(rows), encoding="utf-8")
    out, drawn = tmp_path / "w", tmp_path / "d.csv"
    run("train", "rnn", path, "--out", out, "--u", "way", "--steps", 3)
    run("generate", out, "--out", drawn, "--count", 2, "--steps", 5, "--given", "way=on")
    assert read_tracks(drawn, vrnn.Columns(u=("way=back", "way=on"))).u[0][0].tolist() == [0, 1]
    run(
        "evaluate", out, path, "--observe", 4, "--horizon", 3
    )  # the column is found again by the run
    run("forecast", out, path, "--horizon", 2, "--out", tmp_path / "f.csv", "--inputs", "hold")
    words = ["generate", out, "--out", drawn]
    assert "as in --given way=..." in fails(*words)
    assert "one of the kinds back, on, found 'up'" in fails(*words, "--given", "way=up")
    assert "--given: expected COLUMN=VALUE, found 'on'" in fails(*words, "--given", "on")


# calibration


def test_calibration(run, folder, runs, tmp_path):
    words = [
        "reliability",
        runs["vrnn"],
        folder / "walks.csv",
        "--observe",
        5,
        "--horizon",
        4,
        "--samples",
        10,
    ]
    text = run(*words, "--plot", tmp_path / "r.png").splitlines()
    assert (
        text[0] == "288 windows, 5 observed, 10 futures each"
        and "50%       90%       NLL" in text[2]
    )
    assert [int(line.split()[0]) for line in text[3:7]] == [1, 2, 3, 4]
    assert (
        text[-1] == f"{tmp_path / 'r.png'}: picture of it"
        and (tmp_path / "r.png").stat().st_size > 1000
    )
    found = json.loads(run(*words, "--regions", 0.25, 0.67, "--json"))
    assert set(found) == {"windows", "samples", "coverage", "nll"} and found["windows"] == 288
    assert list(found["coverage"]) == ["0.25", "0.67"] and len(found["nll"]) == 4
    assert all(a <= b for a, b in zip(*found["coverage"].values(), strict=True))


def test_distances_on_the_globe(run, folder, tmp_path):
    """Degrees in, nautical miles out: tracks that stop after 0.1 degrees of latitude a step."""
    path = folder / "globe.csv"
    rows = [f"{i},{t},{40 + 0.1 * min(t, 4) + i},{10 * i}" for i in range(12) for t in range(8)]
    path.write_text("id,t,lat,lon\n" + "\n".join(rows), encoding="utf-8")
    out, named = tmp_path / "g", ("--x", "lat", "lon")
    run(
        "train",
        "rnn",
        path,
        "--out",
        out,
        *named,
        "--steps",
        2,
        "--geographic",
        "nmi",
        "--position-input",
    )
    found = json.loads(run("evaluate", out, path, *named, "--observe", 5, "--horizon", 3, "--json"))
    assert found["constant_velocity"]["fde"] == pytest.approx(3 * 0.1 * 60.04, rel=1e-3)
    assert found["constant_velocity"]["ade"] == pytest.approx(2 * 0.1 * 60.04, rel=1e-3)


# score, impute, likelihood


def test_score(run, folder, runs, tmp_path):
    out, rows = tmp_path / "deep" / "s.csv", tmp_path / "r.npz"
    words = ["score", runs["vrnn"], folder / "walks.csv", "--particles", 10, "--out", out]
    text = run(*words, "--rows", rows)
    assert text.splitlines() == [
        f"{out}: scores of 24 tracks: minus a lower bound on log p(track | its first point) by 10 particles, per scored row; median "
        f"{np.median(np.genfromtxt(out, delimiter=',', names=True)['score']):.4f} nats, in data units",
        f"{rows}: every row",
    ]
    table = np.genfromtxt(out, delimiter=",", names=True)
    assert table.dtype.names == ("id", "rows", "score") and set(table["rows"]) == {19}
    with np.load(rows) as every:
        assert every["log_prob"].shape == (24 * 20,) and np.isnan(every["pit"]).sum() == 24
    before = out.read_bytes()
    run(*words)
    assert out.read_bytes() == before
    run(*words, "--seed", 1)
    assert out.read_bytes() != before


def test_score_against_normal_tracks(run, folder, runs, tmp_path):

    out, walks = tmp_path / "s.csv", read_tracks(folder / "walks.csv")
    save_tracks(
        vrnn.Tracks([x * (30 if i % 2 else 1) for i, x in enumerate(walks.x)]), tmp_path / "odd.csv"
    )
    words = ["score", runs["vrnn"], tmp_path / "odd.csv", "--out", out, "--particles", 10]
    normal = ["--calibration", folder / "walks.csv"]
    text = run(*words, *normal, "--false-alarms", 0.05, "--plot", tmp_path / "s.png")
    table = np.genfromtxt(out, delimiter=",", names=True)
    assert table.dtype.names == ("id", "rows", "score", "p_value", "unusual")
    assert (table["unusual"] == (table["p_value"] <= 0.05)).all() and table["unusual"][1::2].all()
    above = int(table["unusual"].sum())
    assert f"0.05 false alarms among 24 calibration tracks: {above} of 24 tracks above it: " in text
    assert f" and {above - 10} more" in text and text.count(", ") < 25
    highest = str(int(table["id"][np.argmax(table["score"])]))
    assert text.partition("above it: ")[2].startswith(f"{highest}, ")
    assert (tmp_path / "s.png").stat().st_size > 1000
    text = run(*words, *normal)  # no share was asked for, and the usual one takes more tracks
    assert "no threshold: 0.01 false alarms take 99 calibration tracks, found 24" in text
    assert "unusual" not in np.genfromtxt(out, delimiter=",", names=True).dtype.names


def test_score_says_which_tracks_have_none(run, folder, runs, tmp_path):
    data = tmp_path / "d.csv"
    data.write_text((folder / "walks.csv").read_text() + "lone,0,1,1\n")
    assert "scores of 25 tracks, 1 of them without a scored row: minus" in run(
        "score", runs["vrnn"], data, "--out", tmp_path / "s.csv", "--particles", 5
    )


QUICK = ["--samples", 8, "--particles", 20]


@pytest.mark.parametrize("ending", ["csv", "npz", "parquet"])
def test_impute(run, folder, runs, tmp_path, ending):
    out, plot = tmp_path / f"i.{ending}", tmp_path / "i.png"
    text = run(
        "impute",
        runs["vrnn"],
        folder / "holed.csv",
        "--out",
        out,
        "--samples",
        8,
        "--particles",
        500,
        "--plot",
        plot,
    )
    assert text.splitlines() == [
        f"{out}: 5 missing points of 2 tracks filled by the mean of 8 paths, with intervals that hold 0.9 of them",
        "2 rows left empty: nothing is drawn before the first point of a track",
        f"{plot}: picture of the first of them",
    ]
    assert plot.stat().st_size > 1000
    if ending != "csv":
        return
    table = np.genfromtxt(out, delimiter=",", names=True)
    assert table.dtype.names == (
        "id",
        "t",
        "x",
        "y",
        "x_low",
        "y_low",
        "x_high",
        "y_high",
        "imputed",
    )
    holed, filled = read_tracks(folder / "holed.csv"), read_tracks(out)
    for before, after in zip(holed.x, filled.x, strict=True):
        assert np.array_equal(before[np.isfinite(before)], after[np.isfinite(before)])
    wide, narrow = table["x_high"] - table["x_low"], tmp_path / "n.csv"
    run(
        "impute",
        runs["vrnn"],
        folder / "holed.csv",
        "--out",
        narrow,
        "--samples",
        8,
        "--particles",
        500,
        "--interval",
        0.2,
    )
    narrow = np.genfromtxt(narrow, delimiter=",", names=True)
    assert (wide - (narrow["x_high"] - narrow["x_low"]))[table["imputed"] == 1].min() >= 0


def test_impute_calibrated_by_hidden_points(run, fails, folder, runs, tmp_path):
    walks = vrnn.Crossroads().sample(12, seed=3)
    for x in walks.x:
        x[5:7] = np.nan
    save_tracks(walks, data := tmp_path / "holed.csv")
    words = [
        "impute",
        runs["rnn"],
        data,
        "--samples",
        10,
        "--particles",
        20,
        "--out",
        tmp_path / "filled.csv",
    ]
    assert "times as far from their mean as the model has them" in run(*words, "--calibrate")
    assert "expected at least 20 such rows, found 2" in fails(
        *words[:2], folder / "holed.csv", *words[3:], "--calibrate"
    )


def test_impute_says_where_few_paths_differ(run, folder, runs, tmp_path):
    words = [
        "impute",
        runs["vrnn"],
        folder / "holed.csv",
        "--out",
        tmp_path / "f.csv",
        "--samples",
        20,
    ]
    poor = run(*words, "--particles", 2)
    assert (
        "somewhere fewer than 25% of the paths differ" in poor
        and "raise --particles above 2" in poor
    )
    assert "paths differ" not in run(*words, "--particles", 1000)


def test_impute_names_gaps_in_time(run, folder, runs, tmp_path):
    out = tmp_path / "i.csv"
    words = ["impute", runs["vrnn"], folder / "skipped.csv", "--out", out, *QUICK]
    assert run(*words, "--plot", tmp_path / "i.png").splitlines() == [
        f"{out}: nothing is missing in 3 tracks",
        "1 gap in time has no rows to fill: --insert-rows puts them in",
        f"{tmp_path / 'i.png'}: not written, as nothing was filled",
    ]
    assert len(read_tracks(out).x[0]) == 6
    assert "2 missing points of 1 track filled" in run(*words, "--insert-rows")
    table = np.genfromtxt(out, delimiter=",", names=True)
    assert table["imputed"].tolist() == [0, 0, 1, 1, *[0] * 20] and table["t"][:8].tolist() == list(
        range(8)
    )
    text = run("impute", runs["vrnn"], folder / "walks.csv", "--out", out, *QUICK)
    assert text == f"{out}: nothing is missing in 24 tracks\n"


@pytest.mark.parametrize("bound", ["fivo", "iwae", "elbo"])
def test_likelihood(run, folder, runs, bound):
    words = ["likelihood", runs["vrnn"], folder / "walks.csv", "--bound", bound, "--samples", 5]
    found = json.loads(run(*words, "--json"))
    assert (found["bound"], found["samples"], found["repeats"]) == (bound, 5, 3)
    assert (found["tracks"], found["rows"], found["of"]) == (
        24,
        456,
        "log p(track | its first point)",
    )
    text = run(*words)
    assert (
        f"{found['log_likelihood']:.4f} +- {found['standard_error']:.4f} nats per scored row, in data units"
        in text
    )
    assert f"lower bound of log p(track | its first point): {bound.upper()}" in text
    assert json.loads(run(*words, "--json", "--repeats", 1))["standard_error"] is None
    assert (
        json.loads(run(*words, "--json", "--seed", 1))["log_likelihood"] != found["log_likelihood"]
    )


@pytest.mark.parametrize("name", [*MODELS])
def test_new_verbs_of_every_model(run, folder, runs, tmp_path, name):
    data = folder / ("speed.csv" if name in ("supervised", "inputs") else "walks.csv")
    found = json.loads(run("likelihood", runs[name], data, "--samples", 3, "--json"))
    assert np.isfinite(found["log_likelihood"])
    run("score", runs[name], data, "--out", tmp_path / "s.csv", "--particles", 3)
    scores = np.genfromtxt(tmp_path / "s.csv", delimiter=",", names=True)
    assert set(scores["rows"]) == {found["rows"] // 24}
    if name != "rollout":
        run("impute", runs[name], data, "--out", tmp_path / "i.csv", *QUICK)


# archives with several sets


def test_validation_on_another_set_of_the_archive(run, folder, tmp_path):
    data, small = (
        folder / "chorales.npz",
        [*SMALL, "--emission", "bernoulli", "--format", "piano-roll"],
    )
    words = ["train", "vrnn", data, *small, "--group", "train", "--out"]
    test = read_tracks(data, group="test", format="piano-roll")
    text = run(*words, tmp_path / "a", "--val", data, "--val-group", "test")
    assert run(*words, tmp_path / "b", "--val-group", "test").replace("/b", "/a") == text
    best = max(
        r["val_bound"] for r in read_metrics(tmp_path / "a" / "metrics.jsonl") if "val_bound" in r
    )
    same = vrnn.train(
        load(tmp_path / "a").config,
        read_tracks(data, group="train", format="piano-roll"),
        load(tmp_path / "a").training,
        val=test,
        quiet=True,
    )
    assert max(r["val_bound"] for r in same.history if "val_bound" in r) == pytest.approx(best)


@pytest.mark.parametrize("val", [[], ["--val-group", "test"]])
def test_commands_to_go_on_with_run_as_printed(run, folder, tmp_path, monkeypatch, val):
    """Of binary keys: no distance is suggested, and the set and the format are told again."""
    data = folder / "chorales.npz"
    flags = ["--group", "train", *val, "--format", "piano-roll", "--emission", "bernoulli"]
    text = run("train", "vrnn", data, "--out", tmp_path / "run", *SMALL, *flags)
    commands = [shlex.split(line)[1:] for line in text.splitlines() if line.startswith("  vrnn ")]
    assert [c[0] for c in commands] == ["likelihood", "forecast", "score", "generate"]
    assert all(["--group", "test" if val else "train"] == c[3:5] for c in commands[:3])
    monkeypatch.chdir(tmp_path)
    for command in commands:
        run(*command)


@pytest.mark.parametrize("name", ["vrnn", "supervised", "inputs", "rollout"])
def test_commands_of_every_model_run_as_printed(run, folder, runs, tmp_path, monkeypatch, name):
    from vrnn.cli.data import ColumnFlags
    from vrnn.cli.summary import summary

    data = folder / ("speed.csv" if name in ("supervised", "inputs") else "walks.csv")
    model = load(runs[name])
    text = summary(
        model, [], read_tracks(folder / "walks.csv"), data, ColumnFlags(), runs[name], False
    )
    commands = [shlex.split(line)[1:] for line in text.splitlines() if line.startswith("  vrnn ")]
    assert len(commands) >= 2
    monkeypatch.chdir(tmp_path)
    for command in commands:
        run(*command)


def test_calibration_from_another_set_of_the_archive(run, folder, tmp_path):
    data, out = folder / "chorales.npz", tmp_path / "run"
    flags = ["--format", "piano-roll", "--group"]
    run("train", "rnn", data, "--out", out, *(f for f in SMALL if f not in ("--latent-dim", "3")), "--emission",
        "bernoulli", *flags, "train")  # fmt: skip
    words = [
        "score",
        out,
        data,
        "--out",
        tmp_path / "s.csv",
        "--particles",
        5,
        "--false-alarms",
        0.1,
    ]
    words += [*flags, "test"]
    text = run(*words, "--calibration-group", "train")
    assert "among 12 calibration tracks" in text
    assert text == run(*words, "--calibration", data, "--calibration-group", "train")
    assert text != run(*words, "--calibration", data)  # against themselves


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
    run(
        "train",
        "vrnn",
        ships,
        "--out",
        out,
        "--id",
        "mmsi",
        "--t",
        "when",
        "--x",
        "lon",
        "lat",
        *SMALL,
    )
    assert run("evaluate", out, ships, "--json") == run(
        "evaluate", out, ships, "--json", "--id", "mmsi", "--t", "when", "--x", "lon", "lat"
    )
    run("evaluate", out, folder / "walks.csv")  # has none of those names, so the usual ones
    fleet = tmp_path / "fleet"
    fleet.mkdir()
    (fleet / "a.csv").write_text(ships.read_text())
    assert json.loads(run("evaluate", out, fleet, "--json"))["windows"] == 24
    assert "'nobody' for id" in fails("evaluate", out, ships, "--id", "nobody")
