"""The Gaussian with independent dimensions: the law of every latent, and the plainest emission."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.distributions.base import Family, fill_absent
from vrnn.distributions.scale import positive
from vrnn.errors import ConfigError

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class DiagonalGaussian(NamedTuple):
    """N(mean, diag(scale^2)), shapes (..., dim); a width of 0 is a point, with log-density and KL 0.

    >>> import torch
    >>> q = DiagonalGaussian(torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1.0]))
    >>> q.kl(DiagonalGaussian.standard(q.mean))
    tensor(0.5000)
    """

    mean: Float[Tensor, "*lead dim"]
    scale: Float[Tensor, "*lead dim"]

    @classmethod
    def standard(
        cls, like: Float[Tensor, "*lead width"], dim: int | None = None
    ) -> "DiagonalGaussian":
        """N(0, I) with the leading axes, type and device of `like`, and its width unless `dim` is given."""
        shape = (*like.shape[:-1], like.shape[-1] if dim is None else dim)
        return cls(like.new_zeros(shape), like.new_ones(shape))

    def sample(self, noise: Float[Tensor, "*#lead dim"]) -> Float[Tensor, "*#lead dim"]:
        """Return mean + scale * noise, differentiable in both parameters."""
        return self.mean + self.scale * noise

    def log_prob(
        self, x: Float[Tensor, "*#lead dim"], present: Bool[Tensor, "*#lead dim"] | None = None
    ) -> Float[Tensor, "*#lead"]:
        """Log-density in nats of the present entries of x, is_increment over dimensions."""
        z = (fill_absent(x, present) - self.mean) / self.scale
        terms = torch.addcmul(self.scale.log(), z, z, value=0.5) + HALF_LOG_2PI
        return -fill_absent(terms, present).sum(-1)

    def kl_per_dim(self, other: "DiagonalGaussian") -> Float[Tensor, "*#lead dim"]:
        """KL(self || other) of each dimension: log(s'/s) + (s^2 + (m - m')^2) / (2 s'^2) - 1/2."""
        ratio = self.scale / other.scale
        shift = (self.mean - other.mean) / other.scale
        return 0.5 * (ratio.square() + shift.square() - 1) - ratio.log()

    def kl(self, other: "DiagonalGaussian") -> Float[Tensor, "*#lead"]:
        """KL(self || other) in nats, is_increment over dimensions."""
        return self.kl_per_dim(other).sum(-1)


@dataclass(frozen=True)
class Gaussian(Family):
    """Independent Gaussian dimensions from 2 dim outputs: means, then raw scales.

    For dimensions that do not move together, or of which single ones may be missing. The two coordinates of a
    displacement are correlated as soon as tracks turn; there `FullGaussian` is the better default. Also the
    head of a latent, of width 0 where a model has none.

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
    def continuous(self) -> tuple[bool, ...]:
        return (True,) * self.dim

    def __call__(self, raw: Float[Tensor, "*lead size"]) -> DiagonalGaussian:
        mean, scale = raw.split([self.dim, self.dim], -1)
        return DiagonalGaussian(mean, positive(scale))
