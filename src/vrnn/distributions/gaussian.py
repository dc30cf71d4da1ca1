"""The Gaussian with independent dimensions: the usual latent, and the plainest emission."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.distributions.base import LatentFamily, fill_absent, keep_present
from vrnn.distributions.scale import positive
from vrnn.errors import ConfigError

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class DiagonalGaussian(NamedTuple):
    """N(mean, diag(scale^2)), shapes (..., dim); a width of 0 is a point, with log-density 0.

    >>> import torch
    >>> q = DiagonalGaussian(torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1.0]))
    >>> q.kl(Gaussian(2).standard(q.mean))
    tensor([0.5000, 0.0000])
    """

    mean: Float[Tensor, "*lead dim"]
    scale: Float[Tensor, "*lead dim"]

    @property
    def table(self) -> Float[Tensor, "*lead dim 2"]:
        """Return the mean and the scale of each dimension."""
        return torch.stack([self.mean, self.scale], -1)

    @property
    def probabilities(self) -> Float[Tensor, "*lead 0"]:
        """Return a tensor of width 0: a Gaussian has no categories."""
        return self.mean[..., :0]

    @property
    def rest(self) -> "DiagonalGaussian":
        """Return the distribution itself: it lists no values."""
        return self

    @property
    def listed(self) -> None:
        """Return None: a Gaussian lists no values."""
        return None

    def sample(
        self,
        noise: Float[Tensor, "*#lead dim"],
        x: Float[Tensor, "*#lead dim"] | None = None,
        present: Bool[Tensor, "*#lead dim"] | None = None,
    ) -> Float[Tensor, "*#lead dim"]:
        """Return mean + scale * noise, differentiable in both parameters."""
        return keep_present(self.mean + self.scale * noise, x, present)

    def log_prob(
        self, x: Float[Tensor, "*#lead dim"], present: Bool[Tensor, "*#lead dim"] | None = None
    ) -> Float[Tensor, "*#lead"]:
        """Return the log-density in nats of the present entries of x, over all dimensions."""
        z = (fill_absent(x, present) - self.mean) / self.scale
        terms = torch.addcmul(self.scale.log(), z, z, value=0.5) + HALF_LOG_2PI
        return -fill_absent(terms, present).sum(-1)

    def kl(self, p: "DiagonalGaussian") -> Float[Tensor, "*#lead dim"]:
        """Return KL(self || p) of each dimension: log(s'/s) + (s^2 + (m - m')^2) / (2 s'^2) - 1/2."""
        ratio = self.scale / p.scale
        shift = (self.mean - p.mean) / p.scale
        return 0.5 * (ratio.square() + shift.square() - 1) - ratio.log()


@dataclass(frozen=True)
class Gaussian(LatentFamily):
    """Independent Gaussian dimensions from 2 dim outputs: means, then raw scales.

    Use it for dimensions that do not move together, or of which single ones may be missing. The
    two coordinates of a displacement are correlated as soon as tracks turn; `FullGaussian` is the
    better default there. As a latent it has width 0 where a model has none.

    >>> import torch
    >>> Gaussian(2)(torch.zeros(4)).scale
    tensor([0.6941, 0.6941])
    """

    dim: int
    factorises = True
    reparameterised = True

    def __post_init__(self):
        if self.dim < 0:
            raise ConfigError(f"gaussian: expected a width of 0 or more, found {self.dim}")

    @property
    def size(self) -> int:
        return 2 * self.dim

    @property
    def noise_size(self) -> int:
        return self.dim

    @property
    def units(self) -> int:
        return self.dim

    @property
    def continuous(self) -> tuple[bool, ...]:
        return (True,) * self.dim

    def __call__(self, raw: Float[Tensor, "*lead size"]) -> DiagonalGaussian:
        mean, scale = raw.split([self.dim, self.dim], -1)
        return DiagonalGaussian(mean, positive(scale))

    def standard(self, like: Float[Tensor, "*lead width"]) -> DiagonalGaussian:
        """Return N(0, I) with the leading axes, type and device of `like`."""
        shape = (*like.shape[:-1], self.dim)
        return DiagonalGaussian(like.new_zeros(shape), like.new_ones(shape))

    def moved(self, p: DiagonalGaussian, raw: Float[Tensor, "*lead size"]) -> DiagonalGaussian:
        """Return N(mean of p + m, s), with m and s of the outputs."""
        correction = self(raw)
        return DiagonalGaussian(p.mean + correction.mean, correction.scale)
