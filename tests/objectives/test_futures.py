"""The score of futures: against the metric, a linear process with a known law, and what training makes of it."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.models.settings import CONFIGS, build, make_case

import vrnn
from vrnn.data.batch import make_batch
from vrnn.distributions import parse_emission
from vrnn.errors import ConfigError
from vrnn.inference.begin import begin
from vrnn.inference.noise import seeded
from vrnn.inference.rollout import imagine
from vrnn.metrics.scores import energy_score
from vrnn.models import make_model
from vrnn.objectives.futures import cut_future, draw_future, futures_score
from vrnn.training.objective import make_objective
from vrnn.training.prepare import prepare

NAN = float("nan")


def tracks_with_gaps(batch: int = 5, time: int = 9, dim: int = 2) -> torch.Tensor:
    x = torch.randn(batch, time, dim, generator=seeded(1), dtype=torch.float64)
    x[0, 3:5] = NAN
    x[1, 6] = NAN
    return x


def walker() -> torch.nn.Module:
    torch.manual_seed(0)
    return make_model(vrnn.VRNNConfig(2, hidden=6, latent_dim=3)).double()


@torch.no_grad()
def test_score_is_the_metric_of_the_positions_on_the_way():
    """Row by row, of what the model draws by itself from the same noise; after a gap the position counts from where it was seen last."""
    model, is_increment, scale = (
        walker(),
        torch.tensor([True, True]),
        torch.tensor([2.0, 0.5]).double(),
    )
    batch = make_batch(
        tracks_with_gaps(), length=torch.tensor([9, 9, 8, 9, 4]), is_increment=is_increment
    )
    future = cut_future(model, batch, seeded(2), samples=6, rows=4, observe=4)
    score = futures_score(model, future, scale, kernel="plain")
    belief = begin(model, future.prefix, future.past, kernel="plain")
    drawn = imagine(model, belief, future.rest.u, future.ahead).x
    assert bool((belief.gap[:, 0] != 0).any())  # the first track is cut within its gap
    for i in range(5):
        for t in range(future.rest.x.shape[1]):
            if not bool(future.rest.present[i, t].all()):
                assert score[i, t] == 0
                continue
            way = (belief.gap[:, i] + drawn[:, i, : t + 1].sum(1)) / (t + 1)
            truth = future.rest.x[i, : t + 1].sum(0) / (t + 1)
            expected = energy_score((way * scale).numpy()[:, None], (truth * scale).numpy()[None])
            assert float(score[i, t]) == pytest.approx(float(expected[0]), abs=1e-5)


@torch.no_grad()
def test_columns_that_are_no_increments_count_as_they_are():
    model = walker()
    batch = make_batch(tracks_with_gaps())
    future = cut_future(model, batch, seeded(2), samples=4, rows=20, observe=2)
    belief = begin(model, future.prefix, future.past)
    drawn = imagine(model, belief, future.rest.u, future.ahead).x
    expected = energy_score(drawn[:, 3, 5:6].numpy(), future.rest.x[3, 5:6].numpy())
    assert float(futures_score(model, future)[3, 5]) == pytest.approx(float(expected[0]), abs=1e-5)


def test_cuts_are_within_the_sequences_and_everywhere():
    model = walker()
    batch = make_batch(torch.zeros(400, 7, 2).double(), length=torch.tensor([7, 4] * 200))
    future = cut_future(model, batch, seeded(0), samples=2, rows=3)
    cuts = future.prefix.length
    assert sorted(cuts[::2].unique().tolist()) == [1, 2, 3, 4, 5, 6]
    assert sorted(cuts[1::2].unique().tolist()) == [1, 2, 3]
    assert torch.equal(future.rest.length, (batch.length - cuts).clamp(max=3))
    assert future.rest.x.shape[1] == 3 and future.ahead.latent.shape[:3] == (2, 400, 3)


def test_part_of_the_sequences_scores_as_in_the_whole():
    model = walker()
    future = cut_future(model, make_batch(tracks_with_gaps()), seeded(2), samples=3, rows=4)
    whole = futures_score(model, future)
    torch.testing.assert_close(futures_score(model, future.rows(slice(1, 3))), whole[1:3])


@pytest.mark.parametrize("name", CONFIGS)
def test_every_model_can_be_scored_and_gets_gradients_where_its_draws_have_them(name):
    model = build(CONFIGS[name])
    prefix, batch, _ = make_case(model, CONFIGS[name])
    if prefix is None:
        future = cut_future(model, batch, seeded(1), samples=3, rows=6)
    else:
        future = draw_future(model, prefix, batch, seeded(1), samples=3)
    score = futures_score(model, future)
    assert torch.equal(score != 0, future.scored) and bool(score.isfinite().all())
    if any(model.family.continuous):
        score.sum().backward()
        moved = [p for p in model.parameters() if p.grad is not None and bool((p.grad != 0).any())]
        assert moved and all(bool(p.grad.isfinite().all()) for p in moved)


@pytest.mark.parametrize(
    "emission", ["gaussian", "full_gaussian", "mixture(3)", "mixture(2):2+bernoulli:1"]
)
def test_gradient_is_that_of_finite_differences(emission):
    """Of draws that choose the same component, and the same kind, on both sides."""
    torch.manual_seed(0)
    dim = 3 if "+" in emission else 2
    model = make_model(vrnn.VRNNConfig(dim, hidden=6, latent_dim=3, emission=emission)).double()
    x = tracks_with_gaps(dim=dim)
    x[..., 2:] = torch.where(x[..., 2:].isnan(), x[..., 2:], (x[..., 2:] > 0).double())
    future = cut_future(model, make_batch(x), seeded(2), samples=3, rows=4)
    scale = torch.tensor(model.family.continuous).double()
    loss = lambda: futures_score(model, future, scale).sum()  # noqa: E731
    loss().backward()
    moved = 0
    for parameter in model.parameters():
        if parameter.grad is None or not bool((parameter.grad != 0).any()):
            continue
        at = int(parameter.grad.abs().argmax())
        with torch.no_grad():
            values = []
            for step in (1e-5, -1e-5):
                parameter.view(-1)[at] += step
                values.append(float(loss()))
                parameter.view(-1)[at] -= step
        found = float(parameter.grad.view(-1)[at])
        moved += 1
        assert (values[0] - values[1]) / 2e-5 == pytest.approx(found, rel=1e-4, abs=1e-7)
    assert moved > 10
    if (
        "mixture" in emission
    ):  # what chooses has none: the logits of components, which come first, and of a kind, which come last
        output = model.head[-1].weight.grad.abs().sum(-1)
        count = int(emission[len("mixture(")])
        chooses = torch.zeros(model.family.size, dtype=torch.bool)
        chooses[:count] = True
        chooses[chooses.numel() - (dim - 2) :] = True
        assert torch.equal(output == 0, chooses)


@pytest.mark.parametrize(
    ("emission", "expected"),
    [
        ("gaussian", True),
        ("full_gaussian", True),
        ("student_t", True),
        ("mixture(2)", False),
        ("gaussian:1+student_t:1", True),
        ("gaussian:1+bernoulli:1", False),
    ],
)
def test_families_say_whether_their_draws_are_differentiable(emission, expected):
    """Where they say so, the gradient of a mean over draws is that of the expectation; here of E|x|^2."""
    family = (
        parse_emission(emission, 2).double() if "+" in emission else parse_emission(emission, 2)
    )
    assert family.reparameterised is expected
    if not expected:
        return
    raw = torch.full((family.size,), 0.7, dtype=torch.float64, requires_grad=True)
    noise = torch.randn(200_000, family.noise_size, generator=seeded(0), dtype=torch.float64)
    square = (
        family(raw).sample(noise).square().sum(-1).clamp(max=100.0)
    )  # heavy tails have no variance
    square.mean().backward()
    fresh = torch.randn(200_000, family.noise_size, generator=seeded(1), dtype=torch.float64)
    with torch.no_grad():
        for i in range(family.size):
            step = torch.zeros_like(raw)
            step[i] = 0.05
            up, down = (
                family(raw + s).sample(fresh).square().sum(-1).clamp(max=100.0)
                for s in (step, -step)
            )
            difference = (up - down) / 0.1
            error = 4.5 * float(difference.std()) / math.sqrt(200_000)
            assert float(difference.mean()) == pytest.approx(
                float(raw.grad[i]), abs=2 * error + 1e-2
            )


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
    future = cut_future(prepared.trained.network, batch, seeded(0), samples=3, rows=4)
    score = objective.score(future)[0]
    other = future._replace(
        rest=future.rest._replace(x=future.rest.x * torch.tensor([1.0, 1.0, 7.0]))
    )
    torch.testing.assert_close(objective.score(other)[0], score)
    belief = begin(prepared.trained.network, future.prefix, future.past)
    kinds = imagine(prepared.trained.network, belief, future.rest.u, future.ahead).x[..., 2]
    assert sorted(kinds.unique().tolist()) == [0.0, 1.0]
    record = vrnn.train(tracks, config=config, training=settings, quiet=True).history[-1]
    assert math.isfinite(record["score"]) and record["score"] != 0


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
        future = cut_future(model.network, batch, seeded(9), samples=16, rows=12, observe=11)
        with torch.no_grad():
            scores.append(float(futures_score(model.network, future).mean()))
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
