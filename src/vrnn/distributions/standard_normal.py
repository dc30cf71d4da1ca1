"""The standard normal that nothing can change: noise that a model reads."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.distributions.base import LatentFamily, fill_absent, keep_present
from vrnn.distributions.gaussian import HALF_LOG_2PI


class StandardNormalDistribution(NamedTuple):
    """N(0, I), shape (..., dim); it has no parameters, so it has no units and no KL divergence.

    >>> import torch
    >>> p = StandardNormal(2).standard(torch.zeros(3, 5))
    >>> p.sample(torch.ones(3, 2)).shape, p.kl(p).shape
    (torch.Size([3, 2]), torch.Size([3, 0]))
    """

    mean: Float[Tensor, "*lead dim"]

    @property
    def table(self) -> Float[Tensor, "*lead 0 2"]:
        """Return a table without rows."""
        return self.mean[..., :0, None].expand(*self.mean.shape[:-1], 0, 2)

    @property
    def probabilities(self) -> Float[Tensor, "*lead 0"]:
        """Return a tensor of width 0: there are no categories."""
        return self.mean[..., :0]

    @property
    def rest(self) -> "StandardNormalDistribution":
        """Return the distribution itself: it lists no values."""
        return self

    @property
    def listed(self) -> None:
        """Return None: it lists no values."""
        return None

    def sample(
        self,
        noise: Float[Tensor, "*#lead dim"],
        x: Float[Tensor, "*#lead dim"] | None = None,
        present: Bool[Tensor, "*#lead dim"] | None = None,
    ) -> Float[Tensor, "*#lead dim"]:
        """Return the noise."""
        return keep_present(self.mean + noise, x, present)

    def log_prob(
        self, x: Float[Tensor, "*#lead dim"], present: Bool[Tensor, "*#lead dim"] | None = None
    ) -> Float[Tensor, "*#lead"]:
        """Return the log-density in nats of the present entries of x, over all dimensions."""
        terms = 0.5 * (fill_absent(x, present) - self.mean).square() + HALF_LOG_2PI
        return -fill_absent(terms, present).sum(-1)

    def kl(self, p: "StandardNormalDistribution") -> Float[Tensor, "*lead 0"]:
        """Return nothing, of width 0."""
        return self.mean[..., :0]


@dataclass(frozen=True)
class StandardNormal(LatentFamily):
    """Noise N(0, I) without outputs: a part of a latent that can tell nothing of the data.

    >>> StandardNormal(3).size, StandardNormal(3).noise_size, StandardNormal(3).units
    (0, 3, 0)
    """

    dim: int
    size = 0
    units = 0
    factorises = True
    reparameterised = True

    @property
    def noise_size(self) -> int:
        return self.dim

    @property
    def continuous(self) -> tuple[bool, ...]:
        return (True,) * self.dim

    def __call__(self, raw: Float[Tensor, "*lead size"]) -> StandardNormalDistribution:
        return self.standard(raw)

    def standard(self, like: Float[Tensor, "*lead width"]) -> StandardNormalDistribution:
        """Return N(0, I) with the leading axes, type and device of `like`."""
        return StandardNormalDistribution(like.new_zeros(*like.shape[:-1], self.dim))

    def moved(
        self, p: StandardNormalDistribution, raw: Float[Tensor, "*lead size"]
    ) -> StandardNormalDistribution:
        """Return p, which nothing moves."""
        return p
