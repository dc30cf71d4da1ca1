"""What an emission is: a family (the outputs and normals it takes) and a distribution, its value."""

from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor


@runtime_checkable
class Distribution(Protocol):
    """A distribution over one observation x (..., dim); fields are tensors with any leading axes.

    Leading axes of arguments broadcast against those of the fields: many samples of a state score the same x.
    """

    @property
    def mean(self) -> Float[Tensor, "*lead dim"]: ...

    def sample(self, noise: Float[Tensor, "*#lead noise"]) -> Float[Tensor, "*#lead dim"]:
        """Turn standard normals into a draw; the same noise gives the same draw."""
        ...

    def log_prob(
        self, x: Float[Tensor, "*#lead dim"], present: Bool[Tensor, "*#lead dim"] | None = None
    ) -> Float[Tensor, "*#lead"]:
        """Log-density or log-mass in nats of the present entries of x; absent entries are never read.

        `present` is True where x was observed; None means everywhere. A distribution that does not factorise
        over dimensions gives 0 to a row with any absent entry. A value with no mass, such as 0.5 under a
        Bernoulli, gets -inf with a zero gradient.
        """
        ...


class Family(ABC):
    """A family of emissions over R^dim, made into a distribution by raw network outputs.

    Attributes:
        dim: width of an observation.
        size: network outputs a distribution needs.
        noise_size: standard normals a draw needs.
        factorises: whether the density is a product over dimensions, so that single entries may be missing.
        continuous: for each dimension, whether it has a density (True) or a mass (False).
        reparameterised: whether a draw is differentiable in all parameters, its gradient that of the expectation.
    """

    dim: int
    size: int
    noise_size: int
    factorises: bool
    continuous: tuple[bool, ...]
    reparameterised: bool = False

    def counts(self) -> tuple[int, ...]:
        """For each dimension the number of values it takes, 0, 1, ...; 0 where it is continuous."""
        return (0,) * self.dim

    @abstractmethod
    def __call__(self, raw: Float[Tensor, "*lead size"]) -> Distribution: ...


def fill_absent(
    x: Float[Tensor, "*#shape"], present: Bool[Tensor, "*#shape"] | None
) -> Float[Tensor, "*#shape"]:
    """Put 0 where x is absent, before any arithmetic: a NaN survives a `where` that comes after it.

    >>> import torch
    >>> fill_absent(torch.tensor([1.0, torch.nan]), torch.tensor([True, False]))
    tensor([1., 0.])
    """
    return x if present is None else x.where(present, 0.0)
