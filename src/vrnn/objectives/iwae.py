"""The importance-weighted bound: the log of a mean of weights in place of the mean of their logs."""

import math

from jaxtyping import Float
from torch import Tensor

from vrnn.inference.unroll import Unrolled


def iwae(log_weight: Float[Tensor, "sample *batch"]) -> Float[Tensor, "*batch"]:
    """Compute the K-sample importance-weighted bound, K the length of the first axis.

    L_K = E[ log 1/K sum_k w_k ],   w_k = p(x, z_k) / q(z_k | x)

    L_1 is the evidence lower bound with its KL sampled; L_K rises in K towards log p(x).

    Source: Burda et al. 2016, arXiv:1509.00519, eq. 8.

    >>> import torch
    >>> iwae(torch.tensor([1.0, 3.0]).log()).exp()
    tensor(2.)
    """
    return log_weight.logsumexp(0) - math.log(len(log_weight))


def log_weights(
    unrolled: Unrolled, *, ratio_weight: float = 1.0, start: int = 0, ratio_start: int = 0
) -> Float[Tensor, "sample batch"]:
    """Give the log-weight of each sample of a pass over the rows that count.

    Args:
        ratio_weight: factor on log p(z) - log q(z); below 1 in the warm-up of training only.
        start, ratio_start: first rows whose log p(x_t | s_t), and whose log p(z_t) - log q(z_t), count.
    """
    ratio = unrolled.log_ratio[..., ratio_start:].sum(-1) + unrolled.code_log_ratio
    return unrolled.log_prob[..., start:].sum(-1) + ratio_weight * ratio
