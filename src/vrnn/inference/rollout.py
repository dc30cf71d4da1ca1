"""Free generation: the model goes on alone from a belief, reading its own draws."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.distributions.base import Distribution
from vrnn.distributions.tempered import check_temperature, temper
from vrnn.inference.noise import Noise
from vrnn.inference.step import Belief
from vrnn.models.contract import Model


class Imagined(NamedTuple):
    """Record a free generation.

    Attributes:
        x: drawn observations in model units, (sample, batch, time, dim).
        emissions: the distribution that each row of x was drawn from, over (sample, batch, dim), where they were to be kept.
    """

    x: Float[Tensor, "sample batch time dim"]
    emissions: list[Distribution] | None = None


def imagine(
    model: Model,
    belief: Belief,
    u: Float[Tensor, "batch time inputs"],
    noise: Noise,
    *,
    keep: bool = False,
    temperature: float = 1.0,
) -> Imagined:
    """Draw joint sample paths from a belief: latents from the prior, observations from the emission, fed back.

    Equal to `unroll` over as many missing points, without the bookkeeping of a bound.

    Args:
        u: known inputs of the steps to draw; their time axis says how many.
        noise: standard normals of those steps; the code's are not used, the belief has one.
        keep: hand on the emissions too.
        temperature: what the distances of latents and observations from their means are multiplied by; of an emission whose draws are
            reparameterised.

    Raises:
        ConfigError, UnsupportedError: see `check_temperature`.
    """
    check_temperature(model.family, temperature)
    state, known = belief.state, model.embed_inputs(u)
    drawn, emissions = [], []
    for known_t, latent_normals, normals in zip(
        known.unbind(1), noise.latent.unbind(2), noise.observation.unbind(2), strict=True
    ):
        state = model.with_input(state, known_t)
        state = model.with_latent(
            state, model.prior(state, known_t).sample(temperature * latent_normals)
        )
        emission = temper(model.emission(state, known_t), model.family, temperature)
        x = emission.sample(normals)
        state = model.with_observation(state, model.embed_observations(x, known_t))
        drawn.append(x)
        if keep:
            emissions.append(emission)
    return Imagined(torch.stack(drawn, -2), emissions if keep else None)
