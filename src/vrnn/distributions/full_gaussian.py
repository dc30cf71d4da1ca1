"""The Gaussian with a full covariance matrix: the default emission of a track."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.distributions.base import Family, fill_absent, keep_present
from vrnn.distributions.gaussian import HALF_LOG_2PI
from vrnn.distributions.scale import positive
from vrnn.errors import ConfigError


class CorrelatedGaussian(NamedTuple):
    """N(mean, L L^T) with the Cholesky factor L = diag(scale) (I + B), B strictly lower triangular.

    `scale_i` is the standard deviation of dimension i given the earlier ones; row i of B is relative to it.

    >>> import torch
    >>> p = CorrelatedGaussian(torch.zeros(2), torch.tensor([1.0, 2.0]), torch.tensor([0.5]))
    >>> p.cholesky
    tensor([[1., 0.], [1., 2.]])
    """

    mean: Float[Tensor, "*lead dim"]
    scale: Float[Tensor, "*lead dim"]
    below: Float[Tensor, "*lead dim*(dim-1)/2"]
    """The entries of B below the diagonal, column after column."""

    @property
    def cholesky(self) -> Float[Tensor, "*lead dim dim"]:
        """Return the factor L, lower triangular with a positive diagonal."""
        one = torch.ones_like(self.mean[..., :1])
        columns = [
            torch.cat([one.new_zeros((*one.shape[:-1], j)), one, column], -1)
            for j, column in enumerate(self._columns())
        ]
        return self.scale[..., None] * torch.stack(columns, -1)

    @property
    def covariance(self) -> Float[Tensor, "*lead dim dim"]:
        """Return the covariance L L^T."""
        return self.cholesky @ self.cholesky.mT

    def sample(
        self,
        noise: Float[Tensor, "*#lead dim"],
        x: Float[Tensor, "*#lead dim"] | None = None,
        present: Bool[Tensor, "*#lead dim"] | None = None,
    ) -> Float[Tensor, "*#lead dim"]:
        """Return mean + L noise, differentiable in all parameters."""
        lead = np.broadcast_shapes(noise.shape, self.mean.shape)  # the one of torch imports sympy
        noise = noise.expand(lead)
        done, rest = [], noise
        for column, normal in zip(self._columns(), noise.split(1, -1), strict=True):
            head, rest = rest.split([1, rest.shape[-1] - 1], -1)
            rest = rest + column * normal
            done.append(head)
        return keep_present(self.mean + self.scale * torch.cat(done, -1), x, present)

    def log_prob(
        self, x: Float[Tensor, "*#lead dim"], present: Bool[Tensor, "*#lead dim"] | None = None
    ) -> Float[Tensor, "*#lead"]:
        """Return the log-density in nats; 0 for a value with any absent entry."""
        # Forward substitution by columns: for two or three dimensions several times faster than torch.linalg.
        z, rest = [], (fill_absent(x, present) - self.mean) / self.scale
        for column in self._columns():
            head, rest = rest.split([1, rest.shape[-1] - 1], -1)
            rest = rest - column * head
            z.append(head)
        value = -(0.5 * torch.cat(z, -1).square() + self.scale.log() + HALF_LOG_2PI).sum(-1)
        return value if present is None else fill_absent(value, present.all(-1))

    def _columns(self) -> tuple[Float[Tensor, "*lead rows"], ...]:
        dim = self.mean.shape[-1]
        return self.below.split([dim - 1 - j for j in range(dim)], -1)


@dataclass(frozen=True)
class FullGaussian(Family):
    """A Gaussian with full covariance from dim (dim + 3) / 2 outputs.

    The outputs are means, raw scales and the entries of B.

    It is the default for tracks: one step of a walker has an elongated, tilted distribution. The
    number of outputs grows as dim^2. Past some tens of dimensions prefer `Gaussian`.

    >>> import torch
    >>> family = FullGaussian(2)
    >>> family.size, family(torch.zeros(7, 5)).log_prob(torch.zeros(7, 2)).shape
    (5, torch.Size([7]))
    """

    dim: int
    factorises = False
    reparameterised = True

    def __post_init__(self):
        if self.dim < 1:
            raise ConfigError(f"full_gaussian: expected at least 1 dimension, found {self.dim}")

    @property
    def size(self) -> int:
        return self.dim * (self.dim + 3) // 2

    @property
    def noise_size(self) -> int:
        return self.dim

    @property
    def continuous(self) -> tuple[bool, ...]:
        return (True,) * self.dim

    def __call__(self, raw: Float[Tensor, "*lead size"]) -> CorrelatedGaussian:
        mean, scale, below = raw.split([self.dim, self.dim, self.size - 2 * self.dim], -1)
        return CorrelatedGaussian(mean, positive(scale), below)
