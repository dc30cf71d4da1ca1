"""Categories as latents: one of K in each group, written as a one-hot vector."""

from dataclasses import dataclass
from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.distributions.base import LatentDistribution, LatentFamily, keep_present
from vrnn.distributions.choice import choose
from vrnn.distributions.gaussian import DiagonalGaussian, Gaussian
from vrnn.errors import ConfigError


class OneHotDistribution(NamedTuple):
    """Independent groups of categories; a value has a single 1 in each group.

    P(z_g = e_k) = softmax(logits_g)_k

    >>> import torch
    >>> p = OneHotDistribution(torch.tensor([0.5, 0.25, 0.25]).log(), 3)
    >>> p.sample(torch.tensor([0.1])), p.log_prob(torch.tensor([0.0, 1.0, 0.0])).exp()
    (tensor([0., 1., 0.]), tensor(0.2500))
    """

    logits: Float[Tensor, "*lead categories"]
    classes: int

    @property
    def mean(self) -> Float[Tensor, "*lead categories"]:
        """Return the probabilities of all categories, group after group."""
        return self._split(self.logits).softmax(-1).flatten(-2)

    @property
    def probabilities(self) -> Float[Tensor, "*lead categories"]:
        """Return the probabilities of all categories, group after group."""
        return self.mean

    @property
    def table(self) -> Float[Tensor, "*lead 0 2"]:
        """Return a table without rows: there are no Gaussian dimensions."""
        return self.logits[..., :0, None].expand(*self.logits.shape[:-1], 0, 2)

    @property
    def rest(self) -> "OneHotDistribution | DiagonalGaussian":
        """Return what is not listed: a point of width 0, or everything where nothing is listed."""
        if self.logits.shape[-1] != self.classes:
            return self
        nothing = self.logits[..., :0]
        return DiagonalGaussian(nothing, nothing)

    @property
    def listed(self) -> Float[Tensor, "*lead categories"] | None:
        """Return the log-probabilities of a single group; None where there are more."""
        return self.logits.log_softmax(-1) if self.logits.shape[-1] == self.classes else None

    def sample(
        self,
        noise: Float[Tensor, "*#lead groups"],
        x: Float[Tensor, "*#lead categories"] | None = None,
        present: Bool[Tensor, "*#lead categories"] | None = None,
    ) -> Float[Tensor, "*#lead categories"]:
        """Return a one-hot draw of each group, chosen at Phi(noise).

        Its gradient is that of the probabilities (straight-through).

        Source: Bengio, Leonard and Courville 2013, arXiv:1308.3432.
        """
        logits = self._split(self.logits)
        drawn = F.one_hot(choose(logits, noise), self.classes).to(logits)
        drawn = straight_through(drawn, logits.softmax(-1))
        if present is not None:  # a group is kept as a whole
            present = self._split(present).all(-1, keepdim=True).expand_as(drawn).flatten(-2)
        return keep_present(drawn.flatten(-2), x, present)

    def log_prob(
        self,
        x: Float[Tensor, "*#lead categories"],
        present: Bool[Tensor, "*#lead categories"] | None = None,
    ) -> Float[Tensor, "*#lead"]:
        """Return the log-mass in nats of the groups that are there."""
        terms = (self._split(x) * self._split(self.logits).log_softmax(-1)).sum(-1)
        if present is not None:
            terms = terms.where(self._split(present).all(-1), 0.0)
        return terms.sum(-1)

    def kl(self, p: "OneHotDistribution") -> Float[Tensor, "*#lead groups"]:
        """Return KL(self || p) of each group: sum_k q_k log(q_k / p_k)."""
        q, p_log = (self._split(d.logits).log_softmax(-1) for d in (self, p))
        return (q.exp() * (q - p_log)).sum(-1)

    def tempered(self, temperature: float) -> "OneHotDistribution":
        """Return the distribution with probabilities proportional to p^(1 / T)."""
        return self._replace(logits=self.logits / temperature)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, self.classes))


def straight_through(
    drawn: Float[Tensor, "*#lead classes"], p: Float[Tensor, "*#lead classes"]
) -> Float[Tensor, "*#lead classes"]:
    """Return a draw whose gradient is that of its probabilities; its value stays one-hot."""
    return drawn + (p - p.detach()) if p.requires_grad else drawn


@dataclass(frozen=True)
class OneHot(LatentFamily):
    """Categories from one logit each; a value is one-hot in each of the groups.

    A single group is listed, whatever its size, so that its posterior is found exactly. The
    posterior of several groups is a network.

    >>> OneHot(8).dim, OneHot(8).listed, OneHot(8, groups=4).dim, OneHot(8, groups=4).listed
    (8, 8, 32, 0)
    """

    classes: int
    groups: int = 1
    factorises = False
    reparameterised = False

    def __post_init__(self):
        if self.classes < 2:
            raise ConfigError(f"categorical: expected at least 2 categories, found {self.classes}")
        if self.groups < 1:
            raise ConfigError(f"categorical: expected at least 1 group, found {self.groups}")

    @property
    def dim(self) -> int:
        return self.groups * self.classes

    @property
    def size(self) -> int:
        return self.dim

    @property
    def noise_size(self) -> int:
        return self.groups

    @property
    def units(self) -> int:
        return self.groups

    @property
    def continuous(self) -> tuple[bool, ...]:
        return (False,) * self.dim

    @property
    def listed(self) -> int:
        return self.classes if self.groups == 1 else 0

    @property
    def rest(self) -> LatentFamily:
        """Return a family of width 0 where the categories are listed."""
        return Gaussian(0) if self.groups == 1 else self

    def __call__(self, raw: Float[Tensor, "*lead size"]) -> OneHotDistribution:
        return OneHotDistribution(raw, self.classes)

    def standard(self, like: Float[Tensor, "*lead width"]) -> OneHotDistribution:
        """Return the uniform distribution with the leading axes and type of `like`."""
        return self(like.new_zeros(*like.shape[:-1], self.dim))

    def moved(self, p: OneHotDistribution, raw: Float[Tensor, "*lead size"]) -> OneHotDistribution:
        """Return the distribution whose log-odds are those of p plus the outputs."""
        return self(p.logits + raw)

    def complete(
        self, rest: LatentDistribution, listed: Float[Tensor, "*#lead values"]
    ) -> OneHotDistribution:
        """Return the distribution with these log-odds; there is no rest."""
        return self(listed)
