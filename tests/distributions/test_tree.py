"""The map over trees of tensors: what it reaches, what it keeps, and what it refuses."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from vrnn.distributions import DiagonalGaussian, Gaussian, Nade, Product, tree_map
from vrnn.distributions.tree import tensors_of


class Inner(NamedTuple):
    """A part of a tree, with something that is no tensor."""

    value: Tensor
    name: str


class Outer(NamedTuple):
    """A tree with a tree, a plain tuple and None in it."""

    inner: Inner
    pair: tuple[Tensor, Tensor]
    nothing: Tensor | None


def tree(shift: float = 0.0) -> Outer:
    one = torch.ones(2, 3) + shift
    return Outer(Inner(one, "a"), (2 * one, 3 * one), None)


def test_types_stay_and_tensors_change():
    found = tree_map(lambda t: t[:1] + 1, tree())
    assert isinstance(found, Outer) and isinstance(found.inner, Inner)
    assert type(found.pair) is tuple
    assert [float(t.max()) for t in tensors_of(found)] == [2.0, 3.0, 4.0]
    assert all(t.shape == (1, 3) for t in tensors_of(found))
    assert found.inner.name == "a" and found.nothing is None


def test_a_tensor_is_a_tree():
    assert torch.equal(tree_map(torch.neg, torch.ones(2)), -torch.ones(2))


def test_several_trees_are_mapped_together():
    """What is no tensor comes from the first."""
    other = tree(10.0)
    other = other._replace(inner=other.inner._replace(name="b"))
    found = tree_map(lambda a, b: b - a, tree(), other)
    assert [float(t.max()) for t in tensors_of(found)] == [10.0, 20.0, 30.0]
    assert found.inner.name == "a"


def test_trees_of_other_forms_are_refused():
    with pytest.raises(ValueError, match="zip"):
        tree_map(lambda a, b: a, (torch.ones(1), torch.ones(1)), (torch.ones(1),))


def test_tensors_are_in_order():
    x = tree()
    assert [t is u for t, u in zip(tensors_of(x), (x.inner.value, *x.pair), strict=True)] == [
        True
    ] * 3
    assert tensors_of("a") == [] and tensors_of(()) == []


def test_distributions_are_trees():
    """Widths of a product and the weights of a family pass through as they are."""
    product = Product((Gaussian(2), Gaussian(1)))(torch.randn(4, 6))
    found = tree_map(lambda t: t[:2], product)
    assert found.dims == (2, 1) and found.noise_sizes == (2, 1)
    assert isinstance(found.parts[0], DiagonalGaussian) and found.mean.shape == (2, 3)
    family = Nade(3, 2)
    assert tree_map(lambda t: t[:2], family(torch.randn(4, 5))).family is family
