"""One map over the tensors of states, distributions and beliefs, which are NamedTuples of tensors."""

from collections.abc import Callable
from typing import Any

from torch import Tensor


def tree_map(function: Callable[..., Tensor], *trees: Any) -> Any:
    """Apply a function to the tensors of one or more trees of the same form.

    A tree is a tensor, or a NamedTuple or tuple of trees. Everything else, such as a family of
    weights or a width, is taken from the first tree as it is.

    >>> import torch
    >>> from vrnn.distributions import DiagonalGaussian
    >>> q = DiagonalGaussian(torch.zeros(3, 1), torch.ones(3, 1))
    >>> tree_map(lambda t: t[:2], q).mean.shape
    torch.Size([2, 1])
    """
    first = trees[0]
    if isinstance(first, Tensor):
        return function(*trees)
    if isinstance(first, tuple):
        parts = [tree_map(function, *each) for each in zip(*trees, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)
    return first


def tensors_of(tree: Any) -> list[Tensor]:
    """Return the tensors of a tree, in order."""
    found: list[Tensor] = []
    tree_map(lambda t: found.append(t) or t, tree)
    return found
