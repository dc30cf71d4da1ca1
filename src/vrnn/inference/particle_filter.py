"""The particle filter: samples that compete, their weights, and the likelihood estimate they give."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import Distribution, LatentDistribution
from vrnn.inference.embed import Embedded, embed
from vrnn.inference.flat import unflatten
from vrnn.inference.noise import Noise
from vrnn.inference.plans import stepper_of
from vrnn.inference.resampling import (
    THRESHOLD,
    Scheme,
    effective_size,
    normalize_weights,
    resample,
    take,
)
from vrnn.inference.step import (
    Belief,
    GlobalDraw,
    Proposal,
    SamplePath,
    Step,
    StepNoise,
    TimeStep,
    advance,
    draw_global,
    no_global,
    stack_steps,
    start_belief,
    time_steps,
)
from vrnn.inference.traits import looks_ahead
from vrnn.models.contract import Model


@dataclass(frozen=True)
class FilterConfig:
    """Settings of a particle filter.

    Args:
        proposal: where latents of observed steps come from.
        threshold: effective sample size, as a share of the particles, under which they are
            resampled; 0 never resamples.
        scheme: systematic, or multinomial. The latter has more noise, but its choices are
            independent, which the score term of FIVO and a conditional filter need.
        ratio_weight: factor on log p(z) - log q(z); below 1 in the warm-up of training only.
        unscored: time steps at the start that carry no weight, those a heading transform was read
            from. A proposal that looks ahead has its log p(z) - log q(z) counted there all the same.
    """

    proposal: Proposal = "posterior"
    threshold: float = THRESHOLD
    scheme: Scheme = "systematic"
    ratio_weight: float = 1.0
    unscored: int = 0


@runtime_checkable
class Twist(Protocol):
    """A twisting function of a filter, with the proposal that follows it.

    See `vrnn.inference.twisting.TwistedProposal`.
    """

    def draw(
        self,
        emission: Distribution,
        normals: Float[Tensor, "sample batch noise"],
        fixed: Float[Tensor, "batch dim"] | None,
        *,
        t: int,
        before: Float[Tensor, "sample batch dim"],
        pending: Float[Tensor, "sample batch dim"],
        unseen: Bool[Tensor, "batch dim"],
    ) -> tuple[Float[Tensor, "sample batch dim"], Float[Tensor, "sample batch"]]:
        """Return draws of the missing points of step t, and the log-weight of each choice.

        Args:
            fixed: the draw of the first particle, of a conditional filter.
            before: x_{t-1}.
            pending: what was drawn since the last observed step, before this one.
            unseen: entries of the step that add to it.
        """
        ...

    def log_twist(
        self,
        t: int,
        x: Float[Tensor, "sample batch dim"],
        before: Float[Tensor, "sample batch dim"],
        pending: Float[Tensor, "sample batch dim"],
    ) -> Float[Tensor, "sample batch"]:
        """Return log psi_t of particles, 0 where the function is 1."""
        ...


class Twisted(NamedTuple):
    """What a twisted filter carries from step to step: x_t and log psi_t of every particle."""

    x: Float[Tensor, "sample batch dim"]
    log_twist: Float[Tensor, "sample batch"]


class Filtered(NamedTuple):
    """The record of a particle filter over a batch.

    Attributes:
        log_prob: log of the estimate of p(x_t | x_{<t}), (batch, time), 0 where nothing is
            observed. Their sum is the log of an unbiased estimate of p(x_{1:T}). The weight of the
            global latent is in the first.
        effective: effective sample size 1 / sum_i w_i^2 after each step, (batch, time).
        ancestor: for each particle of a step, the index of its ancestor at the step before,
            (sample, batch, time).
        log_choice: log-probability of the ancestors drawn at a step, the sum over particles,
            (batch, time).
        prior, posterior: p_t, and the q_t that z_t was drawn from, over (sample, batch, time, .);
            one object where the model has no posterior of its own.
        latent: z_t, (sample, batch, time, .).
        once: the global latent, with its distributions.
        x: the observations as each particle received them, (sample, batch, time, dim).
        mask: steps at which something is observed, (batch, time).
        belief: weighted particles after each sequence's last step.
        lists: whether the listed values of the latents were gone through.
    """

    log_prob: Float[Tensor, "batch time"]
    effective: Float[Tensor, "batch time"]
    ancestor: Int[Tensor, "sample batch time"]
    log_choice: Float[Tensor, "batch time"]
    prior: LatentDistribution
    posterior: LatentDistribution
    latent: Float[Tensor, "sample batch time latent"]
    once: GlobalDraw
    x: Float[Tensor, "sample batch time dim"]
    mask: Bool[Tensor, "batch time"]
    belief: Belief
    lists: bool = False


def first_belief(
    model: Model,
    batch: Batch,
    noise: Noise,
    embedded: Embedded,
    config: FilterConfig = FilterConfig(),
    path: SamplePath | None = None,
) -> tuple[Belief, GlobalDraw]:
    """Return the belief before the first step, weighted by how the global latent was drawn."""
    evidence = embedded.evidence if config.proposal == "posterior" else None
    once = draw_global(model, noise.global_latent, embedded.context, batch=batch, evidence=evidence)
    if path is not None:
        once = once._replace(z=torch.cat([path.global_latent[None], once.z[1:]]))
    start = start_belief(model, once.z, embedded.context, batch.x.shape[-1])
    if once.prior is once.posterior:
        return start, once
    ratio = config.ratio_weight * (once.prior.log_prob(once.z) - once.posterior.log_prob(once.z))
    return start._replace(log_weight=start.log_weight + ratio), once


def particle_filter(
    model: Model,
    batch: Batch,
    noise: Noise,
    config: FilterConfig = FilterConfig(),
    *,
    embedded: Embedded | None = None,
    start: Belief | None = None,
    path: SamplePath | None = None,
) -> Filtered:
    """Return the record of N particles that are resampled when few of them carry the weight.

    z_t^i ~ q(. | s_{t-1}^i)
    log a_t^i = log p(x_t | s_t^i) + log p(z_t^i | s_{t-1}^i) - log q(z_t^i | s_{t-1}^i)
    log p^(x_t | x_{<t}) = log sum_i w_{t-1}^i a_t^i,   w_t^i = w_{t-1}^i a_t^i / sum_j w_{t-1}^j a_t^j

    With a threshold of 0 nothing is ever resampled, and the sum of `log_prob` is that of importance
    sampling.

    Args:
        noise: standard normals, see `draw_noise` (with `resampling`); its sample axis is that of
            the particles.
        embedded, start: as in `unroll`; the start's weights count.
        path: what the first particle is made to do; it is never replaced. The others are then drawn
            given that path. Such a conditional filter needs the multinomial scheme.

    Source: Maddison et al. 2017, arXiv:1705.09279, algorithm 1; Andrieu et al. 2010 for the
    conditional form.
    """
    embedded = embed(model, batch) if embedded is None else embedded
    begun = start is not None
    if start is None:
        start, once = first_belief(model, batch, noise, embedded, config, path)
    else:
        once = no_global(noise.global_latent[..., :0], embedded.context)
    steps = filter_steps(
        model, batch, noise, embedded, start, config, path=path, resamples_first=begun
    )
    records = list(steps)
    lead = noise.latent.shape[:2]
    posterior = stack_steps([r.step.posterior for r in records], 2)
    one = all(r.prior is r.step.posterior for r in records)
    return Filtered(
        log_prob=torch.stack([r.log_prob for r in records], -1),
        effective=torch.stack([effective_size(r.belief.log_weight) for r in records], -1),
        ancestor=torch.stack([r.ancestor for r in records], -1),
        log_choice=torch.stack([r.log_choice for r in records], -1),
        prior=posterior if one else stack_steps([r.prior for r in records], 2),
        posterior=posterior,
        latent=torch.stack([r.step.latent for r in records], 2),
        once=once,
        x=torch.stack([r.step.x.expand(*lead, -1) for r in records], 2),
        mask=batch.mask,
        belief=records[-1].left,
        lists=records[0].step.exact is not None,
    )


def filter_steps(
    model: Model,
    batch: Batch,
    noise: Noise,
    embedded: Embedded,
    start: Belief,
    config: FilterConfig = FilterConfig(),
    *,
    path: SamplePath | None = None,
    twist: Twist | None = None,
    resamples_first: bool = False,
) -> Iterator["FilterStep"]:
    """Yield the steps of a particle filter; arguments as in `particle_filter`.

    Args:
        twist: what draws missing points in view of those observed after them.
        resamples_first: the weights of the start add up to 1, so the first step may resample them.
    """
    time = batch.x.shape[1]
    stepper = stepper_of(model)
    drawn, chosen = (p.unbind(2) or (None,) * time for p in (noise.observation, noise.resampling))
    ahead = config.unscored > 0 and looks_ahead(model, batch.u.shape[-1])
    belief, twisted, left = start, None, start
    for t, step in enumerate(time_steps(batch, embedded, start)):
        resampling = chosen[t] if t or resamples_first else None
        in_sequence = t < batch.length
        record = filter_step(
            model,
            belief,
            step,
            StepNoise(noise.latent[:, :, t], drawn[t], resampling),
            batch,
            config,
            t=t,
            scored=t >= config.unscored,
            pays=t >= config.unscored or ahead,
            in_sequence=in_sequence,
            path=None
            if path is None
            else SamplePath(path.global_latent, path.latent[:, t], path.x[:, t]),
            twist=twist,
            twisted=twisted,
            stepper=stepper,
        )
        belief, twisted = record.belief, record.twisted
        left = belief.where(in_sequence, left)
        yield record._replace(left=left)


class FilterStep(NamedTuple):
    """The record of one step of a filter; see `Filtered`.

    Attributes:
        before: the belief that the step began from, resampled where it was.
        belief: the belief after it.
        left: the belief after each sequence's own last step, for those that have ended.
        twisted: what a twisted filter goes on from, None where it is not twisted.
    """

    before: Belief
    belief: Belief
    left: Belief
    step: Step
    prior: LatentDistribution
    log_prob: Float[Tensor, " batch"]
    ancestor: Int[Tensor, "sample batch"]
    log_choice: Float[Tensor, " batch"]
    twisted: Twisted | None = None


@runtime_checkable
class Stepper(Protocol):
    """Takes a complete step of a model: returns its record, prior and emission."""

    def __call__(
        self,
        model: Model,
        belief: Belief,
        step: TimeStep,
        normals: Float[Tensor, "sample batch latent"],
    ) -> tuple[Step, LatentDistribution, Distribution]: ...


def filter_step(
    model: Model,
    belief: Belief,
    step: TimeStep,
    noise: StepNoise,
    batch: Batch,
    config: FilterConfig = FilterConfig(),
    *,
    t: int = 0,
    scored: bool = True,
    pays: bool = True,
    in_sequence: Bool[Tensor, " batch"] | None = None,
    path: SamplePath | None = None,
    twist: Twist | None = None,
    twisted: Twisted | None = None,
    stepper: Stepper | None = None,
) -> FilterStep:
    """Return the record of one step of a particle filter: resample, advance, weight.

    Args:
        batch: what the step belongs to.
        t: which step of it, for the twisting function.
        scored, pays: whether the densities of x and of z enter the weights.
        in_sequence: sequences that the step is a part of.
        twisted: what the twisting function goes on from, of the step before.
        stepper: the fast step of the model, taken where it fits.
    """
    before, ancestor, choice = resample(
        belief, noise.resampling, config.threshold, config.scheme, in_sequence, path is not None
    )
    draw = None
    if twist is not None:
        twisted = _carried(twisted, before, ancestor)
        unseen = batch.is_increment & ~step.present
        draw = partial(twist.draw, t=t, before=twisted.x, pending=before.pending, unseen=unseen)
    plain = path is None and twist is None and config.proposal == "posterior"
    if stepper is not None and step.complete and plain:
        found, prior, emission = stepper(model, before, step, noise.latent)
    else:
        found = advance(
            model, before, step, noise, batch, proposal=config.proposal, path=path, draw=draw
        )
        lead = (noise.latent.shape[0], noise.latent.shape[1])
        prior = found.prior
        if prior is None:
            prior = unflatten(model.prior(found.entering), lead)
        emission = found.emission
        if emission is None and scored and found.exact is None:
            emission = unflatten(model.emission(found.emitting), lead)
    gain = step_weight(found, prior, emission, step, config.ratio_weight, scored=scored, pays=pays)
    if twist is not None and twisted is not None:
        x = found.x.expand_as(found.pending)
        value = twist.log_twist(t, x, twisted.x, found.pending)
        chosen = 0.0 if found.log_chosen is None else found.log_chosen
        gain = gain + value - twisted.log_twist + chosen
        twisted = Twisted(x, value)
    log_prob, log_weight = normalize_weights(before.log_weight, gain)
    after = Belief(found.state, found.pending, log_weight)
    return FilterStep(before, after, after, found, prior, log_prob, ancestor, choice, twisted)


def _carried(
    twisted: Twisted | None, before: Belief, ancestor: Int[Tensor, "sample batch"]
) -> Twisted:
    """Return what a twisted filter carries, of the particles that were drawn."""
    if twisted is None:
        return Twisted(torch.zeros_like(before.pending), torch.zeros_like(before.log_weight))
    return Twisted(take(twisted.x, ancestor), twisted.log_twist.gather(0, ancestor))


def step_weight(
    step: Step,
    prior: LatentDistribution,
    emission: Distribution | None,
    data: TimeStep,
    ratio_weight: float = 1.0,
    *,
    scored: bool = True,
    pays: bool = True,
) -> Float[Tensor, "sample batch"]:
    """Return log a_t of every particle: log p(x_t | s_t) + log p(z_t) - log q(z_t).

    It is 0 where nothing is observed. Where the listed values k of the latent were gone through, it
    is log sum_k p(k) p(x_t | k) plus the ratio of the rest, whichever value was drawn.

    Args:
        scored, pays: whether the densities of x and of z count.
    """
    gain = step.latent.new_zeros(step.latent.shape[:2])
    posterior, z = step.posterior, step.latent
    one = prior is posterior
    if step.exact is not None:
        gain = gain + step.exact if scored else gain
        prior, posterior = prior.rest, posterior.rest
        z = z[..., : posterior.mean.shape[-1]]
    elif scored and emission is not None:
        gain = gain + emission.log_prob(step.x, data.present)
    if pays and not one:
        difference = prior.log_prob(z) - posterior.log_prob(z)
        difference = difference if ratio_weight == 1 else ratio_weight * difference
        gain = gain + difference.where(data.present.any(-1), 0.0)
    return gain
