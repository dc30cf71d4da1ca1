"""Samples, sequences and time steps as one axis: how per-step methods of a model are called."""

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from vrnn.distributions.tree import tree_map


def flatten(tree: Any, lead: tuple[int, int]) -> Any:
    """Return tensors (sample or 1, batch, width) or (batch, width) as (sample * batch, width).

    >>> flatten(torch.zeros(3, 2), (5, 3)).shape
    torch.Size([15, 2])
    """
    samples, batch = lead

    def one(t: Tensor) -> Tensor:
        if t.dim() == 2 and samples == 1 and len(t) == batch:
            return t
        if t.shape[:-1] != lead:
            t = t.expand(samples, batch, t.shape[-1])
        return t.reshape(samples * batch, t.shape[-1])

    return tree_map(one, tree)


def unflatten(tree: Any, lead: tuple[int, ...]) -> Any:
    """Return tensors (sample * batch, ...) as (sample, batch, ...)."""
    return tree_map(lambda t: t.unflatten(0, lead), tree)


def widened(t: Tensor, lead: tuple[int, ...]) -> Tensor:
    """Return a tensor with all the axes of `lead` before its last one.

    Missing axes are put in before they are expanded: the gradient of an axis that `expand` puts in
    is a sum, which copies the tensor even where the axis is of length 1.
    """
    return t[(None,) * (len(lead) + 1 - t.dim())].expand(*lead, t.shape[-1])


def at_all(method: Callable[..., Any], *trees: Any, lead: tuple[int, ...]) -> Any:
    """Call a per-step method on trees (*lead, width) at once, and return its result (*lead, ...).

    Axes are flattened in the order in which they lie in memory, so that nothing is copied that
    need not be.

    Args:
        method: of a model, from trees (N, width) to a tree (N, ...) or None.
        trees: tensors that broadcast to `lead` on all axes but the last.
        lead: such as (sample, batch, time).
    """
    order = list(range(len(lead)))
    wide: list[Tensor] = []
    tree_map(lambda t: wide.append(t) or t, trees)
    for t in wide:
        if t.shape[-1] and t.shape[:-1] == lead and all(t.stride()):
            order.sort(key=lambda axis, t=t: -t.stride(axis))
            break
    count = math.prod(lead)
    back = [0] * len(lead)
    for place, axis in enumerate(order):
        back[axis] = place

    def rows(t: Tensor) -> Tensor:
        width = t.shape[-1]
        return widened(t, lead).permute(*order, len(lead)).reshape(count, width)

    def full(t: Tensor) -> Tensor:
        parts = t.unflatten(0, [lead[axis] for axis in order])
        inner = range(len(lead), parts.dim())
        return parts.permute(*back, *inner)

    found = method(*(tree_map(rows, tree) for tree in trees))
    return None if found is None else tree_map(full, found)


def where(mask: Bool[Tensor, " batch"], a: Any, b: Any) -> Any:
    """Return the tree `a` for sequences where the mask is True, else `b`.

    Tensors are (sample, batch, ...), or (batch, ...) of one axis after it.
    """

    def one(s: Tensor, t: Tensor) -> Tensor:
        behind = max(s.dim(), t.dim()) - (2 if max(s.dim(), t.dim()) > 2 else 1)
        return torch.where(mask.view(-1, *(1,) * behind), s, t)

    return tree_map(one, a, b)
