"""One column that holds the code of a class: a mode of travel, a symbol."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.distributions.base import Family, fill_absent
from vrnn.distributions.choice import choose
from vrnn.errors import ConfigError


class CategoricalDistribution(NamedTuple):
    """A code in {0, ..., classes - 1} of width 1, with probabilities softmax(logits).

    >>> import torch
    >>> p = CategoricalDistribution(torch.tensor([0.5, 0.25, 0.25]).log())
    >>> p.mean, p.log_prob(torch.tensor([2.0])).exp()
    (tensor([0.]), tensor(0.2500))
    """

    logits: Float[Tensor, "*lead classes"]

    @property
    def mean(self) -> Float[Tensor, "*lead 1"]:
        """The most probable code, since an average of codes means nothing."""
        return self.logits.argmax(-1, keepdim=True).to(self.logits)

    def sample(self, noise: Float[Tensor, "*#lead 1"]) -> Float[Tensor, "*#lead 1"]:
        """Invert the distribution function at Phi(noise); no gradient."""
        return choose(self.logits, noise[..., 0])[..., None].to(self.logits)

    def log_prob(
        self, x: Float[Tensor, "*#lead 1"], present: Bool[Tensor, "*#lead 1"] | None = None
    ) -> Float[Tensor, "*#lead"]:
        """Log-mass in nats; 0 where x is absent, -inf where it is no code of this family."""
        hit = fill_absent(x, present) == torch.arange(self.logits.shape[-1], device=x.device)
        value = self.logits.log_softmax(-1).where(hit, 0.0).sum(-1).where(hit.any(-1), -torch.inf)
        return value if present is None else fill_absent(value, present[..., 0])


@dataclass(frozen=True)
class Categorical(Family):
    """One code among `classes`, from one logit each; the width in the record is 1.

    For several columns of codes use a `Product`.

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
