"""What a distribution is: a family (outputs and normals it takes) and its value, a NamedTuple.

One protocol serves observations and latents. No caller asks which distribution it has.
"""

from abc import ABC, abstractmethod
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor


@runtime_checkable
class Distribution(Protocol):
    """A distribution over one value x (..., dim); its fields are tensors with any leading axes.

    Leading axes of arguments broadcast against those of the fields. Many samples of a state can
    therefore score the same x.
    """

    @property
    def mean(self) -> Float[Tensor, "*lead dim"]: ...

    def sample(
        self,
        noise: Float[Tensor, "*#lead noise"],
        x: Float[Tensor, "*#lead dim"] | None = None,
        present: Bool[Tensor, "*#lead dim"] | None = None,
    ) -> Float[Tensor, "*#lead dim"]:
        """Return a draw made of standard normals; the same noise gives the same draw.

        Args:
            noise: standard normals, (..., noise_size).
            x, present: entries to keep. The others are drawn given them. A family that does not
                factorise keeps a value only as a whole.
        """
        ...

    def log_prob(
        self, x: Float[Tensor, "*#lead dim"], present: Bool[Tensor, "*#lead dim"] | None = None
    ) -> Float[Tensor, "*#lead"]:
        """Return the log-density or log-mass in nats of the present entries of x.

        Absent entries are never read. `present` is True where x was observed; None means
        everywhere. A distribution that does not factorise over dimensions gives 0 to a value with
        any absent entry. A value with no mass, such as 0.5 under a Bernoulli, gets -inf with a
        zero gradient.
        """
        ...


@runtime_checkable
class LatentDistribution(Distribution, Protocol):
    """A distribution that a latent can have: it has a KL divergence and a table.

    A *unit* is an independent part of a latent. A Gaussian of width n has n units.

    A latent has a part with finitely many values, which an algorithm can go through one by one, and
    the rest. Either may be empty; see `LatentFamily.listed`.
    """

    @property
    def table(self) -> Float[Tensor, "*lead n 2"]:
        """Return the mean and the scale of each Gaussian dimension."""
        ...

    @property
    def probabilities(self) -> Float[Tensor, "*lead categories"]:
        """Return the probability of each category, of width 0 where there are none."""
        ...

    @property
    def rest(self) -> "LatentDistribution":
        """Return the distribution of what is not listed."""
        ...

    @property
    def listed(self) -> Float[Tensor, "*lead values"] | None:
        """Return the log-probability of each listed value; None where nothing is listed."""
        ...

    def kl(self, p: Any) -> Float[Tensor, "*#lead unit"]:
        """Return KL(self || p) in nats of each unit; their sum is that of the whole.

        p is a distribution of the same family.
        """
        ...


class Family(ABC):
    """A family of distributions over R^dim, made into one by raw network outputs.

    Attributes:
        dim: width of a value.
        size: network outputs a distribution needs.
        noise_size: standard normals a draw needs.
        factorises: whether the density is a product over dimensions, so that single entries may
            be missing.
        continuous: for each dimension, whether it has a density (True) or a mass (False).
        reparameterised: whether a draw is differentiable in all parameters, its gradient that of
            the expectation.
    """

    dim: int
    size: int
    noise_size: int
    factorises: bool
    continuous: tuple[bool, ...]
    reparameterised: bool = False

    def counts(self) -> tuple[int, ...]:
        """Return the number of values 0, 1, ... of each dimension; 0 where it is continuous."""
        return (0,) * self.dim

    @abstractmethod
    def __call__(self, raw: Float[Tensor, "*lead size"]) -> Distribution: ...


class LatentFamily(Family):
    """A family that a latent can have.

    Attributes:
        units: independent parts of a value, each with its own KL divergence.
        listed: categories of the last part of the latent, where it is a single group, which
            algorithms sum over; else 0. That part is one-hot, of this width.
        rest: the family of what is not listed.
    """

    units: int
    listed: int = 0

    @property
    def rest(self) -> "LatentFamily":
        """Return the family of what is not listed: all of it by default."""
        return self

    @abstractmethod
    def __call__(self, raw: Float[Tensor, "*lead size"]) -> LatentDistribution: ...

    @abstractmethod
    def standard(self, like: Float[Tensor, "*lead width"]) -> LatentDistribution:
        """Return the fixed prior, such as N(0, I), with the leading axes and type of `like`."""

    @abstractmethod
    def moved(self, p: Any, raw: Float[Tensor, "*lead size"]) -> LatentDistribution:
        """Return a distribution relative to p, a correction of its mean or of its log-odds."""

    def complete(
        self, rest: LatentDistribution, listed: Float[Tensor, "*#lead values"]
    ) -> LatentDistribution:
        """Return the distribution with that rest, and with log-odds of the listed values."""
        raise NotImplementedError(f"{type(self).__name__} lists no values")


def fill_absent(
    x: Float[Tensor, "*#shape"], present: Bool[Tensor, "*#shape"] | None
) -> Float[Tensor, "*#shape"]:
    """Return x with 0 where it is absent.

    Call it before any arithmetic: a NaN survives a `where` that comes after it.

    >>> import torch
    >>> fill_absent(torch.tensor([1.0, torch.nan]), torch.tensor([True, False]))
    tensor([1., 0.])
    """
    return x if present is None else x.where(present, 0.0)


def keep_present(
    draw: Float[Tensor, "*#lead dim"],
    x: Float[Tensor, "*#lead dim"] | None,
    present: Bool[Tensor, "*#lead dim"] | None,
) -> Float[Tensor, "*#lead dim"]:
    """Return the draw with x in its place where x is present.

    >>> import torch
    >>> keep_present(torch.zeros(2), torch.ones(2), torch.tensor([True, False]))
    tensor([1., 0.])
    """
    if x is None:
        return draw
    return x.to(draw.dtype) if present is None else x.where(present, draw)
