"""Axes as one: per-step methods see (N, width), and results come back where they belong."""

from itertools import permutations
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from vrnn.distributions import DiagonalGaussian, Gaussian, Product, StandardNormal
from vrnn.inference.flat import at_all, flatten, unflatten, where
from vrnn.inference.random_numbers import seeded


class Pair(NamedTuple):
    """A state of two parts."""

    a: Tensor
    b: Tensor


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed)).double()


def test_flatten_puts_the_samples_outside():
    x = draw(5, 3, 2)
    flat = flatten(Pair(x, x[:1]), (5, 3))
    for i in range(5):
        for j in range(3):
            assert torch.equal(flat.a[3 * i + j], x[i, j])
            assert torch.equal(flat.b[3 * i + j], x[0, j])
    assert torch.equal(flatten(x[0], (5, 3)), flat.b)  # without an axis of samples


def test_flatten_of_one_sample_copies_nothing():
    x = draw(3, 2)
    assert flatten(x, (1, 3)) is x
    assert flatten(x[None], (1, 3)).data_ptr() == x.data_ptr()


def test_flatten_of_as_many_samples_as_sequences():
    """A batch (3, 2) of three samples is not mistaken for what is flat already."""
    x = draw(3, 2)
    assert torch.equal(flatten(x, (3, 3)), torch.cat([x, x, x]))


def test_unflatten_is_the_inverse():
    x = Pair(draw(5, 3, 2), draw(5, 3, 0))
    back = unflatten(flatten(x, (5, 3)), (5, 3))
    assert isinstance(back, Pair) and torch.equal(back.a, x.a) and back.b.shape == (5, 3, 0)
    matrix = draw(15, 2, 2)
    assert torch.equal(unflatten(matrix, (5, 3))[2, 1], matrix[7])


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_at_all_follows_the_order_in_memory(order):
    """Whatever the layout, every entry is what the method makes of that entry, and nothing is copied."""
    lead, width = (4, 3, 2), 5
    laid = draw(*(lead[axis] for axis in order), width)
    back = [order.index(axis) for axis in range(3)]
    x = laid.permute(*back, 3)
    assert x.shape == (*lead, width)
    read: list[Tensor] = []

    def method(state: Pair, evidence: Tensor) -> DiagonalGaussian:
        assert state.a.shape == (24, width) and evidence.shape == (24, 1)
        read.append(state.a)
        return DiagonalGaussian(state.a.cumsum(-1) + evidence, state.b.exp())

    evidence = draw(3, 2, 1, seed=1)  # the same for all samples
    found = at_all(method, Pair(x, draw(*lead, 1, seed=2)), evidence, lead=lead)
    assert read[0].data_ptr() == laid.data_ptr()
    torch.testing.assert_close(found.mean, x.cumsum(-1) + evidence)
    torch.testing.assert_close(found.scale, draw(*lead, 1, seed=2).exp())


def test_at_all_broadcasts_to_the_leading_axes():
    shared, own, nothing = draw(1, 3, 1, 2), draw(4, 1, 2, 2, seed=1), draw(4, 3, 2, 0)
    state = (shared, own.expand(4, 3, 2, 2), nothing)
    found = at_all(lambda s: s[0] * s[1] + s[2].sum(), state, lead=(4, 3, 2))
    torch.testing.assert_close(found, shared * own)


def test_at_all_of_tensors_without_an_order():
    """Expanded tensors and widths of 0 tell nothing of the order in memory; the result is the same."""
    shared = draw(3, 2)[None, :, None].expand(4, 3, 5, 2)
    found = at_all(lambda s: s[0] + 1, (shared, draw(4, 3, 5, 0)), lead=(4, 3, 5))
    torch.testing.assert_close(found, shared + 1)


def test_at_all_keeps_axes_behind_and_returns_none_where_the_method_does():
    x = draw(4, 3, 2, 5)
    outer = at_all(lambda s: s[:, :, None] * s[:, None], x, lead=(4, 3, 2))
    torch.testing.assert_close(outer, x[..., None] * x[..., None, :])
    assert at_all(lambda s: None, x, lead=(4, 3, 2)) is None


def test_at_all_of_a_product_keeps_its_widths():
    family = Product((Gaussian(2), StandardNormal(1)))
    raw = draw(4, 3, 2, family.size)
    found = at_all(family, raw, lead=(4, 3, 2))
    assert found.dims == (2, 1) and found.mean.shape == (4, 3, 2, 3)
    torch.testing.assert_close(found.parts[0].mean, raw[..., :2])


@pytest.mark.parametrize("lead", [(0, 3, 2), (4, 3, 0)])
def test_at_all_of_nothing_is_nothing(lead):
    assert at_all(lambda s: s[:, :1], draw(*lead, 5), lead=lead).shape == (*lead, 1)


def test_where_chooses_sequence_by_sequence():
    mask = torch.tensor([True, False, True])
    a, b = draw(5, 3, 2), draw(5, 3, 2, seed=1)
    found = where(mask, Pair(a, a[0]), Pair(b, b[0]))
    for i, kept in enumerate(mask.tolist()):
        assert torch.equal(found.a[:, i], (a if kept else b)[:, i])
        assert torch.equal(found.b[i], (a if kept else b)[0, i])
    mixed = where(mask, a, b[0])  # one side is the same for all samples
    assert torch.equal(mixed[:, 0], a[:, 0]) and torch.equal(mixed[:, 1], b[0, 1].expand(5, 2))
