"""Several families side by side over consecutive dimensions of one value."""

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from vrnn.distributions.base import Distribution, Family, LatentDistribution, LatentFamily
from vrnn.errors import ConfigError


class ProductDistribution(NamedTuple):
    """p(x) = prod_i p_i(x_i), where x_i are the dimensions of part i."""

    parts: tuple[Distribution, ...]
    dims: tuple[int, ...]
    noise_sizes: tuple[int, ...]

    @property
    def mean(self) -> Float[Tensor, "*lead dim"]:
        """Return the means of the parts side by side."""
        return torch.cat([part.mean for part in self.parts], -1)

    @property
    def table(self) -> Float[Tensor, "*lead unit 2"]:
        """Return the tables of the parts below one another."""
        return torch.cat([part.table for part in self.parts], -2)  # pyrefly: ignore

    @property
    def probabilities(self) -> Float[Tensor, "*lead categories"]:
        """Return the probabilities of the categories of all parts side by side."""
        return torch.cat([part.probabilities for part in self.parts], -1)  # pyrefly: ignore

    @property
    def rest(self) -> "ProductDistribution | LatentDistribution":
        """Return the product without its last part where that is listed."""
        if self.listed is None:
            return self
        kept = ProductDistribution(self.parts[:-1], self.dims[:-1], self.noise_sizes[:-1])
        return kept.parts[0] if len(kept.parts) == 1 else kept  # pyrefly: ignore

    @property
    def listed(self) -> Float[Tensor, "*lead values"] | None:
        """Return the log-probabilities of the last part where it is listed."""
        return getattr(self.parts[-1], "listed", None)

    def sample(
        self,
        noise: Float[Tensor, "*#lead noise"],
        x: Float[Tensor, "*#lead dim"] | None = None,
        present: Bool[Tensor, "*#lead dim"] | None = None,
    ) -> Float[Tensor, "*#lead dim"]:
        """Return a draw of each part, made of its own share of the noise."""
        normals = noise.split(self.noise_sizes, -1)
        shares = zip(self.parts, normals, self._split(x), self._split(present), strict=True)
        return torch.cat([part.sample(n, x_i, there) for part, n, x_i, there in shares], -1)

    def log_prob(
        self, x: Float[Tensor, "*#lead dim"], present: Bool[Tensor, "*#lead dim"] | None = None
    ) -> Float[Tensor, "*#lead"]:
        """Return the sum over the parts, in nats.

        A part that does not factorise gives 0 if it lacks any entry.
        """
        shares = zip(self.parts, x.split(self.dims, -1), self._split(present), strict=True)
        return reduce(add, [part.log_prob(x_i, there) for part, x_i, there in shares])

    def kl(self, p: "ProductDistribution") -> Float[Tensor, "*#lead unit"]:
        """Return KL(self || p) of each unit, part by part."""
        terms = [a.kl(b) for a, b in zip(self.parts, p.parts, strict=True)]  # pyrefly: ignore
        return torch.cat(terms, -1)

    def _split(self, x: Tensor | None) -> tuple[Tensor | None, ...]:
        return (None,) * len(self.dims) if x is None else x.split(self.dims, -1)


@dataclass(unsafe_hash=True)  # not frozen: a module's attributes change, as `training` does
class Product(nn.Module, LatentFamily):
    """Independent families over consecutive dimensions, such as a pen's offsets and its lift.

    It factorises only if each part does. Otherwise a value with a missing entry counts as missing
    as a whole when data are batched. The density itself can leave out single parts, since they are
    independent. It is a module so that parts with weights of their own are trained and saved with
    the model.

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
    def units(self) -> int:
        return sum(part.units for part in self.parts if isinstance(part, LatentFamily))

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

    @property
    def listed(self) -> int:
        last = self.parts[-1]
        return last.listed if isinstance(last, LatentFamily) else 0

    @property
    def rest(self) -> LatentFamily:
        """Return the product without its last part where that is listed."""
        if not self.listed:
            return self
        kept = self.parts[:-1]
        return kept[0] if len(kept) == 1 else Product(kept)  # pyrefly: ignore

    def forward(self, raw: Float[Tensor, "*lead size"]) -> ProductDistribution:
        shares = raw.split([part.size for part in self.parts], -1)
        return self.of(*(part(share) for part, share in zip(self.parts, shares, strict=True)))

    def of(self, *parts: Distribution) -> ProductDistribution:
        """Return the product of distributions, one of each family."""
        dims = tuple(part.dim for part in self.parts)
        return ProductDistribution(parts, dims, tuple(part.noise_size for part in self.parts))

    def standard(self, like: Float[Tensor, "*lead width"]) -> ProductDistribution:
        """Return the product of the parts' fixed priors."""
        parts = [part.standard(like) for part in self.parts if isinstance(part, LatentFamily)]
        return self.of(*parts)

    def moved(
        self, p: ProductDistribution, raw: Float[Tensor, "*lead size"]
    ) -> ProductDistribution:
        """Return the product of the parts, each relative to its part of p."""
        shares = zip(self.parts, p.parts, raw.split([f.size for f in self.parts], -1), strict=True)
        return self.of(*(family.moved(q, share) for family, q, share in shares))  # pyrefly: ignore

    def complete(
        self, rest: LatentDistribution, listed: Float[Tensor, "*#lead values"]
    ) -> ProductDistribution:
        """Return the product of the rest and of the last part with these log-odds."""
        kept = rest.parts if isinstance(rest, ProductDistribution) else (rest,)
        return self.of(*kept, self.parts[-1].complete(rest, listed))  # pyrefly: ignore
