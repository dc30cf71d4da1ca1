"""The evidence lower bound."""

import torch

from vrnn.data.batch import Batch
from vrnn.inference.embed import Embedded
from vrnn.inference.noise import Noise
from vrnn.inference.step import Belief
from vrnn.inference.unroll import unroll
from vrnn.models.contract import Model
from vrnn.objectives.bound import Bound, BoundConfig, first_of_kl, prepare
from vrnn.objectives.terms import ElboTerms, elbo_terms, loss_terms


def elbo(
    model: Model,
    batch: Batch,
    noise: Noise | None = None,
    config: BoundConfig = BoundConfig(),  # noqa: B008 (frozen)
    *,
    samples: int = 1,
    generator: torch.Generator | None = None,
    prefix: Batch | None = None,
    embedded: Embedded | None = None,
    start: Belief | None = None,
) -> Bound:
    """Return the evidence lower bound of each sequence, the mean over samples.

    L = E_q[ sum_t ( log p(x_t | s_t) - KL(q_t || p_t) ) ] - KL(q(z_0) || p(z_0)) <= log p(x)

    Args:
        noise: standard normals, see `draw_noise`; drawn here when None.
        config: see `BoundConfig`.
        samples, generator: of the noise drawn here; torch's default generator when None.
        prefix: what is given before the batch, for a model that reads a prefix.
        embedded: what `embed` returns, when it is there already.
        start: the belief to go on from; the model's initial state when None.

    Example:
        >>> import torch, vrnn
        >>> net = vrnn.VRNN(vrnn.VRNNConfig(x_dim=2, hidden=8))
        >>> batch = vrnn.Batch.of(torch.randn(5, 20, 2))
        >>> loss = -vrnn.elbo(net, batch).bound.mean()
        >>> loss.backward()
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
    found = elbo_terms(model, unrolled)
    terms = ElboTerms(found.log_prob[..., first:], found.kl.after(first, kl_first))
    nll, penalty = loss_terms(
        terms,
        unrolled.mask[:, kl_first:],
        kl_weight=config.kl_weight,
        free_bits=config.free_bits,
        regulariser_weight=config.regulariser_weight,
    )
    return Bound(terms.bound.mean(0), nll.mean(0), penalty.mean(0), terms.kl, unrolled)
