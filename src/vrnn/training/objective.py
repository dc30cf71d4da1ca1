"""The objective: one pass over a batch as a module, as data-parallel wrappers need it."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vrnn.data.batch import Batch
from vrnn.inference.noise import Noise
from vrnn.inference.step import Belief
from vrnn.inference.traits import reads_prefix
from vrnn.models.contract import Model
from vrnn.objectives import BOUNDS, BoundConfig
from vrnn.objectives.energy import Future, cut_future, draw_future, energy_loss
from vrnn.objectives.latent_use import use_sums
from vrnn.trained import TrainedModel
from vrnn.training.config import TrainConfig
from vrnn.training.schedule import free_bits, kl_weight


class Work(NamedTuple):
    """What a pass works on.

    Attributes:
        prefix: the prefix that a model continues, None for a model that reads none.
        batch: what is scored.
        noise: standard normals for the batch.
        future: the batch cut in two; None where no futures are drawn.
    """

    prefix: Batch | None
    batch: Batch
    noise: Noise
    future: Future | None

    def joined(self, other: "Work") -> "Work":
        """Return the work on these sequences and others; both read no prefix and draw no future."""
        return Work(None, self.batch.joined(other.batch), self.noise.joined(other.noise), None)

    def sequences(self, index: slice) -> "Work":
        """Return some of the sequences."""
        prefix = None if self.prefix is None else self.prefix.sequences(index)
        future = None if self.future is None else self.future.sequences(index)
        return Work(prefix, self.batch.sequences(index), self.noise.sequences(index), future)


class Terms(NamedTuple):
    """The terms of each sequence of a batch, means over samples and sums over observed time steps.

    Attributes:
        nll: minus log-likelihood in nats of model units, (batch,).
        penalty: weighted KL and regulariser, (batch,).
        score: energy score of the futures, 0 where none are drawn, (batch,).
        bound: the bound in nats of data units, (batch,).
        regulariser: KL to the fixed prior where the posterior is the prior, (batch,).
        rows: observed time steps, (batch,).
        energy_rows: time steps of the futures that count, (batch,).
        nats, shares, global_shares: the use of the latents, see `UseSums`.
    """

    nll: Float[Tensor, " batch"]
    penalty: Float[Tensor, " batch"]
    score: Float[Tensor, " batch"]
    bound: Float[Tensor, " batch"]
    regulariser: Float[Tensor, " batch"]
    rows: Float[Tensor, " batch"]
    energy_rows: Float[Tensor, " batch"]
    nats: Float[Tensor, "batch unit"]
    shares: Float[Tensor, "batch categories"]
    global_shares: Float[Tensor, "batch global_categories"]

    def of(self, index: slice) -> "Terms":
        """Return the terms of some sequences."""
        return Terms(*(term[index] for term in self))


class Objective(nn.Module):
    """The objective under fixed settings: the bound (ELBO, IWAE or FIVO) and the energy score.

    With a `chunk` a pass reads that many time steps at once. The backward pass computes each
    chunk anew (gradient checkpointing), so memory grows with the chunk. Gradients are the same,
    or stop between chunks with `truncate`.

    A heading transform reads the heading from the first rows. Their density is none of the data,
    so they count neither in training nor in the bound. A posterior that looks ahead pays its KL
    there all the same, since it could hand on the future there at no cost.

    Args:
        model: the model.
        config: the settings of training.
        observe: time steps of the prefix, for a model that reads one; else where futures begin.
        first_scored: time steps before the first that counts.
        scale: weight of each dimension in the energy score, 0 to leave it out, (dim,).
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
        self.model, self.config = model, config
        self.observe, self.first_scored = observe, first_scored
        self.register_buffer("scale", scale, persistent=False)

    def split(self, batch: Batch) -> tuple[Batch | None, Batch]:
        """Return (prefix, what is scored); the prefix is None for a model that reads none."""
        if not reads_prefix(self.model):
            return None, batch
        assert self.observe is not None
        return batch.split_prefix(self.observe)[:2]

    def cut(self, prefix: Batch | None, batch: Batch, generator: torch.Generator) -> Future:
        """Return what `split` returned, cut where its futures begin."""
        samples, rows = self.config.energy_samples, self.config.energy_rows
        if prefix is not None:
            return draw_future(self.model, prefix, batch.split(rows)[0], generator, samples=samples)
        return cut_future(
            self.model, batch, generator, samples=samples, steps=rows, observe=self.observe
        )

    def forward(self, work: Work, step: int | None = None) -> Terms:
        """Return the terms of a batch.

        Args:
            step: the step of training, on which the penalty depends; None after the last one.
        """
        chunk, time = self.config.chunk, work.batch.x.shape[1]
        if chunk is None or time <= chunk:
            return self._terms(work, step)[0]
        found, belief = [], None
        for begin in range(0, time, chunk):
            steps = slice(begin, begin + chunk)
            part = Work(
                None, work.batch.time_steps(begin, begin + chunk), work.noise.steps(steps), None
            )
            terms, belief = checkpoint(self._terms, part, step, belief, use_reentrant=False)
            belief = belief.map(torch.detach) if self.config.truncate else belief
            found.append(terms)
        return Terms(*(torch.stack(column).sum(0) for column in zip(*found, strict=True)))

    def _terms(
        self, work: Work, step: int | None, belief: Belief | None = None
    ) -> tuple[Terms, Belief]:
        """Return the terms of a batch or of one chunk, and the belief that the pass leaves.

        Args:
            work: the batch, or the time steps of one chunk.
            step: see `forward`.
            belief: what the chunk before left; None at the start.
        """
        model, config, start = self.model, self.config, self.first_scored
        prefix, batch, noise, future = work
        settings = BoundConfig(
            kl_weight=kl_weight(config, step),
            free_bits=free_bits(config, step),
            regulariser_weight=config.regulariser_weight,
            resample_below=config.resample_below,
            resampling_term=config.resampling_term,
            first_scored=start,
        )
        value, nll, penalty, kl, passed = BOUNDS[config.objective](
            model, batch, noise, settings, prefix=prefix, start=belief
        )
        with torch.no_grad():
            density = batch.log_jacobian_per_step[:, start:].sum(-1)
            used = use_sums(passed, kl, start)
        nothing = torch.zeros_like(nll)
        score, energy_rows = (nothing, nothing) if future is None else self.score(future)
        terms = Terms(
            nll=nll,
            penalty=penalty,
            score=score,
            energy_rows=energy_rows,
            bound=value.detach() + density,
            regulariser=kl.regularisation.detach(),
            **used._asdict(),
        )
        return terms, passed.belief

    def score(self, future: Future) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
        """Return the energy score of futures over all their time steps, and the number of these."""
        score = energy_loss(self.model, future, self.scale).sum(-1)
        return score, future.scored.sum(-1).to(score.dtype)


def make_objective(trained: TrainedModel, config: TrainConfig) -> Objective:
    """Return the objective of a model, with its prefix and scale in the units the model works in.

    The energy score weighs every continuous column alike. Discrete columns have no distance and
    are left out.
    """
    network, preprocessor = trained.network, trained.preprocessor
    observe = None if config.observe is None else config.observe - preprocessor.transform.given
    scale = np.ones(network.observation.dim) if network.supervised else preprocessor.relative_scale
    scale = np.where(network.observation.continuous, scale, 0.0)
    weights = torch.from_numpy(scale).to(next(network.parameters()))
    return Objective(network, config, observe, trained.first_scored, weights)
