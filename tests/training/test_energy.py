"""Training on the energy score of futures: what it needs, what it scores, and that it helps."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import vrnn
from vrnn.errors import ConfigError
from vrnn.inference.random_numbers import seeded
from vrnn.inference.rollout import condition, rollout
from vrnn.objectives.energy import cut_future, energy_loss
from vrnn.training.objective import make_objective
from vrnn.training.prepare import prepare


def test_training_on_futures_needs_a_continuous_column():
    tracks = vrnn.Tracks([np.zeros((6, 2))] * 3)
    settings = vrnn.TrainConfig(energy_weight=1.0)
    config = vrnn.VRNNConfig(2, hidden=4, emission="bernoulli")
    with pytest.raises(ConfigError, match="an emission with a continuous column, found none"):
        vrnn.train(tracks, config=config, training=settings, quiet=True)


def test_kinds_are_drawn_and_not_scored():
    """In training: the scale of their columns is 0, so that a score is the same whatever they are."""
    random = np.random.default_rng(0)
    tracks = vrnn.Tracks(
        [np.c_[random.normal(size=(8, 2)).cumsum(0), random.integers(0, 2, 8)] for _ in range(20)],
        x_names=("x", "y", "kind"),
    )
    config = vrnn.VRNNConfig(3, hidden=4, emission="mixture(2):2+bernoulli:1")
    settings = vrnn.TrainConfig(steps=4, batch_size=4, energy_weight=1.0, energy_from=0.0)
    prepared = prepare(config, tracks, settings, None)
    objective = make_objective(prepared.trained, settings)
    assert [bool(s > 0) for s in objective.scale] == [True, True, False]
    batch, _ = prepared.trained.preprocessor.batch(prepared.train)
    future = cut_future(prepared.trained.network, batch, seeded(0), samples=3, steps=4)
    score = objective.score(future)[0]
    other = future._replace(
        rest=future.rest._replace(x=future.rest.x * torch.tensor([1.0, 1.0, 7.0]))
    )
    torch.testing.assert_close(objective.score(other)[0], score)
    belief = condition(prepared.trained.network, future.prefix, future.past)
    kinds = rollout(prepared.trained.network, belief, future.rest.u, future.ahead).x[..., 2]
    assert sorted(kinds.unique().tolist()) == [0.0, 1.0]
    record = vrnn.train(tracks, config=config, training=settings, quiet=True).history[-1]
    assert math.isfinite(record["score"]) and record["score"] != 0


@pytest.mark.slow
def test_training_on_futures_makes_them_better():
    """A Gaussian is the wrong law of the single step here: straight walks, seen with a few glitches."""
    random = np.random.default_rng(0)

    def made(count: int) -> vrnn.Tracks:
        velocity, glitch = random.normal(size=(count, 1, 2)), random.random((count, 24, 1)) < 0.1
        noise = random.normal(size=(count, 24, 2)) * np.where(glitch, 15.0, 0.15)
        return vrnn.Tracks([*(velocity * np.arange(24)[:, None] + noise)])

    train, held_out = made(150), made(60)
    without = vrnn.TrainConfig(
        steps=260, batch_size=32, learning_rate=5e-3, observe=12, validate_every=130
    )
    scores = []
    for settings in (without, replace(without, energy_weight=20.0)):
        model = vrnn.train(
            train, config=vrnn.RNNConfig(2, hidden=8), training=settings, val=held_out, quiet=True
        ).model
        batch, _ = model.preprocessor.batch(held_out)
        future = cut_future(model.network, batch, seeded(9), samples=16, steps=12, observe=11)
        with torch.no_grad():
            scores.append(float(energy_loss(model.network, future).mean()))
    assert scores[1] < 0.97 * scores[0]


WAYS = {
    "random-cut": (vrnn.VRNNConfig(2, hidden=5), {}),
    "late": (vrnn.VRNNConfig(2, hidden=5), {"observe": 12}),
    "heading": (
        vrnn.VRNNConfig(2, hidden=5),
        {"observe": 5, "transform": vrnn.TransformConfig(heading=True)},
    ),
    "place": (vrnn.VRNNConfig(2, hidden=5), {"position_input": True}),
    "positions": (
        vrnn.VRNNConfig(2, hidden=5),
        {"transform": vrnn.TransformConfig(displacement=False)},
    ),
    "iwae": (vrnn.VRNNConfig(2, hidden=5), {"objective": "iwae", "samples": 2}),
    "fivo": (vrnn.VRNNConfig(2, hidden=5), {"objective": "fivo", "samples": 2}),
    "rollout": (vrnn.RolloutVAEConfig(2, hidden=5), {"observe": 3}),
    "autoencoding": (vrnn.RolloutVAEConfig(2, hidden=5, task="autoencoding"), {}),
    "srnn": (vrnn.SRNNConfig(2, hidden=5, emission="student_t"), {}),
    "seq2seq": (vrnn.Seq2SeqVAEConfig(2, hidden=5), {}),
}


@pytest.mark.parametrize("way", WAYS)
def test_tracks_of_all_lengths_are_trained_on(way):
    """Batches without any future, of tracks shorter than the rows before it, among them."""
    config, more = WAYS[way]
    random = np.random.default_rng(0)
    lengths = [2, 3, 5, 6, 30, 31] * 6 if way != "rollout" else [6, 7, 30] * 8
    tracks = vrnn.Tracks([random.normal(size=(n, 2)).cumsum(0) for n in lengths])
    settings = vrnn.TrainConfig(
        steps=12, batch_size=4, energy_weight=1.0, validate_every=6, log_every=1, **more
    )
    history = vrnn.train(tracks, config=config, training=settings, quiet=True).history
    scores = [r["score"] for r in history if "score" in r]
    assert len(scores) == 6 and max(scores) > 0 and all(math.isfinite(s) for s in scores)


def test_data_without_a_future_to_score_is_refused():
    tracks = vrnn.Tracks([np.zeros((6, 2))] * 3)
    with pytest.raises(ConfigError, match="after the first 8 rows of some track, found none"):
        vrnn.train(
            tracks,
            config=vrnn.VRNNConfig(2, hidden=4),
            training=vrnn.TrainConfig(energy_weight=1.0, observe=8),
            quiet=True,
        )


def test_increments_of_all_columns_are_scored_in_the_same_length():
    """Columns that vary by 1 and by 100: model units times their relative scale are lengths of the data over one number."""
    random = np.random.default_rng(0)
    tracks = vrnn.Tracks(
        [(random.normal(size=(30, 2)) * [1.0, 100.0]).cumsum(0) for _ in range(20)]
    )

    def made(**more):
        return prepare(
            vrnn.VRNNConfig(2, hidden=4), tracks, vrnn.TrainConfig(**more), None
        ).trained.preprocessor

    preprocessor = made()
    batch, _ = preprocessor.batch(tracks[:1])
    steps = np.diff(tracks.x[0], axis=0) - np.array(preprocessor.transform.standardise.mean)
    factor = (batch.x[0].numpy() * preprocessor.relative_scale) / steps
    assert factor == pytest.approx(np.full_like(factor, factor[0, 0]), rel=1e-4)
    assert made(transform=vrnn.TransformConfig(displacement=False)).relative_scale.tolist() == [
        1.0,
        1.0,
    ]
