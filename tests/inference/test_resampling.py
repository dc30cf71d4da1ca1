"""Resampling: ancestors drawn by weight, effective size and weights by their definition."""

import math

import numpy as np
import pytest
import scipy.stats
import torch

from vrnn.inference.random_numbers import seeded
from vrnn.inference.resampling import (
    draw_ancestors,
    effective_size,
    normalize_weights,
    resample,
    take,
)
from vrnn.inference.step import Belief


@pytest.mark.parametrize("scheme", ["systematic", "multinomial"])
def test_ancestors_are_drawn_by_weight(scheme):
    weight = torch.tensor([[0.1, 0.25], [0.2, 0.25], [0.3, 0.25], [0.4, 0.25]]).double()
    counts = torch.zeros(4, 2)
    runs = 4000
    for i in range(runs):
        normals = torch.randn(4, 2, generator=seeded(i)).double()
        ancestor = draw_ancestors(weight.log(), normals, scheme)
        counts += torch.nn.functional.one_hot(ancestor, 4).sum(0).T
        if scheme == "systematic":
            each = torch.nn.functional.one_hot(ancestor, 4).sum(0).T
            assert bool(((each - 4 * weight).abs() < 1 + 1e-9).all())
    torch.testing.assert_close((counts / (4 * runs)).double(), weight, atol=0.02, rtol=0)


@pytest.mark.parametrize("scheme", ["systematic", "multinomial"])
@pytest.mark.parametrize("drawn", [None, 3, 9])
def test_ancestors_are_where_the_cumulative_weights_pass_a_point(scheme, drawn):
    """The points are (i + u) / N with one u, or N uniform numbers; weights need not add up to 1."""
    weight = torch.rand(6, 4, generator=seeded(0)).double()
    normals = torch.randn(drawn or 6, 4, generator=seeded(1)).double()
    found = draw_ancestors(weight.log(), normals, scheme, drawn).numpy()
    uniform = scipy.stats.norm.cdf(normals.numpy())
    if scheme == "systematic":
        uniform = (np.arange(len(uniform))[:, None] + uniform[0]) / len(uniform)
    for column in range(4):
        cumulative = np.cumsum(weight[:, column].numpy())
        points = uniform[:, column] * cumulative[-1]
        assert found[:, column].tolist() == np.searchsorted(cumulative, points, "right").tolist()


@pytest.mark.parametrize("scheme", ["systematic", "multinomial"])
def test_no_particle_without_weight_is_drawn(scheme):
    """Not even where the uniform number rounds to 0 or to 1."""
    weight = torch.tensor([0.0, 0.5, 0.5, 0.0]).log()[:, None]
    for normal in (-40.0, 0.0, 40.0):
        ancestor = draw_ancestors(weight, torch.full((4, 1), normal), scheme)
        assert bool(((ancestor == 1) | (ancestor == 2)).all())


def test_more_or_fewer_may_be_drawn_than_there_are():
    weight = torch.full((3, 2), -math.log(3))
    normals = torch.randn(7, 2, generator=seeded(0))
    assert draw_ancestors(weight, normals, "multinomial", 7).shape == (7, 2)
    assert draw_ancestors(weight, normals[:1], "systematic", 1).shape == (1, 2)


def test_effective_size_and_weights():
    equal = torch.full((5, 1), -math.log(5))
    assert float(effective_size(equal)) == pytest.approx(5, rel=1e-6)
    assert float(effective_size(torch.tensor([[0.0], [-torch.inf]]))) == pytest.approx(1)
    log_prob, log_weight = normalize_weights(equal, torch.full((5, 1), -torch.inf))
    assert float(log_prob) == -math.inf
    torch.testing.assert_close(log_weight, equal)


def test_weights_are_normalized_by_their_sum():
    weight = torch.rand(6, 3, generator=seeded(0)).double()
    weight, gain = weight / weight.sum(0), torch.rand(6, 3, generator=seeded(1)).double()
    log_prob, after = normalize_weights(weight.log(), gain.log())
    torch.testing.assert_close(log_prob.exp(), (weight * gain).sum(0))
    torch.testing.assert_close(after.exp(), weight * gain / (weight * gain).sum(0))
    alone, one = normalize_weights(torch.zeros(1, 3).double(), gain[:1].log())
    assert torch.equal(alone, gain[0].log()) and not one.any()


def particles(weight: torch.Tensor) -> Belief:
    """Return a belief whose states tell which particle they are."""
    count, size = weight.shape
    own = torch.arange(count, dtype=weight.dtype)[:, None, None].expand(count, size, 1)
    return Belief((own, 10 * own.expand(count, size, 2)), own.clone(), weight.log())


def test_only_sequences_of_low_effective_size_are_resampled():
    """The choice is of whole particles; those that are drawn have equal weights."""
    weight = torch.tensor([[0.97, 0.25, 0.97], [0.01] * 3, [0.01] * 3, [0.01] * 3])
    weight[:, 1] = 0.25
    belief, normals = particles(weight), torch.randn(4, 3, generator=seeded(0))
    alive = torch.tensor([True, True, False])
    moved, ancestor, choice = resample(belief, normals, 0.5, "multinomial", alive)
    assert ancestor[:, 1].tolist() == ancestor[:, 2].tolist() == [0, 1, 2, 3]
    assert (ancestor[:, 0] == 0).sum() >= 2
    for part in (moved.state[0], moved.state[1] / 10, moved.pending):
        assert torch.equal(part, ancestor[..., None].expand(part.shape).to(part))
    torch.testing.assert_close(moved.log_weight[:, 0], torch.full((4,), -math.log(4)))
    assert torch.equal(moved.log_weight[:, 1:], belief.log_weight[:, 1:])
    expected = belief.log_weight[:, 0][ancestor[:, 0]].sum()
    torch.testing.assert_close(choice, torch.stack([expected, expected * 0, expected * 0]))


def test_nothing_is_resampled_without_need():
    belief, normals = particles(torch.full((4, 2), 0.25)), torch.zeros(4, 2)
    for found in (resample(belief, normals, 0.9), resample(belief, None, 1.0)):
        assert found[0] is belief and not found[2].any()
    one = particles(torch.ones(1, 2))
    found = resample(one, normals[:1], 1.0)
    assert found[0] is one and found[1].tolist() == [[0, 0]]


def test_the_first_particle_can_be_kept_in_its_place():
    """Its choice is none, so it adds nothing to the log-probability of the choices."""
    weight = torch.tensor([[0.01], [0.97], [0.01], [0.01]])
    belief, normals = particles(weight), torch.randn(4, 1, generator=seeded(1))
    moved, ancestor, choice = resample(belief, normals, 0.9, "multinomial", keep=True)
    assert ancestor[0, 0] == 0 and moved.pending[0, 0] == 0
    torch.testing.assert_close(choice, weight.log()[ancestor[1:, 0]].sum(0))


def test_take_returns_particles_of_each_sequence():
    values = torch.arange(24.0).view(4, 3, 2)
    ancestor = torch.tensor([[3, 0, 1], [0, 0, 2]])
    found = take(values, ancestor)
    for i in range(2):
        for j in range(3):
            assert torch.equal(found[i, j], values[ancestor[i, j], j])
    assert torch.equal(take(values[:1], ancestor), values[:1].expand(2, 3, 2))
