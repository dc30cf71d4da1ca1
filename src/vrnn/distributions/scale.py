"""The one map from a network output to a positive parameter."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

SCALE_FLOOR = 1e-3
"""Least standard deviation, in the model's units. Frames standardise the data, so it is a thousandth of their
spread: below what tracks resolve, and high enough that repeated points cannot drive a density to infinity."""


def positive(raw: Float[Tensor, "..."], floor: float = SCALE_FLOOR) -> Float[Tensor, "..."]:
    """Return `floor + softplus(raw)`, linear for large outputs and never below the floor.

    >>> import torch
    >>> positive(torch.tensor([-1e4, 0.0, 50.0]))
    tensor([1.0000e-03, 6.9415e-01, 5.0001e+01])
    """
    return floor + F.softplus(raw)
