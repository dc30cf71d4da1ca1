"""What training says at its end, and the commands that it names."""

import shlex

import pytest
from tests.cli.conftest import SHORT

from vrnn import read_tracks
from vrnn.training.run_folder import load
from vrnn.training.trackers import read_metrics


def test_train_says_what_came_out(run, folder, tmp_path):
    data, out = folder / "walks.csv", tmp_path / "run"
    text = run("train", data, "--arch", "vrnn", "--out", out, "--plot", tmp_path / "c.png", SHORT)
    best = max(r["val_bound"] for r in read_metrics(out / "metrics.jsonl") if "val_bound" in r)
    assert f"{best:.4f} nats per step, in data units" in text
    assert "lower bound (ELBO) of log p(track | its first point)" in text
    assert "latents        " in text and "nats a step carried by Gaussians" in text
    assert "with latents from the prior the likelihood falls by " in text
    assert f"vrnn evaluate {data} --model {out} --observe 8 --horizon 12" in text
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
            for n in ("dmm", "srnn", "storn", "rssm")
        ),
    ],
)
def test_the_number_is_named(name, words, runs):
    from vrnn.cli.summary import bound_name

    assert bound_name(load(runs[name])).startswith(words)


@pytest.mark.parametrize("val", [[], ["--val-group", "test"]])
def test_commands_to_go_on_with_run_as_printed(run, folder, tmp_path, monkeypatch, val):
    """Of binary keys: no distance is suggested, and the set and the format are told again."""
    data = folder / "chorales.npz"
    flags = ["--group", "train", *val, "--format", "piano-roll", "--emission", "bernoulli"]
    text = run("train", data, "--arch", "vrnn", "--out", tmp_path / "run", SHORT, *flags)
    commands = [shlex.split(line)[1:] for line in text.splitlines() if line.startswith("  vrnn ")]
    assert [c[0] for c in commands] == ["likelihood", "forecast", "score", "generate"]
    assert all(["--group", "test" if val else "train"] == c[2:4] for c in commands[:3])
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
