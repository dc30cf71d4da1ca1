"""`vrnn forecast` on good data."""

import numpy as np
import pytest


@pytest.mark.parametrize("ending", ["csv", "parquet", "npz"])
def test_forecast(run, folder, runs, tmp_path, ending):
    out = tmp_path / "deep" / f"f.{ending}"
    words = ["forecast", folder / "prefix.csv", "--model", runs["vrnn"]]
    words.append("--horizon 5 --samples 4 --seed 1 --out")
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


def test_clusters_and_picture(run, folder, runs, tmp_path):
    out, plot = tmp_path / "f.csv", tmp_path / "f.png"
    words = ["forecast", folder / "prefix.csv", "--model", runs["rollout"], "--clusters 2"]
    run(*words, "--out", out, "--plot", plot)
    table = np.genfromtxt(out, delimiter=",", names=True)
    assert len(table) == 3 * 2 * 12
    assert set(table["sample"]) == {0, 1}
    assert plot.stat().st_size > 1000


def test_prefix_samples_and_temperature_reach_the_forecast(run, folder, runs, tmp_path):
    """At no temperature to speak of, paths from one state are one path."""
    out = tmp_path / "f.csv"
    words = ["forecast", folder / "prefix.csv", "--model", runs["vrnn"], "--out", out]
    run(*words, "--samples 5 --prefix-samples 1 --temperature 1e-6")
    x = np.genfromtxt(out, delimiter=",", names=True)["x"].reshape(3, 5, 12)
    assert x.std(1).max() < 1e-3 < x.std(2).min()


def test_inputs_are_held(run, folder, runs, tmp_path):
    words = ["forecast", folder / "speed.csv", "--model", runs["inputs"], "--inputs hold"]
    run(*words, "--out", tmp_path / "f.npz")
    assert np.load(tmp_path / "f.npz")["x"].shape == (24 * 20 * 12,)
