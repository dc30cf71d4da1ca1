"""What all bounds share: their settings, their result, and the noise they draw when none is given."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.inference.embed import Embedded, embed
from vrnn.inference.noise import Noise, draw_noise
from vrnn.inference.particle_filter import Filtered
from vrnn.inference.traits import looks_ahead
from vrnn.inference.unroll import Unrolled
from vrnn.models.contract import Model
from vrnn.objectives.terms import KL

BoundName = Literal["elbo", "iwae", "fivo"]


@dataclass(frozen=True)
class BoundConfig:
    """Settings of a bound; the defaults give the bound itself.

    Args:
        kl_weight: factor on the KL, or on log p(z) - log q(z) in the weights, of what is minimised.
            Below 1 the value of FIVO is no bound, as its particles are chosen by those weights.
        free_bits: nats of a unit and time step below which the KL of the ELBO is not pushed down.
        regulariser_weight: weight of the KL to the fixed prior, for models whose posterior is their
            prior. It is part of what is minimised and not of the bound.
        resample_below: FIVO resamples when the effective sample size falls below this share of
            the particles.
        resampling_term: FIVO adds the gradient through the choice of ancestors.
        first_scored: time steps at the start that are not scored. A heading transform is read from
            them. Their KL counts all the same where the posterior looks ahead, because their
            latents may hold information about later steps. Listed categories never look ahead.
    """

    kl_weight: float = 1.0
    free_bits: float = 0.0
    regulariser_weight: float = 0.0
    resample_below: float = 0.5
    resampling_term: bool = False
    first_scored: int = 0


class Bound(NamedTuple):
    """A lower bound on log p of each sequence, and what it is made of.

    Attributes:
        bound: in nats of model units, (batch,); of the ELBO the mean over samples.
        nll, penalty: what training minimises, their sum, (batch,).
        kl: the KL terms over the time steps that count.
        passed: the pass through the model.
    """

    bound: Float[Tensor, " batch"]
    nll: Float[Tensor, " batch"]
    penalty: Float[Tensor, " batch"]
    kl: KL
    passed: Unrolled | Filtered


def first_of_kl(model: Model, batch: Batch, config: BoundConfig) -> int:
    """Return the first time step whose KL counts; see `BoundConfig.first_scored`."""
    first = config.first_scored
    return 0 if first and looks_ahead(model, batch.u.shape[-1]) else first


def prepare(
    model: Model,
    batch: Batch,
    noise: Noise | None,
    *,
    samples: int,
    generator: torch.Generator | None,
    prefix: Batch | None,
    embedded: Embedded | None,
    resampling: bool = False,
) -> tuple[Noise, Embedded]:
    """Return the noise and the features of a bound, those that were not given."""
    embedded = embed(model, batch, prefix) if embedded is None else embedded
    if noise is None:
        generator = torch.default_generator if generator is None else generator
        count, time = batch.x.shape[:2]
        noise = draw_noise(
            model,
            samples,
            count,
            time,
            generator,
            observations=batch.has_missing,
            resampling=resampling,
        )
    return noise, embedded
