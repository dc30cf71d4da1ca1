"""`vrnn encode` on good data."""

import numpy as np


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
