"""Where random numbers come from: a generator, or numbers of each track's own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt64
from torch import Tensor

from vrnn.ops.philox import philox_uniforms

SOBOL_BLOCK = 64
"""Dimensions of the first block of a scrambled sequence."""


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


@dataclass(frozen=True)
class TrackNumbers:
    """Random numbers of which each track has its own, set by its key alone.

    What is drawn for a track does not depend on the tracks beside it, nor on how tracks are split
    into chunks. More samples begin with the same ones. The same call always gives the same numbers.
    `part` gives independent numbers, for another use.

    Attributes:
        keys: one number of 64 bits for each track, (batch,).
        shared: the number that stands for all tracks, for what they share.
        first: the time step that the first drawn step is.
    """

    keys: UInt64[np.ndarray, " batch"]
    shared: int
    first: int = 0

    def part(self, *numbers: int) -> "TrackNumbers":
        """Return numbers of the same tracks, independent of these and of those for another list."""
        keys, shared = self.keys, np.array([self.shared], np.uint64)
        for number in numbers:
            keys, shared = (
                _mixed(k ^ _mixed(np.array([number], np.uint64))) for k in (keys, shared)
            )
        return replace(self, keys=keys, shared=int(shared[0]))

    def from_step(self, first: int) -> "TrackNumbers":
        """Return these numbers from a later time step on."""
        return replace(self, first=self.first + first)

    def __getitem__(self, index: Any) -> "TrackNumbers":
        """Return the numbers of some of the tracks."""
        return replace(self, keys=self.keys[index])

    def copies(self, count: int) -> "TrackNumbers":
        """Return numbers for `count` copies of the tracks, copy after copy, each with its own."""
        return replace(self, keys=np.concatenate([self.part(i).keys for i in range(count)]))

    def uniforms(self, *shape: int) -> Float[Tensor, "sample batch *rest"]:
        """Return numbers between 0 and 1 in float32; shapes as in `normals`."""
        return self._shaped(shape, self._drawn(shape))

    def normals(self, *shape: int) -> Float[Tensor, "sample batch *rest"]:
        """Return standard normals in float32, (sample, batch), (., ., time) or (., ., time, width).

        z_{2i} = r cos(2 pi v), z_{2i + 1} = r sin(2 pi v), r = sqrt(-2 log u), with u and v the
        numbers 2i and 2i + 1.

        Source: Box and Muller 1958, "A note on the generation of random normal deviates".
        """
        u, v = self._drawn(shape).unflatten(-1, (-1, 2)).unbind(-1)
        radius, angle = (-2 * u.log()).sqrt(), 2 * torch.pi * v
        pairs = torch.stack([radius * angle.cos(), radius * angle.sin()], -1)
        return self._shaped(shape, pairs.flatten(-2))

    def _drawn(self, shape: tuple[int, ...]) -> Float[Tensor, "batch time even"]:
        """Return numbers between 0 and 1 for a shape, and one more where they are odd."""
        samples, batch, time, width = (*shape, 1, 1)[:4]
        assert batch == len(self.keys)
        count = samples * width
        return philox_uniforms(self.keys, time, count + count % 2, first=self.first)

    @staticmethod
    def _shaped(
        shape: tuple[int, ...], flat: Float[Tensor, "batch time even"]
    ) -> Float[Tensor, "sample batch *rest"]:
        samples, width = shape[0], (*shape, 1, 1)[3]
        flat = flat[..., : samples * width].unflatten(-1, (samples, width))
        return flat.permute(2, 0, 1, 3).reshape(shape)


Source = torch.Generator | TrackNumbers
"""Where the numbers of a pass come from."""


def track_numbers(seed: int, stream: Stream, names: Sequence[str], *more: int) -> TrackNumbers:
    """Return random numbers of tracks for a seed, a purpose and more whole numbers.

    Args:
        names: ids of the tracks. Tracks of one name have the same numbers.

    >>> all_three = track_numbers(0, Stream.FUTURE, ["a", "b", "c"]).normals(5, 3, 4)
    >>> last = track_numbers(0, Stream.FUTURE, ["c"]).normals(2, 1, 4)
    >>> torch.equal(all_three[:2, 2:], last)
    True
    """
    numbers = np.array([seed, stream, *more], np.int64).tobytes()

    def key(name: str) -> int:
        digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8, key=numbers)
        return int.from_bytes(digest.digest(), "little")

    keys = np.fromiter((key(name) for name in names), np.uint64, len(names))
    return TrackNumbers(keys, int.from_bytes(blake2b(numbers, digest_size=8).digest(), "little"))


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


def normals(source: Source, *shape: int) -> Float[Tensor, "sample batch *rest"]:
    """Return standard normals in float32, on the generator's device; shapes as in `TrackNumbers`."""
    if isinstance(source, TrackNumbers):
        return source.normals(*shape)
    return torch.randn(*shape, generator=source, dtype=torch.float32, device=source.device)


