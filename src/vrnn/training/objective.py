"""One pass over a batch as a module, so that data-parallel wrappers see its forward: loss terms and what is reported."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.inference.noise import Noise
from vrnn.inference.unroll import Unrolled, embed, unroll
from vrnn.models import Model
from vrnn.objectives.elbo import elbo, loss_terms
from vrnn.training.config import TrainConfig


class Terms(NamedTuple):
    """Hold the terms of a batch, sums over the rows that count and means over samples, a row a sequence.

    Attributes:
        nll: minus log-likelihood in nats of model units, (batch,).
        penalty: weighted KL and regulariser, (batch,).
        bound: the bound in nats of data units, (batch,).
        kl: the KL of the bound, or the regulariser where the model is tied, per latent dimension, (batch, latent + code).
        rows: observed rows, (batch,).
        means: posterior means, summed over observed rows, and their squares, (batch, 2, latent + code).
    """

    nll: Float[Tensor, " batch"]
    penalty: Float[Tensor, " batch"]
    bound: Float[Tensor, " batch"]
    kl: Float[Tensor, "batch latent"]
    rows: Float[Tensor, " batch"]
    means: Float[Tensor, "batch 2 latent"]


class Objective(nn.Module):
    """Compute the ELBO terms of batches under fixed settings.

    Rows up to the one that a heading frame was read from have no density of the data (the step into it has no sideways
    part at all) and count neither in training nor in the bound; a posterior that looks ahead pays its KL there all the same, or it
    would tell of the future for nothing.

    Args:
        observe: rows of a batch that are the prefix, for a model that conditions on one.
        first_scored: rows before the first whose density is one of the data.
    """

    def __init__(self, model: Model, config: TrainConfig, observe: int, first_scored: int):
        super().__init__()
        self.model, self.config, self.observe, self.first_scored = model, config, observe, first_scored

    def split(self, batch: Batch) -> tuple[Batch | None, Batch]:
        """Give (prefix, what is scored)."""
        if not self.model.conditions:
            return None, batch
        return batch.split_at(_last_observed(batch, self.observe))

    def forward(self, prefix: Batch | None, batch: Batch, noise: Noise, kl_weight: float) -> Terms:
        model, config, start = self.model, self.config, self.first_scored
        unrolled = unroll(model, batch, noise, embedded=embed(model, batch, prefix))
        kl_start = 0 if model.looks_ahead else start
        terms = elbo(model, unrolled).after(start, kl_start)
        nll, penalty = loss_terms(
            terms,
            unrolled.mask[:, kl_start:],
            kl_weight=kl_weight,
            free_bits=config.free_bits,
            regulariser_weight=config.regulariser_weight,
        )
        with torch.no_grad():
            density = (batch.present * batch.log_jacobian).sum(-1)[:, start:].sum(-1)
            kl = terms.regulariser if model.tied else terms.kl
            code_kl = terms.code_regulariser if model.tied else terms.code_kl
        return Terms(
            nll=nll.mean(0),
            penalty=penalty.mean(0),
            bound=terms.bound.detach().mean(0) + density,
            kl=torch.cat([kl.sum(-2).mean(0), code_kl.mean(0).expand(len(batch.x), -1)], -1).detach(),
            rows=unrolled.mask[:, start:].sum(-1).to(nll.dtype),
            means=self._moments(unrolled, start),
        )

    @torch.no_grad()
    def _moments(self, unrolled: Unrolled, start: int) -> Float[Tensor, "batch 2 latent"]:
        """Sum posterior means and their squares over observed rows; the code's are single values."""
        mask, mean = unrolled.mask[:, start:, None], unrolled.posterior.mean[..., start:, :]
        told = self.model.code_dim - self.model.noise_dim
        code = unrolled.code_posterior.mean[..., :told].expand(len(mask), -1)
        powers = [torch.cat([torch.where(mask, mean**p, 0.0).sum(-2).mean(0), code**p], -1) for p in (1, 2)]
        return torch.stack(powers, -2)


def _last_observed(batch: Batch, observe: int) -> Tensor:
    """Rows of each prefix: up to its last observed point, so that a rollout starts from one."""
    time = torch.arange(1, batch.x.shape[1] + 1, device=batch.length.device)
    return torch.where(batch.mask[:, :observe], time[:observe], 0).amax(-1)
