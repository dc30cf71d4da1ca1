"""One time step of a model over data, which every inference is made of."""

import math
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import Distribution, Gaussian, LatentDistribution
from vrnn.distributions.choice import choose
from vrnn.distributions.tree import tree_map
from vrnn.inference.embed import Embedded
from vrnn.inference.flat import flatten, unflatten, where
from vrnn.inference.traits import evidence_of, has_posterior, looks_ahead
from vrnn.models.contract import GlobalLatentModel, Model, State

Proposal = Literal["posterior", "prior"]
Draw = Callable[[Distribution, Tensor, Tensor | None], tuple[Tensor, Tensor]]
"""Draws from (emission, normals, path of the first particle); returns draws and log-weights."""


class Belief(NamedTuple):
    """Where a pass has come to: what a further pass or a rollout starts from.

    Attributes:
        state: the model's state, tensors (sample, batch, .).
        pending: what the model has drawn itself since the last observed entry, in the dimensions
            that are increments, (sample, batch, dim).
        log_weight: log of each particle's weight, (sample, batch). The weights sum to 1 after a
            step of a filter. The samples of `unroll` do not compete and keep theirs.
    """

    state: State
    pending: Float[Tensor, "sample batch dim"]
    log_weight: Float[Tensor, "sample batch"]

    def where(self, moved: Bool[Tensor, " batch"], other: "Belief") -> "Belief":
        """Return this belief for the sequences that have moved, the other one for the rest."""
        if bool(moved.all()):
            return self

        def one(new: Tensor, old: Tensor) -> Tensor:
            return torch.where(moved.view(-1, *(1,) * (new.dim() - 2)), new, old)

        return tree_map(one, self, other)

    def map(self, change: Callable[[Tensor], Tensor]) -> "Belief":
        """Return the belief with a function applied to every tensor (sample, batch, ...)."""
        return tree_map(change, self)


class TimeStep(NamedTuple):
    """The data of one time step.

    Attributes:
        inputs, features, evidence: features of the step, (batch, .).
        x: observations, (batch, dim).
        present: where they are observed, (batch, dim).
        u: known inputs, (batch, .).
        complete: every sequence that goes on has all its entries, now and at the step before, so
            that nothing is drawn.
    """

    inputs: Float[Tensor, "batch inputs"]
    features: Float[Tensor, "batch features"]
    evidence: Float[Tensor, "batch evidence"]
    x: Float[Tensor, "batch dim"]
    present: Bool[Tensor, "batch dim"]
    u: Float[Tensor, "batch known"]
    complete: bool


class StepNoise(NamedTuple):
    """The standard normals of one step, None for what is not drawn."""

    latent: Float[Tensor, "sample batch latent"]
    observation: Float[Tensor, "sample batch noise"] | None
    resampling: Float[Tensor, "sample batch"] | None = None


class SamplePath(NamedTuple):
    """What one particle of each sequence drew from its beginning to its end.

    Attributes:
        global_latent: the latent drawn once, (batch, .).
        latent: z_t, (batch, time, .); at a single step (batch, .).
        x: the observations as the particle received them, its own draws where missing, (batch,
            time, dim) or (batch, dim).
    """

    global_latent: Float[Tensor, "batch global"]
    latent: Float[Tensor, "batch *time latent"]
    x: Float[Tensor, "batch *time dim"]


class Step(NamedTuple):
    """The record of a step.

    Attributes:
        entering: the state that prior and posterior read, tensors (sample * batch, .); None from
            a compiled step, which returns both.
        prior: the prior of the latent, where the step had to compute it; else None.
        posterior: what the latent was drawn from, over (sample, batch, .); the prior itself where
            the model has no posterior of its own.
        latent: the draw, (sample, batch, .).
        exact: log sum_k p(k) p(x_t | k) over the listed categories, (sample, batch), 0 where nothing
            is observed; None where they were not summed over.
        emitting: the state that the emission reads, as `entering`.
        emission: the emission, where the step had to draw from it; else None.
        x: the observation as the model received it, (sample or 1, batch, dim).
        state, pending: of the belief after the step.
        log_chosen: log-weights of the missing points, where `draw` has drawn them; else None.
    """

    entering: State
    prior: LatentDistribution | None
    posterior: LatentDistribution
    latent: Float[Tensor, "sample batch latent"]
    exact: Float[Tensor, "sample batch"] | None
    emitting: State
    emission: Distribution | None
    x: Float[Tensor, "*sample batch dim"]
    state: State
    pending: Float[Tensor, "sample batch dim"]
    log_chosen: Float[Tensor, "sample batch"] | None = None


