"""The one loop over time: teacher-forces a batch through a model and records what every objective needs."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian
from vrnn.distributions.base import Distribution
from vrnn.inference.noise import Noise
from vrnn.inference.step import (
    Belief,
    Embedded,
    Proposal,
    advance,
    choose,
    embed,
    last_belief,
    rows,
    stack_beliefs,
    stack_steps,
    start_belief,
)
from vrnn.models.contract import Model, State, no_latent


class Unrolled(NamedTuple):
    """Record one pass over a batch; the terms are 0 where nothing is observed.

    Attributes:
        log_prob: log p(x_t | s_t) of the observed entries, (sample, batch, time).
        prior, posterior: p_t and the q_t that z_t was drawn from, over (sample, batch, time, latent).
        latent: z_t, (sample, batch, time, latent).
        code_prior, code_posterior, code: the same for the global latent, (sample, batch, code).
        emission: the distribution of every observation given its state.
        x: the observations as the model received them, its own draws where missing, (sample or 1, batch, time, dim).
        mask: steps at which something is observed, (batch, time).
        belief: where each sequence's last row left the model; None of a kernel that does not go there.
    """

    log_prob: Float[Tensor, "sample batch time"]
    prior: DiagonalGaussian
    posterior: DiagonalGaussian
    latent: Float[Tensor, "sample batch time latent"]
    code_prior: DiagonalGaussian
    code_posterior: DiagonalGaussian
    code: Float[Tensor, "sample batch code"]
    emission: Distribution
    x: Float[Tensor, "*sample batch time dim"]
    mask: Bool[Tensor, "batch time"]
    belief: Belief | None

    @property
    def log_weight(self) -> Float[Tensor, "sample batch"]:
        """Importance weight of the whole pass, log p(x, z) - log q(z); its exponential averages to p(x)."""
        return (self.log_prob + self.log_ratio).sum(-1) + self.code_log_ratio

    @property
    def log_ratio(self) -> Float[Tensor, "sample batch time"]:
        """log p(z_t | s_t) - log q(z_t | s_t), 0 where nothing is observed."""
        ratio = self.prior.log_prob(self.latent) - self.posterior.log_prob(self.latent)
        return torch.where(self.mask, ratio, 0.0)

    @property
    def code_log_ratio(self) -> Float[Tensor, "sample batch"]:
        """The same for the global latent."""
        return self.code_prior.log_prob(self.code) - self.code_posterior.log_prob(self.code)


class Stretch(NamedTuple):
    """Record what the loop over time makes of a stretch of rows; time before the last axis of every tensor.

    Attributes:
        entering: the states that prior and posterior read.
        posterior: the distributions that the latents were drawn from.
        latent: the draws, (sample, batch, time, latent).
        emitting: the states that the emissions read.
        x: the observations as the model received them, (sample or 1, batch, time, dim).
        left: the beliefs after every row, time behind the sequences.
        prior, emission: what the heads make of `entering` and `emitting`, where the loop has computed that.
    """

    entering: State
    posterior: DiagonalGaussian
    latent: Float[Tensor, "sample batch time latent"]
    emitting: State
    x: Float[Tensor, "*sample batch time dim"]
    left: Belief
    prior: DiagonalGaussian | None = None
    emission: Distribution | None = None


Loop = Callable[[Model, Batch, Noise, Embedded, Belief, Proposal], Stretch]


def run_rows(
    model: Model, batch: Batch, noise: Noise, embedded: Embedded, start: Belief, proposal: Proposal
) -> Stretch:
    """Go through the rows of a batch one after another; arguments as in `unroll`."""
    time = batch.x.shape[1]
    drawn = noise.observation.unbind(2) or (None,) * time
    belief, steps = start, []
    for row, latent, observation in zip(
        rows(batch, embedded, start), noise.latent.unbind(2), drawn, strict=False
    ):
        steps.append(advance(model, belief, row, latent, observation, batch, proposal))
        belief = Belief(steps[-1].state, steps[-1].gap, start.log_weight)
    given = all(s.emission is None for s in steps)
    return Stretch(
        entering=stack_steps([s.entering for s in steps]),
        posterior=DiagonalGaussian(*stack_steps([s.posterior for s in steps])),
        latent=stack_steps([s.latent for s in steps]),
        emitting=stack_steps([s.emitting for s in steps]),
        x=batch.x if given else stack_steps([s.x for s in steps]),
        left=stack_beliefs([Belief(s.state, s.gap, start.log_weight) for s in steps]),
    )


def unroll(
    model: Model,
    batch: Batch,
    noise: Noise,
    *,
    proposal: Proposal = "posterior",
    embedded: Embedded | None = None,
    start: Belief | None = None,
    loop: Loop = run_rows,
) -> Unrolled:
    """Teacher-force a batch through a model.

    At a missing entry the latent of a track without its point comes from the prior (so does the code of a track that
    has none) and the state receives a draw of the model's own emission. At the first entry observed after a gap, in the
    dimensions that are `is_increment`, the value is what remains of the increment after those draws, so that the track
    reconnects.

    Args:
        noise: standard normals, see `draw_noise`; their sample axis is that of every result.
        proposal: where latents of observed steps come from. With the prior and recorded noise, a draw of the model
            reproduces its own states and densities.
        embedded: what `embed` gives; computed here when omitted. Needed with a prefix that is not scored.
        start: the belief to go on from; the model's initial state when omitted.
        loop: what goes through the rows.

    Returns:
        the record of the pass.
    """
    embedded = embed(model, batch) if embedded is None else embedded
    if start is None:
        code_prior, code_posterior = code_laws(model, batch, embedded, proposal)
        code = code_posterior.sample(noise.code)
        start = start_belief(model, code, embedded.context, batch.x.shape[-1])
    else:  # the belief has drawn its code already
        code_prior = code_posterior = no_latent(embedded.context)
        code = noise.code[..., :0]
    passed = loop(model, batch, noise, embedded, start, proposal)
    emission, prior = passed.emission, passed.prior
    if emission is None:
        emission = model.emission(passed.emitting, embedded.known)
    if prior is None:
        chosen = not model.tied and proposal == "posterior"
        prior = model.prior(passed.entering, embedded.known) if chosen else passed.posterior
    lead = noise.latent.shape[:3]
    return Unrolled(
        log_prob=emission.log_prob(passed.x, batch.present),
        prior=DiagonalGaussian(*(p.expand(*lead, -1) for p in prior)),
        posterior=passed.posterior,
        latent=passed.latent,
        code_prior=code_prior,
        code_posterior=code_posterior,
        code=code,
        emission=emission,
        x=passed.x,
        mask=batch.mask,
        belief=last_belief(passed.left, batch, start),
    )


def follow(
    model: Model,
    batch: Batch,
    noise: Noise,
    *,
    embedded: Embedded | None = None,
    loop: Loop = run_rows,
) -> Belief:
    """Give the belief that `unroll` leaves from the posterior, without the terms of a bound."""
    embedded = embed(model, batch) if embedded is None else embedded
    _, posterior = code_laws(model, batch, embedded, "posterior")
    start = start_belief(model, posterior.sample(noise.code), embedded.context, batch.x.shape[-1])
    return last_belief(loop(model, batch, noise, embedded, start, "posterior").left, batch, start)


def code_laws(
    model: Model, batch: Batch, embedded: Embedded, proposal: Proposal
) -> tuple[DiagonalGaussian, DiagonalGaussian]:
    """Give the prior of the global latent and what it is drawn from; of a track without a point, both the prior."""
    prior = model.code_prior(embedded.context)
    if proposal == "prior" or model.tied:
        return prior, prior
    posterior = model.code_posterior(embedded.context, embedded.evidence, batch)
    return prior, choose(batch.mask.any(-1), posterior, prior)