def uniforms(source: Source, *shape: int) -> Float[Tensor, "sample batch *rest"]:
    """Return numbers between 0 and 1 in float32, on the generator's device."""
    if isinstance(source, TrackNumbers):
        return source.uniforms(*shape)
    return torch.rand(*shape, generator=source, dtype=torch.float32, device=source.device)


def part(source: Source, *numbers: int) -> Source:
    """Return a source of independent numbers: `TrackNumbers.part`, or the generator itself."""
    return source.part(*numbers) if isinstance(source, TrackNumbers) else source


def quasi_normals(
    samples: int, batch: int, width: int, source: Source
) -> Float[Tensor, "samples batch width"]:
    """Return normals that cover their distribution more evenly than independent ones.

    They are the points of a scrambled Sobol sequence, shifted at random for each sequence of the
    batch. Every single one is standard normal. The samples of a sequence repel each other, so means
    over them, and the best of a few, vary less. Sobol's numbers are known for 21,201 dimensions;
    the rest is independent. Fewer dimensions are the first of more.

    Source: Owen 1998, "Scrambling Sobol' and Niederreiter-Xing points"; Cranley and Patterson 1976 for the shift.

    >>> z = quasi_normals(64, 1, 1, seeded(0))
    >>> bool(abs((z < 0).double().mean() - 0.5) <= 1 / 64)
    True
    """
    known = min(width, torch.quasirandom.SobolEngine.MAXDIM)
    if isinstance(source, TrackNumbers):
        generator = seeded(source.shared & 0xFFFFFFFF, source.shared >> 32)
    else:
        generator = source
    points = _sobol(samples, known, int(torch.randint(2**31, (), generator=generator)))
    # Two scrambled sequences are one with its digits mixed. An order of their own parts them.
    points = points[torch.randperm(samples, generator=generator)]
    if isinstance(source, TrackNumbers):
        shift = source.part(0).uniforms(1, batch, known)[0].double()
    else:
        shift = torch.rand(batch, known, generator=source, dtype=torch.float64)
    uniform = (points[:, None] + shift).remainder(1.0).clamp(1e-9, 1 - 1e-9)
    rest = normals(part(source, 1), samples, batch, width - known)
    return torch.cat([torch.special.ndtri(uniform).to(rest), rest], -1)


def _sobol(samples: int, width: int, seed: int) -> Float[Tensor, "samples width"]:
    """Return points of a scrambled Sobol sequence, of which fewer dimensions are the first of more.

    A scramble of n dimensions has nothing in common with one of fewer. So dimensions come in blocks
    that double, each from a scramble of its own.
    """
    parts, start, most = [], 0, torch.quasirandom.SobolEngine.MAXDIM
    while start < width:
        stop = min(max(2 * start, SOBOL_BLOCK), most)
        engine = torch.quasirandom.SobolEngine(stop, scramble=True, seed=seed + start)
        parts.append(engine.draw(samples, dtype=torch.float64)[:, start:])
        start = stop
    return torch.cat(parts, 1)[:, :width]


def _mixed(keys: UInt64[np.ndarray, " batch"]) -> UInt64[np.ndarray, " batch"]:
    """Return keys with their bits mixed, one to one.

    Source: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators".
    """
    keys = keys + np.uint64(0x9E3779B97F4A7C15)
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))
