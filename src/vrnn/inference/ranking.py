"""The rank of an observation among a model's own draws, by the density of the particles."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Ranked(NamedTuple):
    """How the densities of N draws compare with that of an observation.

    Attributes:
        less, ties: how many draws are less likely than the observation, and as likely up to
            rounding, (batch,).
        excess: mean of the draws' log-densities, minus that of the observation, (batch,).
    """

    less: Int[Tensor, " batch"]
    ties: Int[Tensor, " batch"]
    excess: Float[Tensor, " batch"]


def rank_draws(
    density: Float[Tensor, "compared particle batch"], own: Bool[Tensor, "draw particle #batch"]
) -> Ranked:
    """Return how an observation ranks among draws.

    Each draw is compared with it under all particles but the one that made the draw.

    Args:
        density: log of weight times density, of the N draws and, last, of the observation, under
            each particle.
        own: which particle made a draw. With a single particle nothing is left out.

    >>> density = torch.tensor([[[0.1, 0.6]], [[0.3, 0.3]]]).log()
    >>> rank_draws(density, torch.tensor([[[True]]])).less.tolist()
    [1, 0]
    """
    parts = (density[:-1], density[-1:])
    if density.shape[1] > 1:
        parts = tuple(part.masked_fill(own, -torch.inf) for part in parts)
    drawn, seen = (part.logsumexp(1) for part in parts)
    tie = torch.isclose(drawn, seen, rtol=1e-5, atol=1e-6)
    return Ranked(((drawn < seen) & ~tie).sum(0), tie.sum(0), (drawn - seen).mean(0))
