"""`vrnn encode` on good data."""

import numpy as np
from tests.cli.conftest import SMALL


def test_encode(run, folder, runs, tmp_path):
    run("encode", folder / "walks.csv", "--model", runs["rollout"], "--out", tmp_path / "track.csv")
    run("encode", folder / "walks.csv", "--model", runs["seq2seq"], "--out", tmp_path / "point.csv")
    track, point = (
        np.genfromtxt(tmp_path / f"{n}.csv", delimiter=",", names=True) for n in ("track", "point")
    )
    assert track.dtype.names == ("id", "mean0", "mean1", "mean2", "scale0", "scale1", "scale2")
    assert len(track) == 24
    assert len(point) == 24 * 19
    assert "step" in point.dtype.names


def test_probabilities_of_categories_are_columns(run, folder, tmp_path):
    data, out = folder / "walks.csv", tmp_path / "run"
    run("train", data, "--out", out, SMALL, "--latent", "categorical(3)")
    run("encode", data, "--model", out, "--out", tmp_path / "codes.csv")
    codes = np.genfromtxt(tmp_path / "codes.csv", delimiter=",", names=True)
    names = ("probability0", "probability1", "probability2")
    assert codes.dtype.names == ("id", "step", *names)
    np.testing.assert_allclose(sum(codes[name] for name in names), 1, rtol=1e-5)
