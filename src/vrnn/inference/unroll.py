"""The one loop over time: teacher-forces a batch through a model and records what every objective needs."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian
from vrnn.distributions.base import Distribution
from vrnn.errors import ConfigError
from vrnn.inference.noise import Noise
from vrnn.models.contract import Model, State, no_latent

Proposal = Literal["posterior", "prior"]


class Embedded(NamedTuple):
    """Hold what a model computes of a batch before the loop; see the contract for each."""

    known: Float[Tensor, "batch time known"]
    seen: Float[Tensor, "batch time seen"]
    evidence: Float[Tensor, "batch time evidence"]
    context: Float[Tensor, "batch context"]

    def after(self, start: int) -> "Embedded":
        """Drop the first `start` steps."""
        return self._replace(
            known=self.known[:, start:], seen=self.seen[:, start:], evidence=self.evidence[:, start:]
        )


class Belief(NamedTuple):
    """Hold where a pass has come to: what `imagine` and a further `unroll` start from.

    Attributes:
        state: the model's state, tensors (sample, batch, .).
        gap: what the model has drawn itself since the last observed entry, in the summed dimensions, (sample, batch, dim).
    """

    state: State
    gap: Float[Tensor, "sample batch dim"]


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
        belief: where each sequence's last row left the model.
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
    belief: Belief

    @property
    def log_weight(self) -> Float[Tensor, "sample batch"]:
        """Importance weight of the whole pass, log p(x, z) - log q(z); its exponential averages to p(x)."""
        latent = self.prior.log_prob(self.latent) - self.posterior.log_prob(self.latent)
        code = self.code_prior.log_prob(self.code) - self.code_posterior.log_prob(self.code)
        return (self.log_prob + torch.where(self.mask, latent, 0.0)).sum(-1) + code


def embed(model: Model, batch: Batch, prefix: Batch | None = None) -> Embedded:
    """Compute everything that needs no recurrent state, for all t at once.

    Raises:
        ConfigError: no prefix for a model that conditions on one; the batch itself would be the future it scores.
    """
    if model.conditions and prefix is None:
        raise ConfigError(
            "this model scores the future of a prefix: expected the prefix beside the batch, found none"
        )
    known = model.embed_inputs(batch.u)
    seen = model.embed_observations(batch.x, known)
    evidence = model.embed_evidence(batch.x, known, seen, batch)
    return Embedded(known, seen, evidence, embed_prefix(model, batch if prefix is None else prefix))


def embed_prefix(model: Model, prefix: Batch) -> Float[Tensor, "batch context"]:
    """Read a prefix that is given and not scored; width 0 for a model that does not condition."""
    if not model.conditions:
        return prefix.x.new_zeros(len(prefix.x), 0)
    x = torch.where(prefix.present, prefix.x, 0.0)  # the last point of a prefix may lack entries
    return model.embed_context(model.embed_observations(x, model.embed_inputs(prefix.u)), prefix)


def unroll(
    model: Model,
    batch: Batch,
    noise: Noise,
    *,
    proposal: Proposal = "posterior",
    embedded: Embedded | None = None,
    start: Belief | None = None,
) -> Unrolled:
    """Teacher-force a batch through a model.

    At a missing entry the latent of a track without its point comes from the prior (so does the code of a track that
    has none) and the state receives a draw of the model's own emission. At the first entry observed after a gap, in the
    dimensions that are `summed`, the value is what remains of the increment after those draws, so that the track
    reconnects.

    Args:
        noise: standard normals, see `draw_noise`; their sample axis is that of every result.
        proposal: where latents of observed steps come from. With the prior and recorded noise, a draw of the model
            reproduces its own states and densities.
        embedded: what `embed` gives; computed here when omitted. Needed with a prefix that is not scored.
        start: the belief to go on from; the model's initial state when omitted.

    Returns:
        the record of the pass.
    """
    known, seen, evidence, context = embedded = embed(model, batch) if embedded is None else embedded
    if start is None:
        code_prior = code_posterior = model.code_prior(context)
        if proposal == "posterior" and not model.tied:
            code_posterior = _choose(
                batch.mask.any(-1), model.code_posterior(context, evidence, batch), code_prior
            )
        code = code_posterior.sample(noise.code)
        no_gap = batch.x.new_zeros(*noise.code.shape[:2], batch.x.shape[-1])
        first = Belief(model.initial_state(code, context), no_gap)
    else:  # the belief has drawn its code already
        code_prior = code_posterior = no_latent(context)
        code, first = noise.code[..., :0], start
    state, gap = first

    plain = _plain_steps(batch, resumes=bool((first.gap != 0).any()))
    entering, emitting, leaving, gaps, latents, posteriors, xs = [], [], [], [], [], [], []
    for t, (known_t, seen_t, evidence_t, x_t, present_t, normals) in enumerate(
        zip(
            known.unbind(1), seen.unbind(1), evidence.unbind(1), batch.x.unbind(1), batch.present.unbind(1),
            noise.latent.unbind(2), strict=True,
        )
    ):  # fmt: skip
        state = model.with_input(state, known_t)
        entering.append(state)
        if plain[t]:
            q = (
                model.posterior(state, evidence_t, known_t)
                if proposal == "posterior"
                else model.prior(state, known_t)
            )
        else:
            x_t = torch.where(present_t, x_t - gap, 0.0)
            q = prior = model.prior(state, known_t)
            if proposal == "posterior" and not model.tied:
                if not model.looks_ahead:
                    evidence_t = model.embed_evidence(
                        x_t, known_t, model.embed_observations(x_t, known_t), batch
                    )
                q = _choose(present_t.any(-1), model.posterior(state, evidence_t, known_t), prior)
        z = q.sample(normals)
        posteriors.append(q)
        latents.append(z)
        state = model.with_latent(state, z)
        emitting.append(state)
        if not plain[t]:
            drawn = model.emission(state, known_t).sample(noise.observation[:, :, t])
            x_t = torch.where(present_t, x_t, drawn)
            gap = torch.where(batch.summed & ~present_t, gap + drawn, 0.0)
            seen_t = model.embed_observations(x_t, known_t)
        xs.append(x_t)
        gaps.append(gap)
        state = model.with_observation(state, seen_t)
        leaving.append(state)

    every_state = stack_states(emitting)
    emission = model.emission(every_state, known)
    x = batch.x if all(plain) else stack_states(xs)
    posterior = DiagonalGaussian(*stack_states(posteriors))
    prior = posterior if model.tied or proposal == "prior" else model.prior(stack_states(entering), known)
    lead = noise.latent.shape[:3]
    prior = DiagonalGaussian(*(p.expand(*lead, -1) for p in prior))
    return Unrolled(
        log_prob=emission.log_prob(x, batch.present),
        prior=prior,
        posterior=posterior,
        latent=stack_states(latents),
        code_prior=code_prior,
        code_posterior=code_posterior,
        code=code,
        emission=emission,
        x=x,
        mask=batch.mask,
        belief=_last(leaving, gaps, batch, first),
    )


def stack_states(steps: list) -> State:
    """Stack values of every step, tensors or NamedTuples of them, on a time axis before the last one."""
    if isinstance(steps[0], Tensor):
        same = all(s is steps[0] for s in steps)
        if same:
            return steps[0].unsqueeze(-2).expand(*steps[0].shape[:-1], len(steps), -1)
        return torch.stack(torch.broadcast_tensors(*steps), -2)
    return type(steps[0])(*(stack_states(list(field)) for field in zip(*steps, strict=True)))


def _plain_steps(batch: Batch, resumes: bool) -> list[bool]:
    """Tell at which steps every living sequence has all its entries, now and at the step before."""
    complete = (batch.present | ~batch.alive[..., None]).all(-1).all(0).tolist()
    before = [not resumes, *complete[:-1]]
    return [a and b for a, b in zip(complete, before, strict=True)]


def _choose(mask: Bool[Tensor, " batch"], a: DiagonalGaussian, b: DiagonalGaussian) -> DiagonalGaussian:
    return DiagonalGaussian(*(torch.where(mask[:, None], s, t) for s, t in zip(a, b, strict=True)))


def _last(leaving: list, gaps: list, batch: Batch, start: Belief) -> Belief:
    """Gather the belief after each sequence's own last row; that of the start where it has none."""
    time = batch.x.shape[1]
    if not time or not bool((batch.length < time).any()):
        return Belief(leaving[-1], gaps[-1]) if time else start
    index = batch.length.clamp(min=1) - 1

    def gather(first: Tensor, steps: list[Tensor]) -> Tensor:
        stacked = stack_states(steps)
        picked = stacked[:, torch.arange(len(index)), index]
        return torch.where((batch.length > 0)[:, None], picked, first)

    fields = [gather(f, list(steps)) for f, *steps in zip(start.state, *leaving, strict=True)]
    return Belief(type(start.state)(*fields), gather(start.gap, gaps))
