"""The pages that promise code which runs."""

import numpy as np
import pytest
import torch
from tests.helpers.pages import code_blocks, module_of, register_toy

import vrnn
from vrnn.data.synthetic import ConstantVelocityWalk


def test_own_training_loop_in_25_lines(capsys):
    (code,) = code_blocks("tutorials/own-training-loop.md")
    assert len(code.splitlines()) <= 25
    scope: dict = {}
    with torch.random.fork_rng(devices=[]):
        exec(code, scope)
    printed = float(capsys.readouterr().out.split()[2])
    assert printed == pytest.approx(float(scope["bound"]), abs=0.01)
    moves = np.diff(np.stack(ConstantVelocityWalk().sample(500, steps=20, seed=0).x), axis=1)
    independent = -np.log(moves.std((0, 1)) * np.sqrt(2 * np.pi * np.e)).sum()
    assert printed > independent + 1  # far better than steps that know nothing of each other


def test_model_of_the_page_in_a_loop_of_ones_own():
    module = module_of("how-to/add-a-model.md", "vrnn.models.toy")
    blocks = code_blocks("how-to/add-a-model.md")
    scope = {"Toy": module.Toy, "ToyConfig": module.ToyConfig, "vrnn": vrnn, "torch": torch}
    exec(blocks[1], scope)
    scope["loss"].backward()
    assert all(p.grad is not None for p in scope["net"].parameters())


def test_model_of_the_page_is_trained_and_used_by_every_task(monkeypatch, tmp_path):
    """One entry in the registry is enough for runs, forecasts, filters and filled gaps."""
    register_toy(monkeypatch)
    config = module_of("how-to/add-a-model.md", "vrnn.models.toy").ToyConfig
    tracks = ConstantVelocityWalk().sample(40, steps=12, seed=0)
    training = vrnn.TrainConfig(steps=10, observe=6)
    vrnn.train(
        tracks, out=tmp_path / "run", config=config(2, hidden=8), training=training, quiet=True
    )
    model = vrnn.load(tmp_path / "run")
    futures = vrnn.forecast(tracks.cut(stop=6), model=model, horizon=3, samples=4, seed=0)
    assert np.isfinite(futures.mean[0]).all()
    assert np.isfinite(vrnn.likelihood(tracks, model=model, samples=4, repeats=2).per_row)
    holes = vrnn.Tracks([np.where(np.arange(12)[:, None] == 5, np.nan, x) for x in tracks.x])
    filled = vrnn.impute(holes, model=model, samples=4)
    assert np.isfinite(filled.mean[0]).all()
