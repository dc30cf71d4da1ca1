"""A distribution drawn nearer to its mean, or farther from it, than it is; categories sharpened."""

import math
from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.distributions.base import Distribution, Family, keep_present
from vrnn.distributions.one_hot import OneHotDistribution
from vrnn.distributions.product import Product, ProductDistribution
from vrnn.errors import ConfigError, Setting, UnsupportedError


class Tempered(NamedTuple):
    """A distribution whose draws lie at `temperature` times their distance from its mean m.

    X' = m + T (X - m),   p'(x) = p(m + (x - m) / T) / T^dim

    Attributes:
        base: a distribution with a density, whose family has reparameterised draws. It is no
            product: the parts of a product are moved one by one.
        temperature: T.
        factorises: whether the base does, so that single entries may be missing.

    >>> import torch
    >>> from vrnn.distributions import DiagonalGaussian
    >>> wide = Tempered(DiagonalGaussian(torch.zeros(1), torch.ones(1)), 2.0, factorises=True)
    >>> wide.sample(torch.ones(1)), wide.log_prob(torch.zeros(1)).exp()
    (tensor([2.]), tensor(0.1995))
    """

    base: Distribution
    temperature: float
    factorises: bool

    @property
    def mean(self) -> Float[Tensor, "*lead dim"]:
        return self.base.mean

    def sample(
        self,
        noise: Float[Tensor, "*#lead noise"],
        x: Float[Tensor, "*#lead dim"] | None = None,
        present: Bool[Tensor, "*#lead dim"] | None = None,
    ) -> Float[Tensor, "*#lead dim"]:
        """Return a draw of the base, moved."""
        mean = self.base.mean
        draw = mean + self.temperature * (self.base.sample(noise) - mean)
        return keep_present(draw, x, present)

    def log_prob(
        self, x: Float[Tensor, "*#lead dim"], present: Bool[Tensor, "*#lead dim"] | None = None
    ) -> Float[Tensor, "*#lead"]:
        """Return the log-density in nats of the present entries of x."""
        mean = self.base.mean
        density = self.base.log_prob(mean + (x - mean) / self.temperature, present)
        if present is None:
            return density - x.shape[-1] * math.log(self.temperature)
        there = present if self.factorises else present.all(-1, keepdim=True) & present
        return density - there.sum(-1) * math.log(self.temperature)


def temper(distribution: Distribution, family: Family, temperature: float) -> Distribution:
    """Return the distribution at a temperature, of a product every part; itself at 1.

    Categories of a latent get probabilities proportional to p^(1 / T).
    """
    if temperature == 1:
        return distribution
    if isinstance(distribution, OneHotDistribution):
        return distribution.tempered(temperature)
    if isinstance(distribution, ProductDistribution) and isinstance(family, Product):
        parts = zip(distribution.parts, family.parts, strict=True)
        return distribution._replace(parts=tuple(temper(d, f, temperature) for d, f in parts))
    return Tempered(distribution, temperature, family.factorises)


def check_temperature(family: Family, temperature: float) -> None:
    """Refuse a temperature that is not positive, and one other than 1 where it has no meaning.

    Raises:
        ConfigError: a temperature of 0 or less.
        UnsupportedError: a family whose draws are not reparameterised.
    """
    if not 0 < temperature < math.inf:
        raise ConfigError(setting="temperature", expected="a number above 0", found=temperature)
    if temperature != 1 and not family.reparameterised:
        raise UnsupportedError(
            "a temperature moves draws towards the mean of the emission, which has to be "
            "where one is likely",
            expected="emission gaussian, full_gaussian or student_t",
            found=type(family).__name__,
            hint=("leave ", Setting("temperature"), " 1"),
        )
