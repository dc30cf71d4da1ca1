"""Independent binary dimensions: keys pressed or not, a pen on or off the paper."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.distributions.base import Family, fill_absent, keep_present
from vrnn.errors import ConfigError


class BernoulliDistribution(NamedTuple):
    """Independent x_i in {0, 1} with log-odds `logits`.

    All is computed from log-odds, so no probability is rounded to 0 or 1.

    >>> import torch
    >>> p = BernoulliDistribution(torch.tensor([0.0, 1e4]))
    >>> p.log_prob(torch.tensor([1.0, 0.0]))
    tensor(-10000.6934)
    """

    logits: Float[Tensor, "*lead dim"]

    @property
    def mean(self) -> Float[Tensor, "*lead dim"]:
        """Return the probability of a 1."""
        return self.logits.sigmoid()

    def sample(
        self,
        noise: Float[Tensor, "*#lead dim"],
        x: Float[Tensor, "*#lead dim"] | None = None,
        present: Bool[Tensor, "*#lead dim"] | None = None,
    ) -> Float[Tensor, "*#lead dim"]:
        """Return 1 where Phi(noise) < p, compared as logarithms; no gradient."""
        draw = (torch.special.log_ndtr(noise) < F.logsigmoid(self.logits)).to(self.logits)
        return keep_present(draw, x, present)

    def log_prob(
        self, x: Float[Tensor, "*#lead dim"], present: Bool[Tensor, "*#lead dim"] | None = None
    ) -> Float[Tensor, "*#lead"]:
        """Return the log-mass in nats of the present entries of x; -inf where one is not 0 or 1."""
        x = fill_absent(x, present)
        terms = F.logsigmoid(self.logits.where(x > 0.5, -self.logits))
        terms = terms.where((x == 0) | (x == 1), -torch.inf)
        return fill_absent(terms, present).sum(-1)


@dataclass(frozen=True)
class Bernoulli(Family):
    """Independent binary dimensions from one logit each.

    >>> Bernoulli(88).size
    88
    """

    dim: int
    factorises = True

    def __post_init__(self):
        if self.dim < 1:
            raise ConfigError(f"bernoulli: expected at least 1 dimension, found {self.dim}")

    @property
    def size(self) -> int:
        return self.dim

    @property
    def noise_size(self) -> int:
        return self.dim

    @property
    def continuous(self) -> tuple[bool, ...]:
        return (False,) * self.dim

    def counts(self) -> tuple[int, ...]:
        return (2,) * self.dim

    def __call__(self, raw: Float[Tensor, "*lead size"]) -> BernoulliDistribution:
        return BernoulliDistribution(raw)
