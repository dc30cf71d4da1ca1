"""One pass over a batch as a module, so that data-parallel wrappers see its forward: loss terms and what is reported."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vrnn.data.batch import Batch
from vrnn.inference.noise import Noise
from vrnn.inference.particle_filter import Filtered
from vrnn.inference.step import Belief
from vrnn.inference.unroll import Unrolled
from vrnn.kernels import embed
from vrnn.models import Model
from vrnn.objectives.bounds import bound
from vrnn.objectives.futures import Future, cut_future, draw_future, futures_score
from vrnn.training.config import TrainConfig


class Work(NamedTuple):
    """Hold what a pass works on.

    Attributes:
        prefix: what a model that conditions goes on from, else None.
        batch: what is scored.
        noise: standard normals for it.
        future: the batch cut in two, where futures are drawn, else None.
    """

    prefix: Batch | None
    batch: Batch
    noise: Noise
    future: Future | None

    def rows(self, index: slice) -> "Work":
        """Select sequences."""
        prefix = None if self.prefix is None else self.prefix.sequences(index)
        future = None if self.future is None else self.future.rows(index)
        return Work(prefix, self.batch.sequences(index), self.noise.rows(index), future)


class Terms(NamedTuple):
    """Hold the terms of a batch, sums over the rows that count and means over samples, a row a sequence.

    Attributes:
        nll: minus log-likelihood in nats of model units, (batch,).
        penalty: weighted KL and regulariser, (batch,).
        score: energy score of the futures, 0 where none are drawn, (batch,).
        bound: the bound in nats of data units, (batch,).
        kl: the KL of the bound, or the regulariser where the model is tied, per latent dimension, (batch, latent + code).
        rows: observed rows, (batch,).
        energy_rows: rows of the futures that count, (batch,).
        means: posterior means, is_increment over observed rows, and their squares, (batch, 2, latent + code).
    """

    nll: Float[Tensor, " batch"]
    penalty: Float[Tensor, " batch"]
    score: Float[Tensor, " batch"]
    bound: Float[Tensor, " batch"]
    kl: Float[Tensor, "batch latent"]
    rows: Float[Tensor, " batch"]
    energy_rows: Float[Tensor, " batch"]
    means: Float[Tensor, "batch 2 latent"]


class Objective(nn.Module):
    """Compute what training works on, of batches under fixed settings: the bound (ELBO, IWAE or FIVO) and the score of futures.

    With a `chunk` the rows are gone through that many at a time, and each chunk is computed anew in the backward pass (gradient
    checkpointing), so that memory is that of a chunk; gradients are the same, or stop between chunks with `truncate`.

    Rows up to the one that a heading transform was read from have no density of the data (the step into it has no sideways
    part at all) and count neither in training nor in the bound; a posterior that looks ahead pays its KL there all the same, or it
    would tell of the future for nothing.

    Args:
        observe: rows of a batch that are the prefix, for a model that conditions on one.
        first_scored: rows before the first whose density is one of the data.
        scale: what the score of futures multiplies each dimension by, 0 to leave it out, (dim,).
    """

    def __init__(
        self,
        model: Model,
        config: TrainConfig,
        observe: int | None,
        first_scored: int,
        scale: Float[Tensor, " dim"],
    ):
        super().__init__()
        self.model, self.config, self.observe, self.first_scored = (
            model,
            config,
            observe,
            first_scored,
        )
        self.register_buffer("scale", scale, persistent=False)

    def split(self, batch: Batch) -> tuple[Batch | None, Batch]:
        """Give (prefix, what is scored)."""
        if not self.model.conditions:
            return None, batch
        assert self.observe is not None
        return batch.split_prefix(self.observe)[:2]

    def cut(self, prefix: Batch | None, batch: Batch, generator: torch.Generator) -> Future:
        """Cut what `split` gave where its futures begin."""
        samples, rows = self.config.energy_samples, self.config.energy_rows
        if prefix is not None:
            return draw_future(self.model, prefix, batch.split(rows)[0], generator, samples=samples)
        return cut_future(
            self.model, batch, generator, samples=samples, rows=rows, observe=self.observe
        )

    def forward(self, work: Work, kl_weight: float) -> Terms:
        chunk, time = self.config.chunk, work.batch.x.shape[1]
        if chunk is None or time <= chunk:
            return self._terms(work, kl_weight)[0]
        found, belief = [], None
        for begin in range(0, time, chunk):
            steps = slice(begin, begin + chunk)
            part = Work(None, work.batch.time_steps(begin, begin + chunk), work.noise.steps(steps), None)
            terms, belief = checkpoint(
                self._terms, part, kl_weight, belief, leaves=True, use_reentrant=False
            )
            assert belief is not None
            belief = belief.map(torch.detach) if self.config.truncate else belief
            found.append(terms)
        return Terms(*(torch.stack(column).sum(0) for column in zip(*found, strict=True)))

    def _terms(
        self, work: Work, kl_weight: float, belief: Belief | None = None, leaves: bool = False
    ) -> tuple[Terms, Belief | None]:
        """Compute the terms of a batch, or of a chunk of its rows from where the one before left."""
        model, config, start = self.model, self.config, self.first_scored
        prefix, batch, noise, future = work
        passed, kl, nll, penalty, value = bound(
            model,
            batch,
            noise,
            config.objective,
            embedded=None if prefix is None else embed(model, batch, prefix, kernel=config.kernel),
            belief=belief,
            leaves=leaves,
            start=start,
            kl_weight=kl_weight,
            free_bits=config.free_bits,
            regulariser_weight=config.regulariser_weight,
            resample_below=config.resample_below,
            kernel=config.kernel,
            with_resampling_term=config.resampling_term,
        )
        with torch.no_grad():
            density = batch.log_jacobian_per_step[:, start:].sum(-1)
            steps = kl.regulariser if model.tied else kl.kl
            code = kl.code_regulariser if model.tied else kl.code_kl
        nothing = torch.zeros_like(nll)
        score, energy_rows = (nothing, nothing) if future is None else self.score(future)
        terms = Terms(
            nll=nll,
            penalty=penalty,
            score=score,
            energy_rows=energy_rows,
            bound=value.detach() + density,
            kl=torch.cat(
                [steps.sum(-2).mean(0), code.mean(0).expand(len(batch.x), -1)], -1
            ).detach(),
            rows=passed.mask[:, start:].sum(-1).to(nll.dtype),
            means=self._moments(passed, start),
        )
        return terms, passed.belief

    def score(self, future: Future) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
        """Give the energy score of futures, is_increment over their rows, and the number of these."""
        score = futures_score(self.model, future, self.scale, kernel=self.config.kernel).sum(-1)
        return score, future.scored.sum(-1).to(score.dtype)

    @torch.no_grad()
    def _moments(self, passed: Unrolled | Filtered, start: int) -> Float[Tensor, "batch 2 latent"]:
        """Sum posterior means and their squares over observed rows; the code's are single values."""
        mask, mean = passed.mask[:, start:, None], passed.posterior.mean[..., start:, :]
        told = self.model.code_dim - self.model.noise_dim
        code = passed.code_posterior.mean[..., :told].expand(len(mask), -1)
        powers = [
            torch.cat([torch.where(mask, mean**p, 0.0).sum(-2).mean(0), code**p], -1)
            for p in (1, 2)
        ]
        return torch.stack(powers, -2)
