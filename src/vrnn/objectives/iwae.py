"""The importance-weighted bound: the log of a mean of weights, in place of the mean of their logs."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.inference.embed import Embedded
from vrnn.inference.noise import Noise
from vrnn.inference.step import Belief
from vrnn.inference.unroll import Unrolled, unroll
from vrnn.models.contract import Model
from vrnn.objectives.bound import Bound, BoundConfig, first_of_kl, prepare
from vrnn.objectives.terms import kl_terms


def iwae(
    model: Model,
    batch: Batch,
    noise: Noise | None = None,
    config: BoundConfig = BoundConfig(),  # noqa: B008 (frozen)
    *,
    samples: int = 8,
    generator: torch.Generator | None = None,
    prefix: Batch | None = None,
    embedded: Embedded | None = None,
    start: Belief | None = None,
) -> Bound:
    """Return the K-sample importance-weighted bound of each sequence.

    L_K = E[ log 1/K sum_k w_k ],   w_k = p(x, z_k) / q(z_k | x)

    L_1 is the evidence lower bound with its KL sampled. L_K rises in K towards log p(x).

    Args:
        noise: standard normals, see `draw_noise`; drawn here when None.
        config: see `BoundConfig`.
        samples, generator: of the noise drawn here; torch's default generator when None.
        prefix: what is given before the batch, for a model that reads a prefix.
        embedded: what `embed` returns, when it is there already.
        start: the belief to go on from; the model's initial state when None.

    Source: Burda et al. 2016, arXiv:1509.00519, eq. 8.

    Example:
        >>> import torch, vrnn
        >>> net = vrnn.VRNN(vrnn.VRNNConfig(x_dim=2, hidden=8))
        >>> vrnn.iwae(net, vrnn.Batch.of(torch.randn(5, 20, 2)), samples=4).bound.shape
        torch.Size([5])
    """
    noise, embedded = prepare(
        model,
        batch,
        noise,
        samples=samples,
        generator=generator,
        prefix=prefix,
        embedded=embedded,
    )
    unrolled = unroll(model, batch, noise, embedded=embedded, start=start)
    first = config.first_scored
    kl_first = first_of_kl(model, batch, config)
    kl = kl_terms(model, unrolled).after(first, kl_first)
    weighted, value = (
        importance_bound(log_weights(unrolled, ratio_weight=w, start=first, ratio_start=kl_first))
        for w in (config.kl_weight, 1.0)
    )
    penalty = config.kl_weight * config.regulariser_weight * kl.regularisation
    return Bound(value, -weighted, penalty, kl, unrolled)


def importance_bound(log_weight: Float[Tensor, "sample *batch"]) -> Float[Tensor, "*batch"]:
    """Return log 1/K sum_k w_k, K the length of the first axis.

    >>> importance_bound(torch.tensor([1.0, 3.0]).log()).exp()
    tensor(2.)
    """
    return log_weight.logsumexp(0) - math.log(len(log_weight))


def log_weights(
    unrolled: Unrolled, *, ratio_weight: float = 1.0, start: int = 0, ratio_start: int = 0
) -> Float[Tensor, "sample batch"]:
    """Return the log-weight of each sample of a pass over the time steps that count.

    Args:
        ratio_weight: factor on log p(z) - log q(z); below 1 in the warm-up of training only.
        start, ratio_start: first steps whose log p(x_t | s_t), and whose log p(z_t) - log q(z_t),
            count.
    """
    ratio = unrolled.log_ratio[..., ratio_start:].sum(-1) + unrolled.global_log_ratio
    return unrolled.log_prob[..., start:].sum(-1) + ratio_weight * ratio