class GlobalDraw(NamedTuple):
    """The global latent of a pass: both distributions over (batch, .), and the draws.

    The posterior is the prior itself where the model has no posterior of its own. A model without
    a global latent has one of width 0.
    """

    prior: LatentDistribution
    posterior: LatentDistribution
    z: Float[Tensor, "sample batch global"]


def draw_global(
    model: Model,
    normals: Float[Tensor, "sample batch global"],
    context: Float[Tensor, "batch context"],
    *,
    batch: Batch | None = None,
    evidence: Float[Tensor, "batch time evidence"] | None = None,
) -> GlobalDraw:
    """Return the global latent, drawn from its posterior where evidence is given.

    A sequence without a point has its global latent from the prior.
    """
    if not isinstance(model, GlobalLatentModel):
        return no_global(normals, context)
    prior = posterior = model.global_prior(context)
    if evidence is not None and batch is not None:
        found = model.global_posterior(context, evidence)
        if found is not None:
            posterior = where(batch.mask.any(-1), found, prior)
    return GlobalDraw(prior, posterior, posterior.sample(normals))


def no_global(
    normals: Float[Tensor, "sample batch 0"], context: Float[Tensor, "batch context"]
) -> GlobalDraw:
    """Return a global latent of width 0."""
    nothing = Gaussian(0).standard(context)
    return GlobalDraw(nothing, nothing, normals)


def start_belief(
    model: Model,
    z: Float[Tensor, "sample batch global"],
    context: Float[Tensor, "batch context"],
    dim: int,
) -> Belief:
    """Return the belief before the first step, its particles equally weighted.

    Args:
        z: the global latent, of width 0 where the model has none.
        context: what the model keeps of a prefix.
        dim: width of an observation.
    """
    lead = (z.shape[0], z.shape[1])
    state = model.initial_state()
    if isinstance(model, GlobalLatentModel):
        flat = tree_map(lambda t: t.expand(lead[0] * lead[1], -1), state)
        moved = model.with_global(flat, flatten(z, lead), flatten(context, lead))
        state = unflatten(moved, lead)
    else:
        state = tree_map(lambda t: t.expand(*lead, -1), state)
    pending, weight = z.new_zeros(*lead, dim), z.new_full(lead, -math.log(lead[0]))
    return Belief(state, pending, weight)


def time_steps(batch: Batch, embedded: Embedded, start: Belief) -> Iterator[TimeStep]:
    """Return the time steps of a batch, from a belief that may have drawn observations itself."""
    complete = complete_steps(batch, start)
    parts = (*embedded[:3], batch.x, batch.present, batch.u)
    steps = zip(*(part.unbind(1) for part in parts), complete, strict=True)
    return (TimeStep(*step) for step in steps)


def complete_steps(batch: Batch, start: Belief) -> list[bool]:
    """Return at which steps every sequence has all its entries, there and at the step before."""
    resumes = bool((start.pending != 0).any())
    whole = (batch.present | ~batch.in_sequence[..., None]).all(-1).all(0).tolist()
    return [now and before for now, before in zip(whole, [not resumes, *whole[:-1]], strict=False)]


