"""The terms that bounds and losses are made of: log-likelihoods and KL divergences."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import Gaussian
from vrnn.inference.particle_filter import Filtered
from vrnn.inference.traits import known_posterior
from vrnn.inference.unroll import Unrolled
from vrnn.models.contract import GlobalLatentModel, Model


class KL(NamedTuple):
    """The KL terms of a pass, in nats of each unit of the latents.

    Where the posterior is the prior there is no KL. What stands in its place is the regulariser,
    the KL to the fixed prior of the family; it is no part of a bound.

    Where the listed values of the latents were gone through, their KL is no term of the bound:

        E_q[log p(x_t | k)] - KL(q || p) = log sum_k p(k) p(x_t | k)

    It says how many nats the categories carry.

    Attributes:
        kl: KL(q_t || p_t), (sample, batch, time, unit); of width 0 where q is p. Of the rest alone
            where listed values were gone through.
        global_kl: of the global latent, (1, batch, unit); likewise.
        regulariser: KL of the latents to the fixed prior where q is p, else of width 0.
        global_regulariser: of the global latent; likewise.
        listed: KL(q_t || p_t) of the listed part where its values were gone through, else of
            width 0.
    """

    kl: Float[Tensor, "sample batch time unit"]
    global_kl: Float[Tensor, "1 batch global"]
    regulariser: Float[Tensor, "sample batch time regularised"]
    global_regulariser: Float[Tensor, "1 batch global_regularised"]
    listed: Float[Tensor, "sample batch time listed"]

    @property
    def regularisation(self) -> Float[Tensor, " batch"]:
        """Return the regulariser of each whole sequence, the mean over samples."""
        return (self.regulariser.sum((-1, -2)) + self.global_regulariser.sum(-1)).mean(0)

    def after(self, start: int, kl_start: int) -> "KL":
        """Return the terms without the first steps: of the regulariser, and of the KL."""
        return self._replace(
            kl=self.kl[..., kl_start:, :],
            regulariser=self.regulariser[..., start:, :],
            listed=self.listed[..., start:, :],
        )


class ElboTerms(NamedTuple):
    """The terms of the ELBO for every sample and sequence, in nats of model units.

    L = E_q[ sum over observed t of ( log p(x_t | s_t) - KL(q_t || p_t) ) ] - KL(q(z_0) || p(z_0))

    It bounds log p(x_observed | u, prefix) from below. Where the posterior is the prior, there is
    no KL and the bound is E_q[log p].

    Attributes:
        log_prob: log p(x_t | s_t), (sample, batch, time).
        kl: the KL terms.
    """

    log_prob: Float[Tensor, "sample batch time"]
    kl: KL

    @property
    def bound(self) -> Float[Tensor, "sample batch"]:
        """Return the bound on log p of each whole sequence."""
        return self.log_prob.sum(-1) - self.kl.kl.sum((-1, -2)) - self.kl.global_kl.sum(-1)


def elbo_terms(model: Model, unrolled: Unrolled) -> ElboTerms:
    """Return the terms of the ELBO of a pass whose latents came from the posterior.

    Source: Chung et al. 2015, eq. 11, with the observed steps alone in the sum.
    """
    return ElboTerms(unrolled.log_prob, kl_terms(model, unrolled))


def kl_terms(model: Model, passed: Unrolled | Filtered) -> KL:
    """Return the KL of each posterior to its prior, or to the fixed prior where it is the prior."""
    posterior, prior, mask = passed.posterior, passed.prior, passed.mask[..., None]
    once = passed.once
    one = posterior is prior
    kl = posterior.kl(model.latent.standard(passed.latent) if one else prior)
    kl = torch.where(mask, kl.expand(*passed.latent.shape[:3], -1), 0.0)
    global_one = once.posterior is once.prior
    against = once.prior
    if global_one:
        here = (
            isinstance(model, GlobalLatentModel) and once.z.shape[-1] > 0
        )  # of width 0 when a pass goes on from a belief
        family = model.global_latent if here else Gaussian(0)
        against = family.standard(once.z[0])
    global_kl = once.posterior.kl(against)[None]
    kept, left = (kl[..., :0], kl) if one else (kl, kl[..., :0])
    listed = kept[..., :0]
    if passed.lists and not one:
        rest = model.latent.rest
        kept, listed = kept.split([rest.units, kept.shape[-1] - rest.units], -1)
        if rest.units and not known_posterior(model).rest:  # the rest is drawn from its prior
            of_rest = posterior.rest.kl(rest.standard(passed.latent))
            left = torch.where(mask, of_rest.expand(*passed.latent.shape[:3], -1), 0.0)
            kept = kept[..., :0]
    global_kept, global_left = (
        (global_kl[..., :0], global_kl) if global_one else (global_kl, global_kl[..., :0])
    )
    return KL(kept, global_kept, left, global_left, listed)


def loss_terms(
    terms: ElboTerms,
    observed: Bool[Tensor, "batch time"],
    *,
    kl_weight: float,
    free_bits: float,
    regulariser_weight: float,
) -> tuple[Float[Tensor, "sample batch"], Float[Tensor, "sample batch"]]:
    """Return what training minimises for each sequence: (minus log-likelihood, penalty).

    The penalty is the weighted KL, and the KL to a fixed prior times `regulariser_weight`.

    Free bits (Kingma et al. 2016, arXiv:1606.04934): at an observed step the KL of a unit counts as
    `free_bits` where it is less, so it has no gradient there. Here that holds for every sequence,
    step and unit on its own. The weight of the KL is below 1 in the warm-up only.
    """
    kl, global_kl = terms.kl.kl, terms.kl.global_kl
    if free_bits:
        kl = torch.where(observed[..., None], kl.clamp(min=free_bits), kl)
        global_kl = global_kl.clamp(min=free_bits)
    regulariser = terms.kl.regulariser.sum((-1, -2)) + terms.kl.global_regulariser.sum(-1)
    penalty = kl.sum((-1, -2)) + global_kl.sum(-1) + regulariser_weight * regulariser
    return -terms.log_prob.sum(-1), kl_weight * penalty


def log_jacobian(batch: Batch) -> Float[Tensor, " batch"]:
    """Return what turns each sequence's log-density from model units into data units."""
    return batch.log_jacobian_per_step.sum(-1)
