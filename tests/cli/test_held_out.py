"""The table, the verdict and the picture at the end of a training."""

import numpy as np
import pytest

import vrnn
from vrnn.cli.held_out import PICTURE, held_out_table
from vrnn.data.windows import windows


@pytest.fixture(scope="module")
def straight():
    """Return tracks that constant velocity forecasts without error."""
    speed = np.random.default_rng(0).normal(size=(24, 1, 2))
    return vrnn.Tracks(list(np.arange(24.0)[None, :, None] * speed))


def test_a_better_baseline_is_named_and_a_picture_is_drawn(straight, tmp_path):
    config, training = vrnn.RNNConfig(2, hidden=4), vrnn.TrainConfig(steps=1)
    run = vrnn.train(straight, config=config, training=training, quiet=True)
    lines = held_out_table(run.model, straight, tmp_path)
    rows = {line[15:33].strip(): line[33:].split() for line in lines[2:-1]}
    assert set(rows) == {
        "this run",
        "constant velocity",
        "random walk",
        "Kalman filter",
        "tracks-2d",
    }
    assert float(rows["constant velocity"][2]) == pytest.approx(0, abs=1e-6)
    assert float(rows["this run"][2]) > 0.1
    assert "has the lowest energy score, lower than this run" in lines[-1]
    assert (tmp_path / PICTURE).stat().st_size > 10_000
    found = vrnn.evaluate(windows(straight, 20), model=run.model)
    assert float(rows["this run"][2]) == pytest.approx(found.model.energy_score, rel=1e-3)


def test_what_has_no_forecasts_has_no_table(tmp_path):
    notes = vrnn.Tracks([np.eye(8, 3).repeat(2, 0)] * 12)
    run = vrnn.train(
        notes,
        config=vrnn.RNNConfig(3, hidden=4, emission="bernoulli"),
        training=vrnn.TrainConfig(steps=1),
        quiet=True,
    )
    assert held_out_table(run.model, notes, tmp_path) == []
    assert not (tmp_path / PICTURE).exists()


def test_all_rows_have_the_unit_of_the_run(tmp_path):
    random = np.random.default_rng(0)
    walks = [50 + 0.01 * random.normal(size=(24, 2)).cumsum(0) for _ in range(12)]
    tracks = vrnn.Tracks(walks, x_names=("lat", "lon"))
    energies = {}
    for unit in ("nmi", "km"):
        training = vrnn.TrainConfig(steps=1, transform=vrnn.TransformConfig(geographic=unit))
        config = vrnn.RNNConfig(2, hidden=4)
        run = vrnn.train(tracks, config=config, training=training, quiet=True)
        lines = held_out_table(run.model, tracks, tmp_path)
        assert f"in {unit}" in lines[0]
        rows = {line[15:33].strip(): line[33:].split() for line in lines[2:]}
        energies[unit] = [float(rows[name][2]) for name in ("constant velocity", "tracks-2d")]
    ratio = np.array(energies["km"]) / energies["nmi"]
    np.testing.assert_allclose(ratio, 1.852, rtol=0.02)
