"""The standard normals that a pass through a model uses: an argument everywhere, drawn here."""

from math import prod
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import pad_time
from vrnn.inference.random_numbers import Source, normals, part, quasi_normals
from vrnn.models.contract import GlobalLatentModel, Model


class Noise(NamedTuple):
    """The standard normals of one pass.

    Attributes:
        global_latent: for the latent drawn once a sequence, (sample, batch, .).
        latent: for z_t, (sample, batch, time, .).
        observation: for observations that the model draws itself, (sample, batch, time, .); of
            time 0 where it draws none.
        resampling: for the ancestors of particles, (sample, batch, time); of time 0 where none
            are resampled.
    """

    global_latent: Float[Tensor, "sample batch global"]
    latent: Float[Tensor, "sample batch time latent"]
    observation: Float[Tensor, "sample batch drawn noise"]
    resampling: Float[Tensor, "sample batch resampled"]

    def sequences(self, index: slice) -> "Noise":
        """Return the noise of some sequences."""
        return Noise(*(t[:, index] for t in self))

    def joined(self, other: "Noise") -> "Noise":
        """Return the noise of these sequences and others; the shorter one is padded with zeros."""
        time = max(self.latent.shape[2], other.latent.shape[2])
        parts = [torch.cat([self.global_latent, other.global_latent], 1)]
        for a, b in zip(self[1:], other[1:], strict=True):
            drawn = time if a.shape[2] or b.shape[2] else 0  # for one of the two at least
            parts.append(torch.cat([pad_time(t, 2, drawn) for t in (a, b)], 1))
        return Noise(*parts)

    def steps(self, index: slice) -> "Noise":
        """Return the noise of some time steps; what is drawn at none of them stays so."""
        return Noise(self.global_latent, *(t[:, :, index] for t in self[1:]))


def draw_noise(
    model: Model,
    samples: int,
    batch: int,
    time: int,
    source: Source,
    *,
    observations: bool = True,
    resampling: bool = False,
    qmc: bool = False,
) -> Noise:
    """Return normals for `samples` passes over `batch` sequences of `time` steps.

    Args:
        source: a generator, or `TrackNumbers` of the sequences. The draw moves to the model's device.
        observations: whether the pass draws observations, as in gaps and in free generation.
        resampling: whether particles are resampled.
        qmc: make the samples of each sequence cover the normal distribution evenly, see
            `quasi_normals`.
    """
    weight = next(model.parameters())

    def draw(kind: int, *shape: int) -> Tensor:
        if 0 in shape:
            return weight.new_empty(shape)
        of = part(source, kind)
        if qmc:
            return quasi_normals(shape[0], shape[1], prod(shape[2:]), of).view(shape).to(weight)
        return normals(of, *shape).to(weight)

    once = draw(0, samples, batch, global_noise_size(model))
    latent = draw(1, samples, batch, time, model.latent.noise_size)
    # What may be left out is drawn last, so that everything else is the same without it.
    ancestors = draw(2, samples, batch, time if resampling else 0)
    drawn = draw(3, samples, batch, time if observations else 0, model.observation.noise_size)
    return Noise(once, latent, drawn, ancestors)


def global_noise_size(model: Model) -> int:
    """Return how many normals a draw of the global latent takes; 0 of a model without one."""
    return model.global_latent.noise_size if isinstance(model, GlobalLatentModel) else 0


def no_noise(model: Model, batch: int, time: int) -> Noise:
    """Return the noise of one pass with all normals at 0.

    Gaussian latents are then at their means, and draws are what the emission makes of 0. Of the
    categories it is the one at which the cumulative probability passes 1/2.
    """
    weight = next(model.parameters())
    return Noise(
        weight.new_zeros(1, batch, global_noise_size(model)),
        weight.new_zeros(1, batch, time, model.latent.noise_size),
        weight.new_zeros(1, batch, time, model.observation.noise_size),
        weight.new_zeros(1, batch, 0),
    )
