"""The demo: its files, and that the VRNN comes to the true process."""

import numpy as np
import pytest

from vrnn.cli.demo import demo


def test_the_demo_writes_its_picture_and_runs_and_replaces_them(tmp_path, capsys):
    for _ in range(2):
        rows = demo(out=tmp_path, steps_factor=0.01)
    assert [r.name for r in rows] == [
        "constant velocity",
        "RNN, one Gaussian",
        "VRNN, three Gaussians",
        "true process",
    ]
    assert (tmp_path / "futures.png").stat().st_size > 10_000
    assert {p.name for p in tmp_path.iterdir()} == {"futures.png", "demo-rnn", "demo-vrnn"}
    assert "left / straight / right" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_vrnn_of_the_demo_comes_to_the_true_process(tmp_path, seed):
    """Energy score within 10 % of the truth's, each share of turns within 5 points."""
    _, _, model, truth = demo(out=tmp_path, seed=seed)
    assert abs(model.energy / truth.energy - 1) < 0.10
    assert np.abs(model.shares - truth.shares).max() < 0.05
