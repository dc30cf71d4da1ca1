"""A mixture of Gaussians with full covariance: an emission with several modes."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

from vrnn.distributions.base import Family, fill_absent
from vrnn.distributions.choice import choose
from vrnn.distributions.full_gaussian import CorrelatedGaussian, FullGaussian
from vrnn.errors import ConfigError


class GaussianMixture(NamedTuple):
    """p(x) = sum_k w_k N(x; m_k, L_k L_k^T) with w = softmax(logits).

    >>> import torch
    >>> p = Mixture(1, components=2)(torch.tensor([0.0, 0.0, -3.0, 0.1, 3.0, 0.1]))
    >>> p.mean, p.sample(torch.tensor([[-0.5, 0.0], [0.5, 0.0]]))
    (tensor([0.]), tensor([[-3.],
            [ 3.]]))
    """

    logits: Float[Tensor, "*lead components"]
    components: CorrelatedGaussian
    """The Gaussians, with the component as the last leading axis."""

    @property
    def mean(self) -> Float[Tensor, "*lead dim"]:
        """Return the weighted mean of the components."""
        return (self.logits.softmax(-1)[..., None] * self.components.mean).sum(-2)

    def sample(
        self,
        noise: Float[Tensor, "*#lead noise"],
        x: Float[Tensor, "*#lead dim"] | None = None,
        present: Bool[Tensor, "*#lead dim"] | None = None,
    ) -> Float[Tensor, "*#lead dim"]:
        """Return a draw: the first normal chooses a component, the others draw from it.

        The draw is differentiable in the parameters of the chosen component. The choice itself has
        no gradient.
        """
        chosen = choose(self.logits, noise[..., 0])
        component = CorrelatedGaussian(*(_pick(part, chosen) for part in self.components))
        return component.sample(noise[..., 1:], x, present)

    def log_prob(
        self, x: Float[Tensor, "*#lead dim"], present: Bool[Tensor, "*#lead dim"] | None = None
    ) -> Float[Tensor, "*#lead"]:
        """Return the log-density in nats; 0 for a value with any absent entry."""
        x = fill_absent(x, present)[..., None, :]
        value = (self.logits.log_softmax(-1) + self.components.log_prob(x)).logsumexp(-1)
        return value if present is None else fill_absent(value, present.all(-1))


def _pick(
    values: Float[Tensor, "*#lead components width"], chosen: Int[Tensor, "*lead"]
) -> Float[Tensor, "*lead width"]:
    """Return the values of the chosen component."""
    lead, width = chosen.shape, values.shape[-1]
    index = chosen[..., None, None].expand(*lead, 1, width)
    return values.expand(*lead, *values.shape[-2:]).gather(-2, index).squeeze(-2)


@dataclass(frozen=True)
class Mixture(Family):
    """A mixture of full-covariance Gaussians, from logits and then the outputs of each component.

    Use it for a step that can go one of several ways, such as a stop or a stride. A model with
    latents already mixes over them, so the mixture helps the RNN most.

    >>> Mixture(2, components=5).size, Mixture(2, components=5).noise_size
    (30, 3)
    """

    dim: int
    components: int
    factorises = False

    def __post_init__(self):
        if self.dim < 1 or self.components < 1:
            raise ConfigError(
                "mixture: expected at least 1 dimension and 1 component, "
                f"found {self.dim} and {self.components}"
            )

    @property
    def size(self) -> int:
        return self.components * (1 + FullGaussian(self.dim).size)

    @property
    def noise_size(self) -> int:
        return 1 + self.dim

    @property
    def continuous(self) -> tuple[bool, ...]:
        return (True,) * self.dim

    def __call__(self, raw: Float[Tensor, "*lead size"]) -> GaussianMixture:
        logits, outputs = raw.split([self.components, self.size - self.components], -1)
        return GaussianMixture(
            logits, FullGaussian(self.dim)(outputs.unflatten(-1, (self.components, -1)))
        )
