"""A pass over one sequence by the definition: one step at a time, every branch for it alone."""

from dataclasses import dataclass

import torch
from tests.models.settings import Case
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import Distribution, LatentDistribution
from vrnn.distributions.tree import tree_map
from vrnn.inference.step import Belief, Proposal
from vrnn.inference.traits import evidence_of, looks_ahead
from vrnn.models.contract import GlobalLatentModel, Model, State


@dataclass(frozen=True)
class PlainStep:
    """What the definition says of a step of one sequence; samples are the leading axis."""

    log_prob: Tensor  # log sum_k p(k) p(x | k) where categories were gone through
    prior: LatentDistribution
    posterior: LatentDistribution
    latent: Tensor
    x: Tensor


@dataclass(frozen=True)
class PlainPass:
    """What the definition says of a sequence.

    Attributes:
        steps: of the whole sequence.
        global_prior, global_posterior, global_latent: None of a model without one.
        state, pending: after the last step.
    """

    steps: list[PlainStep]
    global_prior: LatentDistribution | None
    global_posterior: LatentDistribution | None
    global_latent: Tensor | None
    belief: Belief


def plain_pass(model: Model, case: Case, proposal: Proposal = "posterior") -> PlainPass:
    """Return the pass over a case of one sequence without padding."""
    prefix, batch, noise = case
    assert batch.x.shape[:2] == (1, int(batch.length[0]))
    samples, time = noise.latent.shape[0], batch.x.shape[1]
    inputs = model.embed_inputs(batch.u)
    evidence = evidence_of(model, batch, inputs)
    state = tree_map(lambda t: t.expand(samples, -1), model.initial_state())
    prior = posterior = once = None
    if isinstance(model, GlobalLatentModel):
        read = batch if prefix is None else prefix
        context = model.embed_prefix(read, model.embed_inputs(read.u))
        prior = posterior = model.global_prior(context)
        if proposal == "posterior" and bool(batch.present.any()):
            posterior = model.global_posterior(context, evidence) or prior
        once = posterior.sample(noise.global_latent[:, 0])
        state = model.with_global(state, once, context.expand(samples, -1))
    pending, steps = batch.x.new_zeros(samples, batch.x.shape[-1]), []
    for t in range(time):
        now, step = inputs[:, t].expand(samples, -1), batch.time_steps(t, t + 1)
        there = batch.present[0, t].expand_as(pending)
        x = torch.where(there, batch.x[0, t] - pending, 0.0)
        state, exact = model.with_input(state, now), None
        p = q = model.prior(state) if model.latent.dim else model.latent.standard(pending)
        z = noise.latent[:, 0, t]
        if model.latent.dim:
            own = None
            if proposal == "posterior" and bool(there.any()):
                read = evidence[:, t].expand(samples, -1)
                if not looks_ahead(model, batch.u.shape[-1]):
                    seen = _single(step, x, there)
                    read = evidence_of(model, seen, now[:, None])[:, 0]
                own = model.posterior(state, read)
                q = own or p
            given = own is not None and own.listed is not None
            if proposal == "posterior" and model.latent.listed and not given:
                q, z, exact = _by_sum(model, state, p, own or p.rest, z, x, there)
            else:
                z = q.sample(z)
            state = model.with_latent(state, z)
        emission: Distribution = model.emission(state)
        if not bool(there.all()):
            x = emission.sample(noise.observation[:, 0, t], x, there)
        pending = torch.where(there, 0.0, pending + x) * batch.is_increment
        log_prob = emission.log_prob(x, there) if exact is None else exact
        steps.append(PlainStep(log_prob, p, q, z, x))
        state = model.with_observation(state, model.embed_observations(x, now))
    weight = pending.new_full((samples, 1), -float(torch.tensor(samples).double().log()))
    belief = Belief(tree_map(lambda t: t[:, None], state), pending[:, None], weight)
    return PlainPass(steps, prior, posterior, once, belief)


def _by_sum(model: Model, state: State, prior, own, noise: Tensor, x: Tensor, there: Tensor):
    """Return posterior, draw and log p(x) by a sum over the categories, one after another."""
    rest = own.sample(noise[:, :-1])
    joint = []
    for k in range(model.latent.listed):
        value = torch.zeros(len(x), model.latent.listed).to(x)
        value[:, k] = 1
        z = torch.cat([rest, value], -1)
        log_p = prior.log_prob(z) - prior.rest.log_prob(rest)
        joint.append(log_p + model.emission(model.with_latent(state, z)).log_prob(x, there))
    p = torch.stack(joint, -1).exp()
    total = p.sum(-1)
    u = torch.special.ndtr(noise[:, -1:]) * total[:, None]
    chosen = (p.cumsum(-1) < u).sum(-1)
    z = torch.cat([rest, torch.eye(model.latent.listed).to(x)[chosen]], -1)
    return model.latent.complete(own, p.log()), z, total.log()


def _single(step: Batch, x: Tensor, there: Tensor) -> Batch:
    """Return a step with the values of every sample as sequences of length one."""
    wide = step.sequences(torch.zeros(len(x), dtype=torch.long))
    return wide._replace(x=x[:, None], present=there[:, None])
