"""The standard normals that a pass through a model uses up: an argument everywhere, drawn here when omitted."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.models.contract import Model


class Noise(NamedTuple):
    """Hold the standard normals of one pass.

    Attributes:
        code: for the global latent, (sample, batch, code_dim).
        latent: for z_t, (sample, batch, time, latent_dim).
        observation: for observations that the model draws itself, (sample, batch, time, noise_size); time 0 when none is.
        resampling: for the ancestors of particles, (sample, batch, time); time 0 where none are resampled.
    """

    code: Float[Tensor, "sample batch code"]
    latent: Float[Tensor, "sample batch time latent"]
    observation: Float[Tensor, "sample batch drawn noise"]
    resampling: Float[Tensor, "sample batch resampled"]

    def rows(self, index: slice) -> "Noise":
        """Select sequences."""
        return Noise(*(t[:, index] for t in self))


def draw_noise(
    model: Model,
    samples: int,
    batch: int,
    time: int,
    generator: torch.Generator,
    *,
    observations: bool = True,
    resampling: bool = False,
) -> Noise:
    """Draw the normals for `samples` passes over `batch` sequences of `time` steps.

    Args:
        generator: source of randomness; the draw happens on its device and is moved to the model's.
        observations: whether the pass draws observations, as where points are missing or the future is imagined.
        resampling: whether particles are resampled.
    """
    weight = next(model.parameters())

    def normals(*shape: int) -> Tensor:
        drawn = torch.randn(*shape, generator=generator, dtype=torch.float32, device=generator.device)
        return drawn.to(weight.device, weight.dtype)

    code, latent = normals(samples, batch, model.code_dim), normals(samples, batch, time, model.latent_dim)
    # The last to be drawn is what may be left out, so that everything else is the same without it.
    ancestors = normals(samples, batch, time if resampling else 0)
    drawn = normals(samples, batch, time if observations else 0, model.family.noise_size)
    return Noise(code, latent, drawn, ancestors)


def seeded(*numbers: int) -> torch.Generator:
    """Make a CPU generator from whole numbers, such as (seed, step), each set giving its own stream.

    >>> torch.equal(torch.randn(2, generator=seeded(0, 1)), torch.randn(2, generator=seeded(1, 0)))
    False
    """
    import numpy as np

    entropy = np.random.SeedSequence([n % 2**32 for n in numbers]).generate_state(2, np.uint32)
    return torch.Generator().manual_seed(int(entropy[0]) << 31 | int(entropy[1]) >> 1)