def advance(
    model: Model,
    belief: Belief,
    step: TimeStep,
    noise: StepNoise,
    batch: Batch,
    *,
    proposal: Proposal = "posterior",
    path: SamplePath | None = None,
    draw: Draw | None = None,
) -> Step:
    """Return the record of one step: an input, a latent and an observation arrive.

    From the posterior, listed categories are drawn from the exact one, unless the model returns a
    distribution over the whole latent. Where a whole point is missing, the latent comes from the
    prior. The state then receives a draw of
    the model's own emission, given the entries that are present. At the first entry observed after a gap, in
    the dimensions that are increments, the value is what remains of the increment after those
    draws, so that the track reconnects.

    Args:
        noise: normals of the observation are needed where the step is not complete.
        batch: what the step belongs to.
        proposal: where latents of observed steps come from.
        path: what the first particle is made to draw, for a conditional particle filter.
        draw: how missing points are drawn, in view of what is observed later; by the emission when
            None.
    """
    lead = (noise.latent.shape[0], noise.latent.shape[1])
    inputs = flatten(step.inputs, lead)
    x, present = step.x, step.present
    entering = model.with_input(flatten(belief.state, lead), inputs)
    if not step.complete:
        x = torch.where(present, x - belief.pending, 0.0)
    prior, posterior, z, exact = _draw_latent(
        model, entering, step, x, inputs, noise, batch, proposal, path
    )
    emitting, emission, log_chosen = entering, None, None
    if model.latent.dim:
        emitting = model.with_latent(entering, flatten(z, lead))
    pending, features = belief.pending, step.features
    if not step.complete:
        emission = unflatten(model.emission(emitting), lead)
        assert noise.observation is not None, (
            "a step with missing points needs normals to draw them"
        )
        fixed = None if path is None else path.x
        if draw is not None:
            drawn, log_chosen = draw(emission, noise.observation, fixed)
            x = torch.where(present, x, drawn)
        else:
            x = emission.sample(noise.observation, x, present)
            x = x if fixed is None else torch.cat([torch.where(present, x[:1], fixed), x[1:]])
        pending = torch.where(batch.is_increment & ~present, pending + x, 0.0)
        features = model.embed_observations(flatten(x, lead), inputs)
    after = model.with_observation(emitting, flatten(features, lead) if step.complete else features)
    return Step(
        entering=entering,
        prior=prior,
        posterior=posterior,
        latent=z,
        exact=exact,
        emitting=emitting,
        emission=emission,
        x=x,
        state=unflatten(after, lead),
        pending=pending,
        log_chosen=log_chosen,
    )


class LatentDraw(NamedTuple):
    """The latent of a step: see `Step` for each field."""

    prior: LatentDistribution | None
    posterior: LatentDistribution
    z: Float[Tensor, "sample batch latent"]
    exact: Float[Tensor, "sample batch"] | None = None


def _draw_latent(
    model: Model,
    entering: State,
    step: TimeStep,
    x: Float[Tensor, "*sample batch dim"],
    inputs: Float[Tensor, "n inputs"],
    noise: StepNoise,
    batch: Batch,
    proposal: Proposal,
    path: SamplePath | None,
) -> LatentDraw:
    """Return what the latent was drawn from, and the draw; the first particle follows the path."""
    lead = (noise.latent.shape[0], noise.latent.shape[1])
    if not model.latent.dim:
        nothing = model.latent.standard(noise.latent)
        return LatentDraw(nothing, nothing, noise.latent)
    u_dim = step.u.shape[-1]
    posterior = None
    own = proposal == "posterior" and has_posterior(model, u_dim)
    if own:
        evidence = flatten(step.evidence, lead)
        if not step.complete and evidence.shape[-1] and not looks_ahead(model, u_dim):
            evidence = evidence_of(model, _single(step, x, batch, lead), inputs[:, None])[:, 0]
        found = model.posterior(entering, evidence)
        posterior = None if found is None else unflatten(found, lead)
    if own and model.latent.listed and (posterior is None or posterior.listed is None):
        return _draw_listed(model, entering, posterior, step, x, noise, path)
    if posterior is not None and step.complete:
        return LatentDraw(None, posterior, _following(posterior.sample(noise.latent), path))
    prior = unflatten(model.prior(entering), lead)
    q = prior if posterior is None else where(step.present.any(-1), posterior, prior)
    return LatentDraw(prior, q, _following(q.sample(noise.latent), path))


