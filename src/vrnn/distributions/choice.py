"""A discrete choice as a function of one standard normal."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def choose(
    logits: Float[Tensor, "*#lead classes"], normal: Float[Tensor, "*#lead"]
) -> Int[Tensor, "*#lead"]:
    """Invert the distribution function of softmax(logits) at u = Phi(normal).

    Returns the first class whose cumulative weight exceeds u. In floating point u can be 0 or 1 and the sum
    of the weights is not quite 1: u is scaled to that sum and kept below it, so no weight of 0 is chosen.

    >>> import torch
    >>> choose(torch.tensor([-torch.inf, 0.0, 0.0, -torch.inf]), torch.tensor([-40.0, -0.1, 0.1, 40.0]))
    tensor([1, 1, 2, 2])
    """
    cumulative = logits.softmax(-1).cumsum(-1)
    total = cumulative[..., -1]
    u = torch.minimum(torch.special.ndtr(normal) * total, total.nextafter(torch.zeros_like(total)))
    return (cumulative <= u[..., None]).sum(-1)
