"""`vrnn score` on good data, and calibration sets that do not fit."""

import numpy as np
from tests.cli.conftest import WITHOUT_LATENTS

import vrnn
from vrnn import read_tracks
from vrnn.cli.outputs import save_tracks


def test_score(run, folder, runs, tmp_path):
    out, rows = tmp_path / "deep" / "s.csv", tmp_path / "r.npz"
    words = ["score", folder / "walks.csv", "--model", runs["vrnn"], "--particles 10 --out", out]
    text = run(*words, "--rows", rows, "--ranks")
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
    run(*words, "--rows", rows)
    with np.load(rows) as every:
        assert list(every) == ["id", "t", "log_prob"]
    assert out.read_bytes() == before
    run(*words, "--seed", 1)
    assert out.read_bytes() != before


def test_score_against_normal_tracks(run, folder, runs, tmp_path):

    out, walks = tmp_path / "s.csv", read_tracks(folder / "walks.csv")
    save_tracks(
        vrnn.Tracks([x * (30 if i % 2 else 1) for i, x in enumerate(walks.x)]), tmp_path / "odd.csv"
    )
    words = ["score", tmp_path / "odd.csv", "--model", runs["vrnn"], "--out", out, "--particles 10"]
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
        "score", data, "--model", runs["vrnn"], "--out", tmp_path / "s.csv", "--particles 5"
    )


def test_calibration_from_another_set_of_the_archive(run, folder, tmp_path):
    data, out = folder / "chorales.npz", tmp_path / "run"
    flags = "--format piano-roll --group"
    small = f"--arch rnn {WITHOUT_LATENTS} --emission bernoulli"
    run("train", data, "--out", out, small, flags, "train")
    words = ["score", data, "--model", out, "--out", tmp_path / "s.csv", "--particles 5"]
    words += ["--false-alarms 0.1", flags, "test"]
    text = run(*words, "--calibration-group", "train")
    assert "among 12 calibration tracks" in text
    assert text == run(*words, "--calibration", data, "--calibration-group", "train")
    assert text != run(*words, "--calibration", data)  # against themselves


def test_calibration_that_does_not_fit(folder, tmp_path, runs, fails):
    words = ["score", folder / "walks.csv", "--model", runs["vrnn"]]
    words += ["--out", tmp_path / "s.csv", "--calibration"]
    assert "does not exist" in fails(*words, tmp_path / "none.csv")
    assert "at least 99 calibration tracks for --false-alarms 0.01, found 24" in fails(
        *words, folder / "walks.csv", "--false-alarms 0.01"
    )
    short = tmp_path / "short.csv"
    short.write_text("id,t,x,y\n" + "".join(f"{i},0,1,{i}\n" for i in range(20)))
    assert "calibration tracks with a scored row" in fails(*words, short)
