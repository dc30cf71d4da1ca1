"""One pass over a batch as a module, so that data-parallel wrappers see its forward: loss terms and what is reported."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.inference.noise import Noise
from vrnn.inference.unroll import embed, unroll
from vrnn.models import Model
from vrnn.objectives.elbo import elbo, loss_terms
from vrnn.training.config import TrainConfig


class Terms(NamedTuple):
    """Hold the terms of a batch, sums over time and means over samples, a row a sequence.

    Attributes:
        nll: minus log-likelihood in nats of model units, (batch,).
        penalty: weighted KL and regulariser, (batch,).
        bound: the bound in nats of data units over the rows whose density is one of the data, (batch,).
        kl: the KL of the bound, or the regulariser where the model is tied, per latent dimension, (batch, latent + code).
        rows: observed rows that are trained on, and those in the bound, (batch, 2).
        means: posterior means, summed over observed rows, and their squares, (batch, 2, latent + code).
    """

    nll: Float[Tensor, " batch"]
    penalty: Float[Tensor, " batch"]
    bound: Float[Tensor, " batch"]
    kl: Float[Tensor, "batch latent"]
    rows: Float[Tensor, "batch 2"]
    means: Float[Tensor, "batch 2 latent"]


class Objective(nn.Module):
    """Compute the ELBO terms of batches under fixed settings.

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
        model, config = self.model, self.config
        unrolled = unroll(model, batch, noise, embedded=embed(model, batch, prefix))
        terms = elbo(model, unrolled)
        nll, penalty = loss_terms(
            terms,
            unrolled.mask,
            kl_weight=kl_weight,
            free_bits=config.free_bits,
            regulariser_weight=config.regulariser_weight,
        )
        with torch.no_grad():
            start = self.first_scored
            density = (batch.present * batch.log_jacobian).sum(-1)[:, start:].sum(-1)
            later = terms.log_prob[..., start:].sum(-1) - terms.kl[..., start:, :].sum((-1, -2))
            bound = (later - terms.code_kl.sum(-1)).mean(0) + density
            kl = terms.regulariser if model.tied else terms.kl
            code_kl = terms.code_regulariser if model.tied else terms.code_kl
            mask, mean = unrolled.mask[..., None], unrolled.posterior.mean
            code = unrolled.code_posterior.mean.expand(len(nll[0]), -1)
            moments = [
                torch.cat([torch.where(mask, mean**p, 0.0).sum(-2).mean(0), code**p], -1) for p in (1, 2)
            ]
            rows = torch.stack([unrolled.mask.sum(-1), unrolled.mask[:, start:].sum(-1)], -1).to(nll.dtype)
        return Terms(
            nll=nll.mean(0),
            penalty=penalty.mean(0),
            bound=bound,
            kl=torch.cat([kl.sum(-2).mean(0), code_kl.mean(0).expand(len(bound), -1)], -1).detach(),
            rows=rows,
            means=torch.stack(moments, -2),
        )


def _last_observed(batch: Batch, observe: int) -> Tensor:
    """Rows of each prefix: up to its last observed point, so that a rollout starts from one."""
    time = torch.arange(1, batch.x.shape[1] + 1, device=batch.length.device)
    return torch.where(batch.mask[:, :observe], time[:observe], 0).amax(-1)
