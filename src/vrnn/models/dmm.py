"""The deep Markov model of Krishnan, Shalit and Sontag (2017), arXiv:1609.09869."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.distributions import (
    DiagonalGaussian,
    Distribution,
    Gaussian,
    LatentDistribution,
    LatentFamily,
    Product,
    parse_emission,
    parse_latent,
    positive,
)
from vrnn.models.config import ModelConfig, roles
from vrnn.models.contract import Features, Model, join, no_features, observed
from vrnn.models.encoders import StepEncoder
from vrnn.models.layers import CellName, LatentHead, learned, mlp, of_category


@dataclass(frozen=True)
class DMMConfig(ModelConfig):
    """Configure a deep Markov model.

    Args:
        x_dim: width of an observation.
        u_dim: width of the known inputs.
        hidden: width of hidden layers and of the backward network.
        latent: family of z_t, as `parse_latent` reads it: gaussian, categorical(8), or both.
        latent_dim: width of the Gaussian part of z_t.
        depth: hidden layers of every network; 0 makes it a linear Gaussian state-space model.
        cell: recurrent cell of the backward network.
        emission: family of the emission, as `parse_emission` reads it.
    """

    x_dim: int
    u_dim: int = 0
    hidden: int = 64
    latent: str = "gaussian"
    latent_dim: int = 16
    depth: int = 1
    cell: CellName = "gru"
    emission: str = "gaussian"


class DMMState(NamedTuple):
    """The state of a DMM: its latent."""

    z: Float[Tensor, "*lead latent"]
    u: Float[Tensor, "*lead inputs"]


class GatedTransition(nn.Module):
    """A map from (z_{t-1}, u_t) to N(mu, s), between a linear map and a network.

    g = sigmoid(net(z, u)),   h = net(z, u)
    mu = (1 - g) * (A z + B u + b) + g * h,   s = positive(W relu(h))

    A gate decides in each dimension. A starts at the identity, B and b at 0, so a latent that
    nothing moves stays.

    Args:
        inputs: width of (z_{t-1}, u_t), whose first entries are the Gaussian ones.
        dim: width of z_t.
    """

    def __init__(self, inputs: int, dim: int, hidden: int, depth: int):
        super().__init__()
        self.gate, self.proposed = (mlp(inputs, hidden, dim, depth) for _ in range(2))
        self.linear, self.scale = nn.Linear(inputs, dim), nn.Linear(dim, dim)
        nn.init.eye_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Float[Tensor, "*lead inputs"]) -> DiagonalGaussian:
        h = self.proposed(x)
        mean = torch.lerp(self.linear(x), h, torch.sigmoid(self.gate(x)))
        return DiagonalGaussian(mean, positive(self.scale(torch.relu(h))))


class ProductTransition(nn.Module):
    """A gated transition of the Gaussian part of a latent beside a network for its categories."""

    def __init__(self, latent: Product, inputs: int, hidden: int, depth: int):
        super().__init__()
        gaussian, categories = latent.parts
        assert isinstance(categories, LatentFamily)
        self.latent = latent
        self.gaussian = GatedTransition(inputs, gaussian.dim, hidden, depth)
        self.categories = LatentHead(categories, inputs, hidden, depth)

    def forward(self, x: Float[Tensor, "*lead inputs"]) -> LatentDistribution:
        return self.latent.of(self.gaussian(x), self.categories(x))


def make_transition(latent: LatentFamily, known: int, hidden: int, depth: int) -> nn.Module:
    """Return a map from (z_{t-1}, u_t) to the distribution of z_t, gated where it is Gaussian."""
    inputs = latent.dim + known
    if depth and isinstance(latent, Gaussian):
        return GatedTransition(inputs, latent.dim, hidden, depth)
    if depth and isinstance(latent, Product):
        return ProductTransition(latent, inputs, hidden, depth)
    return LatentHead(latent, inputs, hidden, depth)


class DMM(Model):
    """A latent Markov chain alone: the past reaches x_t through z_t and nothing else.

    z_t ~ N(mu(z_{t-1}, u_t), s(z_{t-1}, u_t)),   x_t ~ p(. | z_t, u_t),   z_0 a learned constant
    a_t = f(x_t, u_t, a_{t+1})                                            (backward network)
    q(z_t | z_{t-1}, x_{t:T}) = N(mu(c_t), s(c_t)),   c_t = (tanh(W z_{t-1} + b) + a_t) / 2

    The transition is the paper's gated one. The posterior is its structured one, "DKS": given
    z_{t-1} the past has no more to tell, so it reads x_{t:T} alone. With depth 0 transition,
    emission and c_t are affine, without gate and tanh.

    Example:
        >>> import torch
        >>> DMM(DMMConfig(x_dim=2, latent_dim=3)).initial_state().z.shape
        torch.Size([3])
    """

    def __init__(self, config: DMMConfig):
        super().__init__()
        dim, known, _ = roles(config.x_dim, config.u_dim)
        hidden, depth = config.hidden, config.depth
        self.known, self.observation = known, parse_emission(config.emission, dim)
        self.latent = parse_latent(config.latent, config.latent_dim)
        latent, rest = self.latent.dim, self.latent.rest
        self.z0 = learned(latent)
        self.prior_head = make_transition(self.latent, known, hidden, depth)
        if rest.dim:
            self.reader = StepEncoder(config.cell, 2 * dim + known, hidden, backward=True)
            self.latent_layer = nn.Linear(latent, hidden)
            self.activation = nn.Tanh() if depth else nn.Identity()
            self.posterior_head = LatentHead(rest, hidden, hidden, depth=0)
        outputs = self.observation.size * max(self.latent.listed, 1)
        self.head = mlp(latent + known, hidden, outputs, depth)

    def embed_observations(self, x: Float[Tensor, "*lead dim"], inputs: Features) -> Features:
        return no_features(x)

    def embed_evidence(self, batch: Batch, inputs: Features) -> Features:
        if not self.latent.rest.dim:
            return no_features(batch.x)
        return self.reader(join(observed(batch), inputs), batch.length)

    def initial_state(self) -> DMMState:
        return DMMState(self.z0, self.z0.new_zeros(self.known))

    def prior(self, state: DMMState) -> LatentDistribution:
        return self.prior_head(join(state.z, state.u))

    def posterior(self, state: DMMState, evidence: Features) -> LatentDistribution | None:
        if not self.latent.rest.dim:
            return None
        combined = (self.activation(self.latent_layer(state.z)) + evidence) / 2
        return self.posterior_head(combined)

    def emission(self, state: DMMState) -> Distribution:
        category = state.z[..., self.latent.dim - self.latent.listed :]
        return self.observation(of_category(self.head(join(state.z, state.u)), category))
