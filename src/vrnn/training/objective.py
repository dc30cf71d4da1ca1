"""One pass over a batch as a module, so that data-parallel wrappers see its forward: loss terms and what is reported."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.inference.noise import Noise
from vrnn.inference.particles import Filtered
from vrnn.inference.step import embed
from vrnn.inference.unroll import Unrolled
from vrnn.models import Model
from vrnn.objectives.bounds import bound
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
    """Compute the bound that training maximises, of batches under fixed settings: ELBO, IWAE or FIVO.

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
        return batch.split_prefix(self.observe)[:2]

    def forward(self, prefix: Batch | None, batch: Batch, noise: Noise, kl_weight: float) -> Terms:
        model, config, start = self.model, self.config, self.first_scored
        passed, kl, nll, penalty, value = bound(
            model,
            batch,
            noise,
            config.objective,
            embedded=embed(model, batch, prefix),
            start=start,
            kl_weight=kl_weight,
            free_bits=config.free_bits,
            regulariser_weight=config.regulariser_weight,
            resample_below=config.resample_below,
            kernel=config.kernel,
            with_resampling_term=config.resampling_term,
        )
        with torch.no_grad():
            density = batch.density[:, start:].sum(-1)
            steps = kl.regulariser if model.tied else kl.kl
            code = kl.code_regulariser if model.tied else kl.code_kl
        return Terms(
            nll=nll,
            penalty=penalty,
            bound=value.detach() + density,
            kl=torch.cat([steps.sum(-2).mean(0), code.mean(0).expand(len(batch.x), -1)], -1).detach(),
            rows=passed.mask[:, start:].sum(-1).to(nll.dtype),
            means=self._moments(passed, start),
        )

    @torch.no_grad()
    def _moments(self, passed: Unrolled | Filtered, start: int) -> Float[Tensor, "batch 2 latent"]:
        """Sum posterior means and their squares over observed rows; the code's are single values."""
        mask, mean = passed.mask[:, start:, None], passed.posterior.mean[..., start:, :]
        told = self.model.code_dim - self.model.noise_dim
        code = passed.code_posterior.mean[..., :told].expand(len(mask), -1)
        powers = [torch.cat([torch.where(mask, mean**p, 0.0).sum(-2).mean(0), code**p], -1) for p in (1, 2)]
        return torch.stack(powers, -2)
