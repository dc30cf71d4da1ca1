"""The filtering bound: the log of a particle filter's estimate of the likelihood."""

from jaxtyping import Float
from torch import Tensor

from vrnn.inference.particle_filter import Filtered


def fivo(filtered: Filtered) -> Float[Tensor, " batch"]:
    """Compute the bound of a particle filter with N particles on log p of each sequence.

    L_N = E[ sum_t log p^_N(x_t | x_{<t}) ],   E[ prod_t p^_N(x_t | x_{<t}) ] = p(x_{1:T})

    Its gradient through the drawn latents and weights leaves out how the choice of ancestors depends on the
    parameters, as published; `resampling_term` has that part.

    Source: Maddison et al. 2017, arXiv:1705.09279, eq. 5.
    """
    return filtered.log_prob.sum(-1)


def resampling_term(filtered: Filtered) -> Float[Tensor, " batch"]:
    """Give a value of 0 whose gradient is what resampling adds to that of the bound.

    sum_t ( sum_{s >= t} log p^(x_s | x_{<s}) ) d log P(ancestors of t): unbiased for multinomial resampling, and of high
    variance, which is why it is left out by default.

    Source: Maddison et al. 2017, arXiv:1705.09279, section 3.2.
    """
    later = filtered.log_prob.detach().flip(-1).cumsum(-1).flip(-1)
    term = (filtered.log_choice * later).sum(-1)
    return term - term.detach()
