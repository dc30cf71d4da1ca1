"""Free generation: a model goes on alone from a belief, reading its own draws."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import Distribution
from vrnn.distributions.tempered import check_temperature, temper
from vrnn.inference.embed import embed_prefix
from vrnn.inference.flat import flatten, unflatten
from vrnn.inference.noise import Noise
from vrnn.inference.plans import plan_of
from vrnn.inference.step import Belief, draw_global, start_belief
from vrnn.inference.traits import reads_prefix
from vrnn.inference.unroll import filter_prefix
from vrnn.models.contract import Model


class Rollout(NamedTuple):
    """The record of a free generation.

    Attributes:
        x: drawn observations in model units, (sample, batch, time, dim).
        emissions: the distribution that each step of x was drawn from, over (sample, batch, dim),
            where they were to be kept.
    """

    x: Float[Tensor, "sample batch time dim"]
    emissions: list[Distribution] | None = None


def condition(model: Model, prefix: Batch, noise: Noise) -> Belief:
    """Return the belief after a prefix: filtered, or read at once where the model does so.

    A prefix without time steps gives the model's own beginning.
    """
    if prefix.x.shape[1] and not reads_prefix(model):
        return filter_prefix(model, prefix, noise)
    context = embed_prefix(model, prefix)
    once = draw_global(model, noise.global_latent, context)
    return start_belief(model, once.z, context, prefix.x.shape[-1])


def fan_out(belief: Belief, samples: int) -> Belief:
    """Return a belief with so many samples, sample i from particle i modulo their number.

    The particles are taken as equally likely; so are the samples.
    """
    particles = belief.pending.shape[0]
    if particles == samples:
        return belief
    chosen = torch.arange(samples, device=belief.pending.device) % particles
    wider = belief.map(lambda part: part[chosen])
    return wider._replace(log_weight=torch.full_like(wider.log_weight, -math.log(samples)))


def rollout(
    model: Model,
    belief: Belief,
    u: Float[Tensor, "batch time inputs"],
    noise: Noise,
    *,
    keep: bool = False,
    temperature: float = 1.0,
) -> Rollout:
    """Return joint sample paths from a belief.

    Latents come from the prior and observations from the emission, fed back. It equals `unroll`
    over as many missing points, without the bookkeeping of a bound.

    Args:
        u: known inputs of the steps to draw; their time axis says how many.
        noise: standard normals of those steps; the belief has its global latent already.
        keep: return the emissions too.
        temperature: factor on the distances of latents and observations from their means.

    Raises:
        ConfigError, UnsupportedError: see `check_temperature`.
    """
    check_temperature(model.observation, temperature)
    plan = plan_of(model)
    if plan is not None and plan.rollout is not None:
        found = plan.rollout(model, belief, u, noise, keep=keep, temperature=temperature)
        if found is not None:
            return found
    lead = (noise.latent.shape[0], noise.latent.shape[1])
    state, inputs = flatten(belief.state, lead), model.embed_inputs(u)
    drawn, emissions = [], []
    steps = zip(inputs.unbind(1), noise.latent.unbind(2), noise.observation.unbind(2), strict=True)
    for inputs_t, latent_normals, normals in steps:
        inputs_t = flatten(inputs_t, lead)
        state = model.with_input(state, inputs_t)
        if model.latent.dim:
            prior = temper(model.prior(state), model.latent, temperature)
            state = model.with_latent(state, prior.sample(latent_normals.flatten(0, 1)))
        emission = temper(model.emission(state), model.observation, temperature)
        x = emission.sample(normals.flatten(0, 1))
        state = model.with_observation(state, model.embed_observations(x, inputs_t))
        drawn.append(x)
        if keep:
            emissions.append(unflatten(emission, lead))
    x = torch.stack(drawn, 1).unflatten(0, lead)
    return Rollout(x, emissions if keep else None)
