"""The demo: its files, and that the VRNN comes to the true process."""

import numpy as np
import pytest
import scipy.stats

import vrnn
from vrnn.cli.demo import categories_at_junction, demo, mutual_information
from vrnn.data.synthetic import Crossroads
from vrnn.errors import RunFolderError


def test_the_demo_writes_its_picture_and_runs_and_replaces_them(tmp_path, capsys):
    for _ in range(2):
        rows = demo(out=tmp_path, steps_factor=0.01)
    assert [r.name for r in rows] == [
        "constant velocity",
        "RNN, eight Gaussians",
        "VRNN, eight categories",
        "true process",
    ]
    assert (tmp_path / "futures.png").stat().st_size > 10_000
    assert {p.name for p in tmp_path.iterdir()} == {"futures.png", "demo-rnn", "demo-vrnn"}
    assert "left / straight / right" in capsys.readouterr().out


@pytest.mark.slow
def test_the_demo_removes_no_run_of_another_model_and_no_other_file(tmp_path):
    demo(out=tmp_path, steps_factor=0.002)
    (tmp_path / "demo-rnn" / "notes.txt").write_text("mine")
    demo(out=tmp_path, steps_factor=0.002)
    assert (tmp_path / "demo-rnn" / "notes.txt").read_text() == "mine"
    tracks = Crossroads().sample(20, 12)
    own, training = tmp_path / "own" / "demo-rnn", vrnn.TrainConfig(steps=1)
    vrnn.train(tracks, config=vrnn.RNNConfig(2, hidden=4), training=training, out=own, quiet=True)
    before = {path.name: path.read_bytes() for path in own.iterdir()}
    with pytest.raises(RunFolderError, match="demo-rnn: holds a run that is not of this demo"):
        demo(out=tmp_path / "own", steps_factor=0.002)
    assert {path.name: path.read_bytes() for path in own.iterdir()} == before


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_vrnn_of_the_demo_comes_to_the_true_process(tmp_path, seed):
    """Energy score within 3 % of the truth's, each share of turns within 5 points.

    The NLL is near the truth's, and the category at the junction tells the turns apart: most of
    the 1.04 nats that there are in the turn.
    """
    _, rnn, model, truth = demo(out=tmp_path, seed=seed)
    assert abs(model.energy / truth.energy - 1) < 0.03
    assert np.abs(model.shares - truth.shares).max() < 0.05
    assert truth.nll < model.nll < min(rnn.nll + 0.01, truth.nll + 0.03)
    world = Crossroads()
    x = np.stack(world.sample(1000, 20, seed=100 + seed).x)
    found = categories_at_junction(world, vrnn.load(tmp_path / "demo-vrnn"), x, seed)
    assert mutual_information(found, world.turn(x)) > 0.8 * 1.04


def test_mutual_information_of_two_columns():
    """By the entropies of the columns and of their pairs."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(3, size=500), rng.integers(4, size=500)
    b = np.where(rng.random(500) < 0.5, a, b)

    def entropy(values: np.ndarray) -> float:
        return float(scipy.stats.entropy(np.unique(values, return_counts=True)[1]))

    expected = entropy(a) + entropy(b) - entropy(10 * a + b)
    assert mutual_information(a, b) == pytest.approx(expected)
    assert mutual_information(a, a) == pytest.approx(entropy(a))
