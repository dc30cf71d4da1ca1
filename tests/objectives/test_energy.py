"""The energy score of futures: against the metric, by finite differences, and where sequences are cut."""

import pytest
import torch
from tests.models.settings import CONFIGS, build, each, make_case

import vrnn
from vrnn.data.batch import Batch
from vrnn.inference.random_numbers import seeded
from vrnn.inference.rollout import condition, rollout
from vrnn.metrics.scores import energy_score
from vrnn.models.registry import make_model
from vrnn.objectives.energy import cut_at, cut_future, draw_future, energy_loss, positions
from vrnn.ops.backend import backend

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
    """Step by step, of what the model draws by itself from the same noise.

    After a gap the position counts from where it was seen last.
    """
    model, is_increment, scale = (
        walker(),
        torch.tensor([True, True]),
        torch.tensor([2.0, 0.5]).double(),
    )
    batch = Batch.of(
        tracks_with_gaps(), length=torch.tensor([9, 9, 8, 9, 4]), is_increment=is_increment
    )
    future = cut_future(model, batch, seeded(2), samples=6, steps=4, observe=4)
    with backend("reference"):
        score = energy_loss(model, future, scale)
        belief = condition(model, future.prefix, future.past)
        drawn = rollout(model, belief, future.rest.u, future.ahead).x
    assert bool((belief.pending[:, 0] != 0).any())  # the first track is cut within its gap
    for i in range(5):
        for t in range(future.rest.x.shape[1]):
            if not bool(future.rest.present[i, t].all()):
                assert score[i, t] == 0
                continue
            way = (belief.pending[:, i] + drawn[:, i, : t + 1].sum(1)) / (t + 1)
            truth = future.rest.x[i, : t + 1].sum(0) / (t + 1)
            expected = energy_score((way * scale).numpy()[:, None], (truth * scale).numpy()[None])
            assert float(score[i, t]) == pytest.approx(float(expected[0]), abs=1e-5)


@torch.no_grad()
def test_columns_that_are_no_increments_count_as_they_are():
    model = walker()
    batch = Batch.of(tracks_with_gaps())
    future = cut_future(model, batch, seeded(2), samples=4, steps=20, observe=2)
    belief = condition(model, future.prefix, future.past)
    drawn = rollout(model, belief, future.rest.u, future.ahead).x
    expected = energy_score(drawn[:, 3, 5:6].numpy(), future.rest.x[3, 5:6].numpy())
    assert float(energy_loss(model, future)[3, 5]) == pytest.approx(float(expected[0]), abs=1e-5)


def test_cuts_are_within_the_sequences_and_everywhere():
    model = walker()
    batch = Batch.of(torch.zeros(400, 7, 2).double(), length=torch.tensor([7, 4] * 200))
    future = cut_future(model, batch, seeded(0), samples=2, steps=3)
    cuts = future.prefix.length
    assert sorted(cuts[::2].unique().tolist()) == [1, 2, 3, 4, 5, 6]
    assert sorted(cuts[1::2].unique().tolist()) == [1, 2, 3]
    assert torch.equal(future.rest.length, (batch.length - cuts).clamp(max=3))
    assert future.rest.x.shape[1] == 3 and future.ahead.latent.shape[:3] == (2, 400, 3)


def test_part_of_the_sequences_scores_as_in_the_whole():
    model = walker()
    future = cut_future(model, Batch.of(tracks_with_gaps()), seeded(2), samples=3, steps=4)
    whole = energy_loss(model, future)
    torch.testing.assert_close(energy_loss(model, future.sequences(slice(1, 3))), whole[1:3])


@pytest.mark.parametrize("name", each(CONFIGS))
def test_every_model_can_be_scored_and_gets_gradients_where_its_draws_have_them(name):
    model = build(CONFIGS[name])
    prefix, batch, _ = make_case(model, CONFIGS[name])
    if prefix is None:
        future = cut_future(model, batch, seeded(1), samples=3, steps=6)
    else:
        future = draw_future(model, prefix, batch, seeded(1), samples=3)
    score = energy_loss(model, future)
    assert torch.equal(score != 0, future.scored) and bool(score.isfinite().all())
    if any(model.observation.continuous):
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
    future = cut_future(model, Batch.of(x), seeded(2), samples=3, steps=4)
    scale = torch.tensor(model.observation.continuous).double()
    loss = lambda: energy_loss(model, future, scale).sum()  # noqa: E731
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
        chooses = torch.zeros(model.observation.size, dtype=torch.bool)
        chooses[:count] = True
        chooses[chooses.numel() - (dim - 2) :] = True
        assert torch.equal(output == 0, chooses)


@torch.no_grad()
def test_a_batch_without_a_future_scores_nothing():
    model = walker()
    future = cut_future(
        model, Batch.of(tracks_with_gaps()), seeded(0), samples=2, steps=4, observe=9
    )
    assert energy_loss(model, future).shape == (5, 0)


def test_positions_sum_up_increments_from_what_was_pending():
    x = torch.tensor([[[1.0, 5.0], [2.0, 6.0], [4.0, 7.0]]])
    before = torch.tensor([[10.0, 100.0]])
    found = positions(x, before, torch.tensor([True, False]))
    assert found[0, :, 0].tolist() == [11.0, 13.0, 17.0] and torch.equal(found[..., 1], x[..., 1])


def test_cuts_take_the_noise_of_no_other_draw():
    """The same generator cuts the same, however many samples are drawn afterwards."""
    batch = Batch.of(tracks_with_gaps())
    prefix, rest = cut_at(batch, seeded(3), steps=4, observe=None)
    for samples in (2, 5):
        future = cut_future(walker(), batch, seeded(3), samples=samples, steps=4)
        assert torch.equal(future.prefix.length, prefix.length)
        assert torch.equal(future.rest.x, rest.x)
        assert future.ahead.latent.shape[0] == samples


@torch.no_grad()
def test_the_score_is_fair():
    """Its mean over many pairs of draws is the score of very many draws: no bias from their number."""
    model = walker()
    batch = Batch.of(torch.randn(1, 5, 2, generator=seeded(1)).double())
    whole = cut_future(model, batch, seeded(1), samples=4000, steps=2, observe=3)
    exact = energy_loss(model, whole)
    belief = condition(model, whole.prefix, whole.past)
    drawn = rollout(model, belief, whole.rest.u, whole.ahead).x
    pairs = drawn.view(2000, 2, *drawn.shape[1:])
    norm = lambda d: (d.square().sum(-1) + 1e-6).sqrt()  # noqa: E731
    truth = whole.rest.x
    each = norm(pairs - truth).mean(1) - norm(pairs[:, 0] - pairs[:, 1]) / 2
    error = each.std(0) / 2000**0.5
    assert bool(((each.mean(0) - exact).abs() < 4.5 * error).all())
