"""The deep Markov model of Krishnan, Shalit and Sontag (2017), arXiv:1609.09869."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian, parse_emission, positive
from vrnn.distributions.base import Distribution
from vrnn.models.contract import Features, Model, join, observed
from vrnn.models.encoders import RowEncoder
from vrnn.models.layers import CellName, GaussianHead, affine_layers, learned, mlp
from vrnn.models.loops import PLAIN, Chain, Loops
from vrnn.models.roles import roles
from vrnn.models.settings import check_settings


@dataclass(frozen=True)
class DMMConfig:
    """Configure a deep Markov model.

    Args:
        x_dim: width of an observation.
        u_dim: width of the known inputs.
        hidden: width of hidden layers and of the backward network that the posterior reads.
        latent_dim: width of z_t, all that the model carries from step to step.
        depth: hidden layers of every network; 0 makes a linear Gaussian state-space model of them.
        cell: recurrent cell of the backward network.
        emission: family of the emission, in the grammar of `parse_emission`.
    """

    x_dim: int
    u_dim: int = 0
    hidden: int = 64
    latent_dim: int = 16
    depth: int = 1
    cell: CellName = "gru"
    emission: str = "gaussian"

    def __post_init__(self) -> None:
        check_settings(self)


class DMMState(NamedTuple):
    """Hold the latent drawn last."""

    z: Float[Tensor, "*lead latent"]


class GatedTransition(nn.Module):
    """Map (z_{t-1}, u_t) to N(mu, s), between a linear map and a network as a gate decides in each dimension.

    g = sigmoid(net(z, u)),   h = net(z, u),   mu = (1 - g) * (A z + B u + b) + g * h,   s = positive(W relu(h))

    A starts at the identity, B and b at 0: a latent that nothing moves stays.
    """

    def __init__(self, latent: int, known: int, hidden: int, depth: int):
        super().__init__()
        self.gate, self.proposed = (mlp(latent + known, hidden, latent, depth) for _ in range(2))
        self.linear, self.scale = nn.Linear(latent + known, latent), nn.Linear(latent, latent)
        nn.init.eye_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Float[Tensor, "*lead inputs"]) -> DiagonalGaussian:
        h = self.proposed(x)
        mean = torch.lerp(self.linear(x), h, torch.sigmoid(self.gate(x)))
        return DiagonalGaussian(mean, positive(self.scale(torch.relu(h))))


class DMM(Model):
    """Model sequences by a latent Markov chain alone: the past reaches x_t through z_t and nothing else.

    z_t ~ N(mu(z_{t-1}, u_t), s(z_{t-1}, u_t)),   x_t ~ p(. | z_t, u_t),   z_0 a learned constant
    a_t = f(x_t, u_t, a_{t+1})                                                            (backward network)
    q(z_t | z_{t-1}, x_{t:T}) = N(mu(c_t), s(c_t)),   c_t = (tanh(W z_{t-1} + b) + a_t) / 2

    The transition is the paper's gated one and the posterior its structured one, "DKS": given z_{t-1} the past has no more
    to tell, so it reads x_{t:T} alone. With depth 0 transition, emission and c_t are affine, without gate and tanh.
    """

    looks_ahead = True

    def __init__(self, config: DMMConfig):
        super().__init__()
        dim, known, _ = roles(config.x_dim, config.u_dim)
        hidden, depth, latent = config.hidden, config.depth, config.latent_dim
        self.family, self.latent_dim = parse_emission(config.emission, dim), latent
        self.chained, self.z0 = bool(depth), learned(latent)
        if depth:
            self.prior_head = GatedTransition(latent, known, hidden, depth)
        else:
            self.prior_head = GaussianHead(latent + known, hidden, latent, depth)
        self.reader = RowEncoder(config.cell, 2 * dim + known, hidden, backward=True)
        self.of_latent = nn.Linear(latent, hidden)
        self.squash = nn.Tanh() if depth else nn.Identity()
        self.posterior_head = GaussianHead(hidden, hidden, latent, depth=0)
        self.head = mlp(latent + known, hidden, self.family.size, depth)

    def embed_observations(self, x: Float[Tensor, "*lead dim"], known: Features) -> Features:
        return x[..., :0]

    def embed_evidence(
        self,
        x: Float[Tensor, "*lead dim"],
        known: Features,
        seen: Features,
        batch: Batch,
        loops: Loops = PLAIN,
    ) -> Features:
        return self.reader(join(observed(x, batch), known), batch.length, loops)

    def initial_state(self, code: Tensor, context: Tensor) -> DMMState:
        return DMMState(self.z0.expand(*code.shape[:-1], -1))

    def prior(self, state: DMMState, known: Features) -> DiagonalGaussian:
        return self.prior_head(join(state.z, known))

    def posterior(self, state: DMMState, evidence: Features, known: Features) -> DiagonalGaussian:
        combined = (self.squash(self.of_latent(state.z)) + evidence) / 2
        return self.posterior_head(combined)

    def with_latent(self, state: DMMState, z: Float[Tensor, "*lead latent"]) -> DMMState:
        return DMMState(z)

    def emission(self, state: DMMState, known: Features) -> Distribution:
        return self.family(self.head(join(state.z, known)))

    def chain(
        self,
        states: DMMState,
        evidence: Float[Tensor, "batch time evidence"],
        known: Float[Tensor, "batch time known"],
    ) -> Chain:
        (last,) = affine_layers(self.posterior_head)
        return Chain(
            squash="tanh",
            of_latent=self.of_latent.weight,
            inside=self.of_latent.bias.expand(1, 1, 1, -1),
            out=last.weight / 2,
            outside=last(evidence / 2)[None],
        )
