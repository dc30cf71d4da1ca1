"""The standard normals that a pass through a model uses: an argument everywhere, drawn here."""

from enum import IntEnum
from math import prod
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import pad_time
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
    generator: torch.Generator,
    *,
    observations: bool = True,
    resampling: bool = False,
    qmc: bool = False,
) -> Noise:
    """Return normals for `samples` passes over `batch` sequences of `time` steps.

    Args:
        generator: source of randomness. The draw happens on its device and moves to the model's.
        observations: whether the pass draws observations, as in gaps and in free generation.
        resampling: whether particles are resampled.
        qmc: make the samples of each sequence cover the normal distribution evenly, see
            `quasi_normals`.
    """
    weight = next(model.parameters())

    def normals(*shape: int) -> Tensor:
        if 0 in shape:
            return weight.new_empty(shape)
        if qmc:
            return (
                quasi_normals(shape[0], shape[1], prod(shape[2:]), generator).view(shape).to(weight)
            )
        drawn = torch.randn(
            *shape, generator=generator, dtype=torch.float32, device=generator.device
        )
        return drawn.to(weight.device, weight.dtype)

    once = normals(samples, batch, global_noise_size(model))
    latent = normals(samples, batch, time, model.latent.noise_size)
    # What may be left out is drawn last, so that everything else is the same without it.
    ancestors = normals(samples, batch, time if resampling else 0)
    drawn = normals(samples, batch, time if observations else 0, model.observation.noise_size)
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


def quasi_normals(
    samples: int, batch: int, width: int, generator: torch.Generator
) -> Float[Tensor, "samples batch width"]:
    """Return normals that cover their distribution more evenly than independent ones.

    They are the points of a scrambled Sobol sequence, shifted at random for each sequence of the
    batch. Every single one is standard normal. The samples of a sequence repel each other, so means
    over them, and the best of a few, vary less. Sobol's numbers are known for 21,201 dimensions;
    the rest is independent.

    Source: Owen 1998, "Scrambling Sobol' and Niederreiter-Xing points"; Cranley and Patterson 1976 for the shift.

    >>> z = quasi_normals(64, 1, 1, torch.Generator().manual_seed(0))
    >>> bool(abs((z < 0).double().mean() - 0.5) <= 1 / 64)
    True
    """
    known = min(width, torch.quasirandom.SobolEngine.MAXDIM)
    seed = int(torch.randint(2**31, (), generator=generator))
    points = torch.quasirandom.SobolEngine(known, scramble=True, seed=seed).draw(
        samples, dtype=torch.float64
    )
    # Two scrambled sequences are one with its digits mixed. An order of their own parts them.
    points = points[torch.randperm(samples, generator=generator)]
    shift = torch.rand(batch, known, generator=generator, dtype=torch.float64)
    uniform = (points[:, None] + shift).remainder(1.0).clamp(1e-9, 1 - 1e-9)
    rest = torch.randn(samples, batch, width - known, generator=generator)
    return torch.cat([torch.special.ndtri(uniform).to(rest), rest], -1)


class Stream(IntEnum):
    """The purposes of random numbers. Each has its own stream, so that no two depend on each other.

    `observe` and `filter_tracks` share `BELIEF` and `FILTER` on purpose: they must agree.
    """

    ORDER = 1  # of the training tracks, in an epoch
    AUGMENT = 2  # the changes of a training step
    HOLDOUT = 3  # which tracks are held out for validation
    TRAIN = 4  # the noise of a training step
    VALIDATE = 5  # the noise of a validation batch
    PREFIX = 6  # the states that a prefix leaves, before a forecast
    FUTURE = 7  # the future of a forecast
    GENERATE = 8
    ENCODE = 9
    FUTURE_NLL = 10  # the latents under which `evaluate` scores the true future
    TARGETS = 11  # the latents under which `evaluate` predicts and scores y
    BELIEF = 12  # the states before the first row of a filter
    FILTER = 13  # a step of the filter
    RANK = 14  # the draws that `score` ranks an observation among
    IMPUTE = 15
    LIKELIHOOD = 16
    PARTICLES = 17  # the particles of a belief that a forecast starts from
    PREDICTIVE = 18  # the latents of a predictive distribution
    PREDICTIVE_SAMPLES = 19
    CALIBRATION = 20  # the seed that a calibration set is scored by
    TRAIN_CUTS = 21  # where the futures of a training step begin, and their noise
    VALIDATE_CUTS = 22  # the same of a validation batch
    TRAIN_MODES = 23  # where the futures begin that a mode head is trained on
    VALIDATE_MODES = 24
    HIDE = 25  # the rows that a calibrated imputation hides
    JITTER = 26  # the noise that an augmentation adds to positions
    LATENT_USE = 27  # the latents of a report on how much they are used
    SIMULATED = 28  # the simulated tracks of a training step
    TRAIN_SIMULATED = 29  # the noise of a training step on simulated tracks
    BASELINES = 30  # the futures of the baselines that `evaluate` shows


def seeded(*numbers: int) -> torch.Generator:
    """Return a CPU generator for a seed, a purpose and more whole numbers, such as a step.

    Of lists of numbers that are equally long, each gives a stream of its own. A zero at the end
    changes nothing, and numbers count modulo 2^32.

    >>> one, two = seeded(0, Stream.FUTURE), seeded(0, Stream.PREFIX)
    >>> torch.equal(torch.randn(2, generator=one), torch.randn(2, generator=two))
    False
    """
    words = np.array([n % 2**32 for n in numbers], np.uint32)
    entropy = np.random.SeedSequence(words).generate_state(2, np.uint32)
    return torch.Generator().manual_seed(int(entropy[0]) << 31 | int(entropy[1]) >> 1)
