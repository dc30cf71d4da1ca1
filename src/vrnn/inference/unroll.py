"""The loop over time: teacher-forces a batch through a model and records what objectives need."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import Distribution, LatentDistribution
from vrnn.distributions.tree import tree_map
from vrnn.inference.embed import Embedded, embed
from vrnn.inference.flat import at_all
from vrnn.inference.noise import Noise
from vrnn.inference.plans import plan_of
from vrnn.inference.segments import segments
from vrnn.inference.step import (
    Belief,
    GlobalDraw,
    Proposal,
    StepNoise,
    advance,
    complete_steps,
    draw_global,
    no_global,
    stack_steps,
    start_belief,
    time_steps,
)
from vrnn.models.contract import Model, State


class Trace(NamedTuple):
    """What the loop over time makes of some steps; time is the axis before the last.

    Attributes:
        entering: the states that prior and posterior read, (sample, batch, time, .).
        prior: the priors, where they are computed already; else None.
        posterior: what the latents were drawn from; the prior itself where the model has no
            posterior of its own.
        latent: the draws, (sample, batch, time, .).
        emitting: the states that the emissions read, (sample, batch, time, .).
        x: the observations as the model received them, (sample or 1, batch, time, dim).
        belief: after each sequence's own last step.
        emission: the emissions, where a plan has computed them already; else None.
        exact: log sum_k p(k) p(x_t | k) over the listed values of the latents, (sample, batch,
            time); None where they were not gone through.
    """

    entering: State
    prior: LatentDistribution | None
    posterior: LatentDistribution
    latent: Float[Tensor, "sample batch time latent"]
    emitting: State
    x: Float[Tensor, "*sample batch time dim"]
    belief: Belief
    emission: Distribution | None = None
    exact: Float[Tensor, "sample batch time"] | None = None


class Unrolled(NamedTuple):
    """The record of one pass over a batch; terms are 0 where nothing is observed.

    Attributes:
        log_prob: log p(x_t | s_t) of the observed entries, (sample, batch, time). Where listed values
            were gone through it is log sum_k p(k | s_t) p(x_t | s_t, k), exact in k.
        prior, posterior: p_t, and the q_t that z_t was drawn from, over (sample, batch, time, .).
            They are one object where the model has no posterior of its own.
        latent: z_t, (sample, batch, time, .).
        once: the global latent, with its distributions.
        emission: the distribution of every observation given its state.
        x: the observations as the model received them, its own draws where missing, (sample or 1,
            batch, time, dim).
        mask: steps at which something is observed, (batch, time).
        belief: where each sequence's last step left the model.
        lists: whether the listed values of the latents were gone through.
    """

    log_prob: Float[Tensor, "sample batch time"]
    prior: LatentDistribution
    posterior: LatentDistribution
    latent: Float[Tensor, "sample batch time latent"]
    once: GlobalDraw
    emission: Distribution
    x: Float[Tensor, "*sample batch time dim"]
    mask: Bool[Tensor, "batch time"]
    belief: Belief
    lists: bool = False

    @property
    def log_weight(self) -> Float[Tensor, "sample batch"]:
        """Return the log of the importance weight of the pass, log p(x, z) - log q(z).

        Its exponential averages to p(x).
        """
        return (self.log_prob + self.log_ratio).sum(-1) + self.global_log_ratio

    @property
    def log_ratio(self) -> Float[Tensor, "sample batch time"]:
        """Return log p(z_t | s_t) - log q(z_t | s_t), 0 where nothing is observed.

        Of latents whose listed values were gone through it is that of the rest.
        """
        if self.prior is self.posterior:
            return torch.zeros_like(self.log_prob)
        prior, posterior, z = self.prior, self.posterior, self.latent
        if self.lists:
            prior, posterior = prior.rest, posterior.rest
            z = z[..., : posterior.mean.shape[-1]]
        ratio = prior.log_prob(z) - posterior.log_prob(z)
        return torch.where(self.mask, ratio, 0.0)

    @property
    def global_log_ratio(self) -> Float[Tensor, "sample batch"]:
        """Return the same for the global latent."""
        prior, posterior, z = self.once
        return prior.log_prob(z) - posterior.log_prob(z)


def unroll(
    model: Model,
    batch: Batch,
    noise: Noise,
    *,
    proposal: Proposal = "posterior",
    embedded: Embedded | None = None,
    start: Belief | None = None,
) -> Unrolled:
    """Return the record of a model that is teacher-forced through a batch.

    At a missing point the latent comes from the prior, and so does the global latent of a sequence
    without any point. The state receives a draw of the model's own emission there; see `advance`.

    Args:
        noise: standard normals, see `draw_noise`; their sample axis is that of every result.
        proposal: where latents of observed steps come from. With the prior and recorded noise, a
            draw of the model reproduces its own states and densities.
        embedded: what `embed` returns; computed here when None. A prefix needs it.
        start: the belief to go on from; the model's initial state when None.
    """
    embedded = embed(model, batch) if embedded is None else embedded
    begun, once = _begin(model, batch, noise, embedded, start, proposal)
    return _record(model, batch, run(model, batch, noise, embedded, begun, proposal), once)


def unroll_with_states(
    model: Model, batch: Batch, noise: Noise, *, embedded: Embedded
) -> tuple[Unrolled, State]:
    """Return the record of a pass, and the state before each latent, (sample, batch, time, .).

    It always runs the plain loop, so a caller can put another latent into these states.
    """
    begun, once = _begin(model, batch, noise, embedded, None, "posterior")
    trace = run_loop(model, batch, noise, embedded, begun, "posterior")
    return _record(model, batch, trace, once), trace.entering


def _record(model: Model, batch: Batch, trace: Trace, once: GlobalDraw) -> Unrolled:
    """Return the record of a pass, with what its trace has not computed already."""
    lead = tuple(trace.latent.shape[:3])
    emission, prior = trace.emission, trace.prior
    if emission is None:
        emission = at_all(model.emission, trace.emitting, lead=lead)
    if prior is None:
        prior = at_all(model.prior, trace.entering, lead=lead)
    exact = trace.exact
    return Unrolled(
        log_prob=emission.log_prob(trace.x, batch.present) if exact is None else exact,
        prior=prior,
        posterior=trace.posterior,
        latent=trace.latent,
        once=once,
        emission=emission,
        x=trace.x,
        mask=batch.mask,
        belief=trace.belief,
        lists=exact is not None,
    )


def filter_prefix(
    model: Model, batch: Batch, noise: Noise, *, embedded: Embedded | None = None
) -> Belief:
    """Return the belief that `unroll` leaves from the posterior, without the terms of a bound."""
    embedded = embed(model, batch) if embedded is None else embedded
    begun, _ = _begin(model, batch, noise, embedded, None, "posterior")
    return run(model, batch, noise, embedded, begun, "posterior", heads=False).belief


def _begin(
    model: Model,
    batch: Batch,
    noise: Noise,
    embedded: Embedded,
    start: Belief | None,
    proposal: Proposal,
) -> tuple[Belief, GlobalDraw]:
    """Return where a pass begins, and the global latent; a given start has drawn it already."""
    if start is not None:
        return start, no_global(noise.global_latent[..., :0], embedded.context)
    evidence = embedded.evidence if proposal == "posterior" else None
    once = draw_global(model, noise.global_latent, embedded.context, batch=batch, evidence=evidence)
    return start_belief(model, once.z, embedded.context, batch.x.shape[-1]), once


def run(
    model: Model,
    batch: Batch,
    noise: Noise,
    embedded: Embedded,
    start: Belief,
    proposal: Proposal,
    *,
    heads: bool = True,
) -> Trace:
    """Return the trace of a batch: complete segments by the model's plan, the rest by the loop.

    Args:
        heads: whether prior and emission are wanted too. A plan may then compute them on the way;
            of several segments they are computed afterwards, all at once.
    """
    plan = plan_of(model)
    if plan is None:
        return run_loop(model, batch, noise, embedded, start, proposal)
    parts: list[Trace] = []
    cuts = segments(complete_steps(batch, start))
    for begin, end, complete in cuts:
        whole = len(cuts) == 1
        index = slice(begin, end)
        given = (
            model,
            batch if whole else batch.time_steps(begin, end),
            noise if whole else noise.steps(index),
            embedded if whole else embedded.steps(index),
            start,
            proposal,
        )
        found = plan.scan(*given, heads=heads and whole) if complete else None
        parts.append(run_loop(*given) if found is None else found)
        start = parts[-1].belief
    return parts[0] if len(parts) == 1 else _join(parts)


def run_loop(
    model: Model,
    batch: Batch,
    noise: Noise,
    embedded: Embedded,
    start: Belief,
    proposal: Proposal,
) -> Trace:
    """Return the trace of a batch by one `advance` after another: the plain reference."""
    time, samples = batch.x.shape[1], noise.latent.shape[0]
    drawn = noise.observation.unbind(2) or (None,) * time
    alive = None if bool((batch.length == time).all()) else batch.in_sequence
    belief, steps = start, []
    for t, step in enumerate(time_steps(batch, embedded, start)):
        normals = StepNoise(noise.latent[:, :, t], drawn[t])
        steps.append(advance(model, belief, step, normals, batch, proposal=proposal))
        after = Belief(steps[-1].state, steps[-1].pending, start.log_weight)
        belief = after if alive is None else after.where(alive[:, t], belief)
    if not steps:
        nothing = model.latent.standard(noise.latent)
        state = tree_map(lambda s: s[:, :, None].expand(-1, -1, 0, -1), start.state)
        return Trace(state, nothing, nothing, noise.latent, state, batch.x, start)
    lead = (samples, len(batch.x))

    def over_time(states: list[State]) -> State:
        return tree_map(lambda t: t.unflatten(0, lead), stack_steps(states, 1))

    one = all(s.prior is s.posterior for s in steps)
    posterior = stack_steps([s.posterior for s in steps], 2)
    given = all(s.emission is None for s in steps)
    exact = None if steps[0].exact is None else torch.stack([s.exact for s in steps], 2)
    return Trace(
        entering=over_time([s.entering for s in steps]),
        prior=posterior if one else None,
        posterior=posterior,
        latent=torch.stack([s.latent for s in steps], 2),
        emitting=over_time([s.emitting for s in steps]),
        x=batch.x if given else stack_steps([_full(s.x, lead) for s in steps], 2),
        belief=belief,
        exact=exact,
    )


def _full(x: Float[Tensor, "*sample batch dim"], lead: tuple[int, int]) -> Tensor:
    """Return observations with their sample axis."""
    return x.expand(*lead, x.shape[-1])


def _join(parts: list[Trace]) -> Trace:
    """Return traces behind one another."""

    def cat(*tensors: Tensor) -> Tensor:
        return torch.cat(tensors, 2)

    samples = len(parts[0].latent)
    x = [p.x if p.x.dim() == 4 else p.x.expand(samples, *p.x.shape) for p in parts]
    posterior = tree_map(cat, *(p.posterior for p in parts))
    one = all(p.prior is p.posterior for p in parts)
    exact = [p.exact for p in parts if p.exact is not None]
    return Trace(
        entering=tree_map(cat, *(p.entering for p in parts)),
        prior=posterior if one else None,
        posterior=posterior,
        latent=torch.cat([p.latent for p in parts], 2),
        emitting=tree_map(cat, *(p.emitting for p in parts)),
        x=torch.cat(x, 2),
        belief=parts[-1].belief,
        exact=torch.cat(exact, 2) if exact else None,
    )
