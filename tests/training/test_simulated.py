"""Simulated tracks beside real ones in training."""

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from tests.helpers.few import few
from tests.helpers.small_runs import walks

import vrnn
from vrnn.inference.random_numbers import Stream, seeded
from vrnn.training.assemble import noise_of
from vrnn.training.objective import Work, make_objective
from vrnn.training.prepare import prepare
from vrnn.training.shipped import shipped
from vrnn.training.simulated import COUNT_AS, ROWS, WORST, SimulatedTracks, moves_of
from vrnn.training.trainer import Trainer


def lengths(count: int, rows: int = ROWS) -> np.ndarray:
    return np.full(count, rows)


def test_simulated_tracks_count_as_so_many_real_ones():
    ten, many = (SimulatedTracks(lengths(n), 64, 0) for n in (COUNT_AS, 10_000))
    assert ten.share == 0.5 and ten.count == 32
    assert many.share == pytest.approx(0.001, rel=0.01) and many.count == 1
    short, long = (SimulatedTracks(lengths(COUNT_AS, rows), 64, 0) for rows in (9, 10 * ROWS))
    assert short.share == 0.5  # a short track counts as one
    assert long.share == pytest.approx(1 / 11) and long.count == 1


def test_simulated_tracks_depend_on_seed_and_step_alone():
    one, other = (SimulatedTracks(lengths(30), 16, 0) for _ in range(2))
    for step in (40, 3, 41):
        assert torch.equal(one.batch(step).x, other.batch(step).x)
    assert one.batch(0).x.shape == (4, ROWS - 1, 2)
    assert not torch.equal(one.batch(0).x, one.batch(1).x)
    assert not torch.equal(one.batch(0).x, SimulatedTracks(lengths(30), 16, 1).batch(0).x)


@pytest.mark.parametrize("objective", few(["fivo", "elbo", "iwae"]))
@pytest.mark.parametrize("rows", few([60, 9], 2))
def test_every_objective_takes_short_and_long_tracks_with_gaps(objective, rows):
    tracks = walks(20, rows)  # with gaps
    assert any(np.isnan(x).any() for x in tracks.x)
    samples = 1 if objective == "elbo" else 3
    settings = vrnn.TrainConfig(steps=2, batch_size=8, objective=objective, samples=samples)
    run = vrnn.train(tracks, start="tracks-2d", training=settings, quiet=True)
    assert np.isfinite(run.history[-1]["val_bound"])


def test_copies_at_other_rates_do_not_count():
    settings = vrnn.TrainConfig(augment=vrnn.AugmentConfig(rates=(0.5, 1.0)))
    plain, copied = (
        prepare(None, walks(20), s, None, shipped("tracks-2d")).simulated
        for s in (vrnn.TrainConfig(), settings)
    )
    assert copied.share == pytest.approx(plain.share, rel=0.05)


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
    share = COUNT_AS / (COUNT_AS + len(prepared.train))
    expected = (1 - share) * real.nll.sum() / real.rows.sum()
    usual = torch.where(beside.nll < WORST * beside.rows, beside.nll, 0.0)
    expected += share * usual.sum() / beside.rows.sum()
    assert float(usual.sum()) != 0 and prepared.simulated.share == pytest.approx(share)
    record = trainer._train_step(0)
    assert record["loss"] == pytest.approx(float(expected), rel=1e-4)
    assert record["nll"] == pytest.approx(float(real.nll.sum() / real.rows.sum()), rel=1e-4)
