"""Several families side by side over the columns of one record."""

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from vrnn.distributions.base import Distribution, Family
from vrnn.errors import ConfigError


class ProductDistribution(NamedTuple):
    """p(x) = prod_i p_i(x_i), where x_i are the columns of part i."""

    parts: tuple[Distribution, ...]
    dims: tuple[int, ...]
    noise_sizes: tuple[int, ...]

    @property
    def mean(self) -> Float[Tensor, "*lead dim"]:
        return torch.cat([part.mean for part in self.parts], -1)

    def sample(self, noise: Float[Tensor, "*#lead noise"]) -> Float[Tensor, "*#lead dim"]:
        """Draw each part from its own share of the noise."""
        shares = noise.split(self.noise_sizes, -1)
        return torch.cat(
            [part.sample(share) for part, share in zip(self.parts, shares, strict=True)], -1
        )

    def log_prob(
        self, x: Float[Tensor, "*#lead dim"], present: Bool[Tensor, "*#lead dim"] | None = None
    ) -> Float[Tensor, "*#lead"]:
        """Sum of the parts, in nats; a part that does not factorise gives 0 if it lacks any entry."""
        shares = x.split(self.dims, -1)
        seen = [None] * len(self.dims) if present is None else present.split(self.dims, -1)
        terms = [
            part.log_prob(x, there) for part, x, there in zip(self.parts, shares, seen, strict=True)
        ]
        return reduce(add, terms)


@dataclass(unsafe_hash=True)  # not frozen: a module's attributes change, as `training` does
class Product(nn.Module, Family):
    """Independent families over consecutive columns, such as a pen's two offsets and whether it is lifted.

    It factorises only if each part does. Otherwise a record with a missing entry counts as missing as a whole
    when data are batched; the density itself can leave out single parts, since they are independent. It is a
    module for the sake of parts with weights of their own, which are trained and saved with the model.

    >>> from vrnn.distributions.bernoulli import Bernoulli
    >>> from vrnn.distributions.mixture import Mixture
    >>> pen = Product((Mixture(2, components=20), Bernoulli(1)))
    >>> pen.dim, pen.size, pen.noise_size, pen.factorises, pen.continuous
    (3, 121, 4, False, (True, True, False))
    """

    parts: tuple[Family, ...]

    def __post_init__(self):
        if not self.parts:
            raise ConfigError("product: expected at least one family, found none")
        super().__init__()
        self.learned = nn.ModuleList(part for part in self.parts if isinstance(part, nn.Module))

    @property
    def dim(self) -> int:
        return sum(part.dim for part in self.parts)

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    @property
    def noise_size(self) -> int:
        return sum(part.noise_size for part in self.parts)

    @property
    def factorises(self) -> bool:
        return all(part.factorises for part in self.parts)

    @property
    def reparameterised(self) -> bool:
        return all(part.reparameterised for part in self.parts)

    @property
    def continuous(self) -> tuple[bool, ...]:
        return tuple(flag for part in self.parts for flag in part.continuous)

    def counts(self) -> tuple[int, ...]:
        return tuple(count for part in self.parts for count in part.counts())

    def forward(self, raw: Float[Tensor, "*lead size"]) -> ProductDistribution:
        shares = raw.split([part.size for part in self.parts], -1)
        return ProductDistribution(
            parts=tuple(part(share) for part, share in zip(self.parts, shares, strict=True)),
            dims=tuple(part.dim for part in self.parts),
            noise_sizes=tuple(part.noise_size for part in self.parts),
        )