def _draw_listed(
    model: Model,
    entering: State,
    posterior: LatentDistribution | None,
    step: TimeStep,
    x: Float[Tensor, "*sample batch dim"],
    noise: StepNoise,
    path: SamplePath | None,
) -> LatentDraw:
    """Return the draw of a latent whose listed values have their exact posterior given the rest.

    q(k | rest) proportional to p(k | s_t) p(x_t | s_t, k, rest)

    Args:
        posterior: of the rest; None where it is the prior.
    """
    lead = (noise.latent.shape[0], noise.latent.shape[1])
    prior = unflatten(model.prior(entering), lead)
    rest = prior.rest if posterior is None else posterior
    seen = step.present.any(-1)
    if posterior is not None and not step.complete:
        rest = where(seen, posterior, prior.rest)
    z = rest.sample(noise.latent[..., :-1])
    if path is not None:
        z = torch.cat([path.latent[None, :, : z.shape[-1]], z[1:]])
    joint = log_joint(model, entering, prior, z, x, step.present)
    chosen = choose(joint.detach(), noise.latent[..., -1])
    value = torch.nn.functional.one_hot(chosen, model.latent.listed).to(joint)
    return LatentDraw(
        prior=prior,
        posterior=model.latent.complete(rest, joint),
        z=_following(torch.cat([z, value], -1), path),
        exact=torch.where(seen, joint.logsumexp(-1), 0.0),
    )


def _following(
    z: Float[Tensor, "sample batch latent"], path: SamplePath | None
) -> Float[Tensor, "sample batch latent"]:
    """Return draws of which the first is that of a path."""
    return z if path is None else torch.cat([path.latent[None], z[1:]])


def log_joint(
    model: Model,
    entering: State,
    prior: LatentDistribution,
    rest: Float[Tensor, "sample batch rest"],
    x: Float[Tensor, "*sample batch dim"],
    present: Bool[Tensor, "batch dim"],
) -> Float[Tensor, "sample batch values"]:
    """Return log p(k | s_t) + log p(x_t | s_t, k, rest) of every listed category k.

    Args:
        entering: the state before the latent, tensors (sample * batch, .).
        prior: over (sample, batch, latent).
        rest: what has been drawn of the rest of the latent.
    """
    lead = (rest.shape[0], rest.shape[1])
    count, values = lead[0] * lead[1], model.latent.listed
    every = tree_map(lambda t: t.expand(values, *t.shape).reshape(values * count, -1), entering)
    one_hot = torch.eye(values).to(rest)[:, None].expand(-1, count, -1)
    flat = flatten(rest, lead).expand(values, count, -1)
    z = torch.cat([flat, one_hot], -1).reshape(values * count, -1)
    emission = unflatten(model.emission(model.with_latent(every, z)), (values, *lead))
    log_prob = emission.log_prob(x, present).expand(values, *lead)
    assert prior.listed is not None
    return prior.listed + log_prob.movedim(0, -1)


def _single(
    step: TimeStep, x: Float[Tensor, "*sample batch dim"], batch: Batch, lead: tuple[int, int]
) -> Batch:
    """Return a step as a batch of sequences of length one, samples and sequences on one axis."""
    count = lead[0] * lead[1]
    flat = flatten(x, lead)[:, None]
    return Batch(
        x=flat,
        present=flatten(step.present, lead)[:, None],
        length=torch.ones(count, dtype=batch.length.dtype, device=flat.device),
        u=flatten(step.u, lead)[:, None],
        y=flat[..., :0],
        y_present=flat[..., :0].bool(),
        is_increment=batch.is_increment,
        log_jacobian=flat.new_zeros(count, flat.shape[-1]),
        y_log_jacobian=flat.new_zeros(0),
    )


def stack_steps(steps: list[State], axis: int) -> State:
    """Return trees of every step stacked on a new axis; constant tensors are expanded."""

    def one(*parts: Tensor) -> Tensor:
        if all(part is parts[0] for part in parts):
            shape = list(parts[0].shape)
            shape.insert(axis, len(parts))
            return parts[0].unsqueeze(axis).expand(shape)
        return torch.stack(torch.broadcast_tensors(*parts), axis)

    return tree_map(one, *steps)
