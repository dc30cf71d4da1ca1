"""The mutual information between a latent and the data, from posteriors and draws of them."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.distributions import LatentDistribution
from vrnn.distributions.tree import tree_map

MIXED = 1024  # posteriors, at most, whose mean density stands for q(z)
DENSITIES = 1 << 22  # densities that are computed together, times the width of the latent


class Posteriors(NamedTuple):
    """Posteriors of some latents, and a draw from each.

    Attributes:
        q: what is not listed, over (n, rest).
        z: a draw from each, (n, rest).
        listed: log-probabilities of the listed values, (n, values); of width 0 where none are.
    """

    q: LatentDistribution
    z: Float[Tensor, "n rest"]
    listed: Float[Tensor, "n values"]


def mutual_information(given: Posteriors) -> tuple[float, float]:
    """Return the mutual information between a latent and the data, and its upper limit, in nats.

    I = E[ log q(z | x) - log q(z) ],   q(z) the mean of the given posteriors q(z | x_j)

    Of categories that are listed it is exact, H(mean of q) - mean of H(q), at most log K. Of
    everything else it is estimated together, by samples, against M posteriors at a time:

        mean over i of log q(z_i | x_i) - log (1/M) sum_j q(z_i | x_j),   i among the j

    The sum includes i itself. That makes it a lower bound in expectation, at most log M, with small
    variance. Without i it would be an upper bound of large variance. The two parts are added,
    so information that both of them hold counts twice.

    Source: Hoffman and Johnson 2016, "ELBO surgery"; Poole et al. 2019, arXiv:1905.06922, eq. 12.

    >>> from vrnn.distributions import Gaussian
    >>> sure = torch.eye(4).log().clamp(min=-100.0)
    >>> nothing = torch.zeros(4, 0)
    >>> information, limit = mutual_information(Posteriors(Gaussian(0)(nothing), nothing, sure))
    >>> round(information, 4), round(limit, 4), round(math.log(4), 4)
    (1.3863, 1.3863, 1.3863)
    """
    information, limit, count = 0.0, 0.0, len(given.z)
    if given.listed.shape[-1] and count:
        p = given.listed.double().log_softmax(-1)
        mean = p.logsumexp(0) - math.log(count)
        each = (p.exp() * p.clamp(min=-1e300)).sum(-1).mean()
        information += float(each - (mean.exp() * mean.clamp(min=-1e300)).sum())
        limit += math.log(min(given.listed.shape[-1], count))
    if given.z.shape[-1] and count:
        order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
        blocks = order.to(given.z.device).tensor_split(-(-count // MIXED))
        information += sum(_against_all(given, block) for block in blocks) / count
        limit += math.log(max(map(len, blocks)))
    return information, limit


def _against_all(given: Posteriors, index: Tensor) -> float:
    """Return the sum over i of log q(z_i | x_i) - log of the mean over j of q(z_i | x_j)."""
    q, z = tree_map(lambda t: t[index].double(), (given.q, given.z))
    rows = max(1, DENSITIES // (len(index) * z.shape[-1]))
    mean = [q.log_prob(part[:, None]).logsumexp(-1) for part in z.split(rows)]
    return float((q.log_prob(z) - torch.cat(mean) + math.log(len(index))).sum())
