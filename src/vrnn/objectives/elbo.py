"""The evidence lower bound, its parts, and the loss that training makes of them."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian
from vrnn.inference.particle_filter import Filtered
from vrnn.inference.unroll import Unrolled
from vrnn.models.contract import Model


class Elbo(NamedTuple):
    """Hold the terms of a bound for every sample and sequence, in nats of model units.

    L = E_q[ sum over observed t of ( log p(x_t | s_t) - KL(q_t || p_t) ) ] - KL(q(code) || p(code))

    bounds log p(x_observed | u, prefix) from below. For a tied model q = p, there is no KL and the bound is E_q[log p]; its
    `regulariser`, the KL to N(0, I), is no part of the bound.

    Attributes:
        log_prob: log p(x_t | s_t), (sample, batch, time).
        kl: KL(q_t || p_t) per latent dimension, (sample, batch, time, latent); width 0 where the model is tied.
        code_kl: KL of the global latent per dimension, (sample or 1, batch, code); likewise.
        regulariser: KL of latents to N(0, I) per dimension where the model is tied, else width 0.
        code_regulariser: KL of the global latent to N(0, I) per dimension; likewise.
    """

    log_prob: Float[Tensor, "sample batch time"]
    kl: Float[Tensor, "sample batch time latent"]
    code_kl: Float[Tensor, "#sample batch code"]
    regulariser: Float[Tensor, "sample batch time regularised"]
    code_regulariser: Float[Tensor, "#sample batch regularised_code"]

    @property
    def bound(self) -> Float[Tensor, "sample batch"]:
        """The bound on log p of each whole sequence."""
        return self.log_prob.sum(-1) - self.kl.sum((-1, -2)) - self.code_kl.sum(-1)


class Kl(NamedTuple):
    """Hold the KL terms of a pass; see `Elbo` for each."""

    kl: Float[Tensor, "sample batch time latent"]
    code_kl: Float[Tensor, "#sample batch code"]
    regulariser: Float[Tensor, "sample batch time regularised"]
    code_regulariser: Float[Tensor, "#sample batch regularised_code"]

    @property
    def regularisation(self) -> Float[Tensor, " batch"]:
        """The regulariser of each whole sequence, mean over samples."""
        return (self.regulariser.sum((-1, -2)) + self.code_regulariser.sum(-1)).mean(0)

    def after(self, start: int, kl_start: int) -> "Kl":
        """Leave out the regulariser of the rows before `start` and the KL of those before `kl_start`."""
        return self._replace(
            kl=self.kl[..., kl_start:, :], regulariser=self.regulariser[..., start:, :]
        )


def elbo(model: Model, unrolled: Unrolled) -> Elbo:
    """Compute the terms of the bound from a pass whose latents came from the posterior.

    Source: Chung et al. 2015, eq. 11, with the observed steps alone in the sum.
    """
    return Elbo(unrolled.log_prob, *kl_terms(model, unrolled))


def kl_terms(model: Model, passed: Unrolled | Filtered) -> Kl:
    """Compute the KL of every step's posterior to its prior, or to N(0, I) where the model is tied."""
    mask = passed.mask[..., None]
    told = slice(0, model.code_dim - model.noise_dim)  # what of the code can tell of the data
    code = DiagonalGaussian(*(part[..., told] for part in passed.code_posterior))
    if not model.tied:
        kl = torch.where(mask, passed.posterior.kl_per_dim(passed.prior), 0.0)
        code_kl = code.kl_per_dim(
            DiagonalGaussian(*(part[..., told] for part in passed.code_prior))
        )[None]
        return Kl(kl, code_kl, kl[..., :0], code_kl[..., :0])
    posterior = passed.posterior
    to_standard = posterior.kl_per_dim(DiagonalGaussian.standard(posterior.mean))
    to_standard = torch.where(mask, to_standard, 0.0)
    code_to_standard = code.kl_per_dim(DiagonalGaussian.standard(code.mean))[None]
    return Kl(to_standard[..., :0], code_to_standard[..., :0], to_standard, code_to_standard)


def loss_terms(
    terms: Elbo,
    observed: Bool[Tensor, "batch time"],
    *,
    kl_weight: float,
    free_bits: float,
    regulariser_weight: float,
) -> tuple[Float[Tensor, "sample batch"], Float[Tensor, "sample batch"]]:
    """Give what training minimises for each sequence: (minus log-likelihood, weighted KL).

    Free bits (Kingma et al. 2016, arXiv:1606.04934, here for every element): the KL of a dimension below `free_bits` nats at an
    observed step counts as `free_bits`, so that it has no gradient there. The weight of the KL is below 1 in warm-up only.
    """
    kl, code_kl = terms.kl, terms.code_kl
    if free_bits:
        kl = torch.where(observed[..., None], kl.clamp(min=free_bits), kl)
        code_kl = code_kl.clamp(min=free_bits)
    regulariser = terms.regulariser.sum((-1, -2)) + terms.code_regulariser.sum(-1)
    penalty = kl.sum((-1, -2)) + code_kl.sum(-1) + regulariser_weight * regulariser
    return -terms.log_prob.sum(-1), kl_weight * penalty


def log_jacobian(batch: Batch) -> Float[Tensor, " batch"]:
    """Give what turns each sequence's log-density from model units into data units, over its observed entries."""
    return batch.density.sum(-1)
