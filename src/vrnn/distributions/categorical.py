"""One column that holds the number of a class: a mode of travel, a symbol."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.distributions.base import Family, fill_absent, keep_present
from vrnn.distributions.choice import choose
from vrnn.errors import ConfigError


class CategoricalDistribution(NamedTuple):
    """A class in {0, ..., classes - 1} of width 1, with probabilities softmax(logits).

    >>> import torch
    >>> p = CategoricalDistribution(torch.tensor([0.5, 0.25, 0.25]).log())
    >>> p.mean, p.log_prob(torch.tensor([2.0])).exp()
    (tensor([0.]), tensor(0.2500))
    """

    logits: Float[Tensor, "*lead classes"]

    @property
    def mean(self) -> Float[Tensor, "*lead 1"]:
        """Return the most probable class, since an average of classes means nothing."""
        return self.logits.argmax(-1, keepdim=True).to(self.logits)

    def sample(
        self,
        noise: Float[Tensor, "*#lead 1"],
        x: Float[Tensor, "*#lead 1"] | None = None,
        present: Bool[Tensor, "*#lead 1"] | None = None,
    ) -> Float[Tensor, "*#lead 1"]:
        """Return the class at Phi(noise) of the distribution function; no gradient."""
        draw = choose(self.logits, noise[..., 0])[..., None].to(self.logits)
        return keep_present(draw, x, present)

    def log_prob(
        self, x: Float[Tensor, "*#lead 1"], present: Bool[Tensor, "*#lead 1"] | None = None
    ) -> Float[Tensor, "*#lead"]:
        """Return the log-mass in nats; 0 where x is absent, -inf where it is no class."""
        hit = fill_absent(x, present) == torch.arange(self.logits.shape[-1], device=x.device)
        value = self.logits.log_softmax(-1).where(hit, 0.0).sum(-1).where(hit.any(-1), -torch.inf)
        return value if present is None else fill_absent(value, present[..., 0])


@dataclass(frozen=True)
class Categorical(Family):
    """One class of several, from one logit each; the width of a value is 1.

    For several columns of classes use a `Product`.

    >>> Categorical(3).dim, Categorical(3).size
    (1, 3)
    """

    classes: int
    dim = 1
    noise_size = 1
    factorises = True
    continuous = (False,)

    def counts(self) -> tuple[int, ...]:
        return (self.classes,)

    def __post_init__(self):
        if self.classes < 2:
            raise ConfigError(f"categorical: expected at least 2 classes, found {self.classes}")

    @property
    def size(self) -> int:
        return self.classes

    def __call__(self, raw: Float[Tensor, "*lead size"]) -> CategoricalDistribution:
        return CategoricalDistribution(raw)
