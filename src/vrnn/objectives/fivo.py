"""The filtering bound: the log of a particle filter's estimate of the likelihood."""

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.inference.embed import Embedded
from vrnn.inference.noise import Noise
from vrnn.inference.particle_filter import FilterConfig, Filtered, particle_filter
from vrnn.inference.step import Belief
from vrnn.models.contract import Model
from vrnn.objectives.bound import Bound, BoundConfig, first_of_kl, prepare
from vrnn.objectives.terms import kl_terms


def fivo(
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
    """Return the bound of a particle filter with N particles on log p of each sequence.

    L_N = E[ sum_t log p^_N(x_t | x_{<t}) ],   E[ prod_t p^_N(x_t | x_{<t}) ] = p(x_{1:T})

    Its gradient goes through the drawn latents and weights. It leaves out how the choice of
    ancestors depends on the parameters, as published; `resampling_term` has that part.

    Args:
        noise: standard normals, see `draw_noise`; drawn here when None.
        config: see `BoundConfig`.
        samples, generator: of the noise drawn here; torch's default generator when None.
        prefix: what is given before the batch, for a model that reads a prefix.
        embedded: what `embed` returns, when it is there already.
        start: the belief to go on from, whose weights count; the initial state when None.

    Source: Maddison et al. 2017, arXiv:1705.09279, eq. 5.

    Example:
        >>> import torch, vrnn
        >>> net = vrnn.VRNN(vrnn.VRNNConfig(x_dim=2, hidden=8))
        >>> vrnn.fivo(net, vrnn.Batch.of(torch.randn(5, 20, 2)), samples=4).bound.shape
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
        resampling=True,
    )
    first = config.first_scored
    settings = FilterConfig(
        threshold=config.resample_below,
        scheme="multinomial" if config.resampling_term else "systematic",
        ratio_weight=config.kl_weight,
        unscored=first,
    )
    filtered = particle_filter(model, batch, noise, settings, embedded=embedded, start=start)
    kl_first = first_of_kl(model, batch, config)
    kl = kl_terms(model, filtered).after(first, kl_first)
    value = filtered.log_prob.sum(-1)
    gain = value + resampling_term(filtered) if config.resampling_term else value
    penalty = config.kl_weight * config.regulariser_weight * kl.regularisation
    return Bound(value, -gain, penalty, kl, filtered)


def resampling_term(filtered: Filtered) -> Float[Tensor, " batch"]:
    """Return a value of 0 whose gradient is what resampling adds to that of the bound.

    sum_t ( sum_{s >= t} log p^(x_s | x_{<s}) ) d log P(ancestors of t)

    It is unbiased for multinomial resampling, and of high variance, so it is left out by default.

    Source: Maddison et al. 2017, arXiv:1705.09279, section 3.2.
    """
    later = filtered.log_prob.detach().flip(-1).cumsum(-1).flip(-1)
    term = (filtered.log_choice * later).sum(-1)
    return term - term.detach()
