"""Simulated tracks beside real ones in training."""

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from tests.helpers.small_runs import walks

import vrnn
from vrnn.inference.noise import Stream, seeded
from vrnn.training.assemble import noise_of
from vrnn.training.objective import Work, make_objective
from vrnn.training.prepare import prepare
from vrnn.training.shipped import shipped
from vrnn.training.simulated import COUNT_AS, ROWS, SimulatedTracks, moves_of
from vrnn.training.trainer import Trainer


def test_simulated_tracks_count_as_so_many_real_ones():
    ten, many = SimulatedTracks(COUNT_AS, 64, 0), SimulatedTracks(10_000, 64, 0)
    assert ten.weight == 1 and ten.count == 32
    assert many.weight == pytest.approx(0.001) and many.count == 1


def test_simulated_tracks_depend_on_seed_and_step_alone():
    one, other = SimulatedTracks(30, 16, 0), SimulatedTracks(30, 16, 0)
    for step in (40, 3, 41):
        assert torch.equal(one.batch(step).x, other.batch(step).x)
    assert one.batch(0).x.shape == (4, ROWS - 1, 2)
    assert not torch.equal(one.batch(0).x, one.batch(1).x)
    assert not torch.equal(one.batch(0).x, SimulatedTracks(30, 16, 1).batch(0).x)


def test_moves_are_differences():
    x = np.array([[[0.0, 0.0], [1.0, 2.0], [4.0, 2.0]]])
    assert moves_of(x).x.tolist() == [[[1.0, 2.0], [3.0, 0.0]]]


def test_the_loss_is_the_weighted_sum_of_two_means():
    """The loss of a step equals that of its two parts, computed apart."""
    model, settings = shipped("tracks-2d"), vrnn.TrainConfig(steps=1, batch_size=8, warmup=0)
    prepared = prepare(None, walks(20), settings, None, model)
    trainer = Trainer(prepared, Accelerator(), None, None)
    objective = make_objective(prepared.trained, settings)
    with torch.no_grad():
        work, _, names = trainer._batch(0)
        real = objective(work.sequences(slice(len(names))), 0)
        batch = prepared.simulated.batch(0)
        noise = noise_of(objective, batch, 1, seeded(0, Stream.TRAIN_SIMULATED, 0))
        beside = objective(Work(None, batch, noise, None), 0)
    weight = COUNT_AS / len(prepared.train)
    expected = real.nll.sum() / real.rows.sum() + weight * beside.nll.sum() / beside.rows.sum()
    assert float(beside.nll.sum()) != 0 and prepared.simulated.weight == pytest.approx(weight)
    record = trainer._train_step(0)
    assert record["loss"] == pytest.approx(float(expected), rel=1e-4)
    assert record["nll"] == pytest.approx(float(real.nll.sum() / real.rows.sum()), rel=1e-4)
