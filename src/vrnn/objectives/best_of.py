"""The distance of the nearest of k paths from the truth: what a mode set is trained for."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class BestOf(NamedTuple):
    """The distances of the nearest of k paths.

    Attributes:
        average: mean distance over the time steps of the path whose mean is least, (batch,).
        final: distance at the last step of the path that ends nearest, (batch,).
        nearest: which path has the least mean distance, (batch,).
    """

    average: Float[Tensor, " batch"]
    final: Float[Tensor, " batch"]
    nearest: Int[Tensor, " batch"]


def best_of_paths(
    paths: Float[Tensor, "k batch time dim"],
    truth: Float[Tensor, "batch time dim"],
    there: Bool[Tensor, "batch time"],
) -> BestOf:
    """Return the distances of the nearest of k paths, with gradients.

    They are what `vrnn.metrics.displacement.best_of` reports:

        average = min_k mean_t || x^k_t - y_t ||,   final = min_k || x^k_T - y_T ||

    over the time steps that are there, T the last of them; 0 where none is. Each minimum sends its
    gradient to its own winner alone.

    Args:
        paths, truth: positions.
        there: time steps of the truth that count.

    Source: Guzman-Rivera, Batra and Kohli 2012, "Multiple choice learning".

    >>> paths = torch.tensor([[0.0, 0.0], [1.0, 3.0]]).view(2, 1, 2, 1)
    >>> best_of_paths(paths, torch.tensor([[[1.0], [1.0]]]), torch.ones(1, 2, dtype=torch.bool)).average.tolist()
    [1.0]
    """
    distance = torch.linalg.vector_norm(torch.where(there[..., None], paths - truth, 0.0), dim=-1)
    average, nearest = (distance.sum(-1) / there.sum(-1).clamp(min=1)).min(0)
    time = torch.arange(there.shape[1], device=there.device)
    last = torch.where(there, time, 0).amax(-1)
    final = distance.gather(-1, last.expand(len(paths), -1)[..., None])[..., 0].amin(0)
    return BestOf(average, final, nearest)
