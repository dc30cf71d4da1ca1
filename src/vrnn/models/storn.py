"""The stochastic recurrent network STORN of Bayer and Osendorfer (2014), arXiv:1411.7610."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.distributions import Distribution, LatentDistribution, parse_emission, parse_latent
from vrnn.models.config import ModelConfig, roles
from vrnn.models.contract import Features, Model, join, no_features, observed
from vrnn.models.encoders import StepEncoder
from vrnn.models.layers import CellName, features, features_dim, learned, make_cell, mlp


@dataclass(frozen=True)
class STORNConfig(ModelConfig):
    """Configure a STORN.

    Args:
        x_dim: width of an observation.
        u_dim: width of the known inputs.
        hidden: width of h_t, of both networks of the posterior and of hidden layers.
        latent: family of z_t, as `parse_latent` reads it: gaussian, categorical(8), or both.
        latent_dim: width of the Gaussian part of z_t.
        depth: hidden layers of every network; 0 makes them affine.
        cell: recurrent cell of all recurrent networks.
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


class STORNState(NamedTuple):
    """The state of a STORN."""

    h: Float[Tensor, "*lead carry"]
    x: Float[Tensor, "*lead gates"]  # the last observation, as the cell reads it
    u: Float[Tensor, "*lead inputs"]


class STORN(Model):
    """A recurrent network that reads independent noise at every step.

    z_t ~ N(0, I),   h_t = f(x_{t-1}, u_{t-1}, z_t, h_{t-1}),   x_t ~ p(. | h_t, u_t)
    q(z_t | x_{1:T}) = N(mu(b_t, a_t), s(b_t, a_t))
    b_t = f'(x_t, u_t, b_{t-1}),   a_t = f''(x_t, u_t, a_{t+1})

    The posterior is a product over time steps. It reads the whole sequence in both directions and
    no latent, so all of it is computed at once. A learned constant takes the place of x_0.

    Example:
        >>> import torch
        >>> STORN(STORNConfig(x_dim=2, hidden=8)).initial_state().h.shape
        torch.Size([8])
    """

    def __init__(self, config: STORNConfig):
        super().__init__()
        dim, known, _ = roles(config.x_dim, config.u_dim)
        hidden, depth = config.hidden, config.depth
        self.known, self.observation = known, parse_emission(config.emission, dim)
        self.latent = parse_latent(config.latent, config.latent_dim)
        self.features = features(dim, hidden, depth)
        self.cell = make_cell(config.cell, features_dim(dim, hidden, depth) + known, hidden)
        self.latent_gates = nn.Linear(self.latent.dim, self.cell.gates, bias=False)
        self.h0, self.x0 = learned(self.cell.carry_dim), learned(self.cell.gates)
        rest = self.latent.rest
        if rest.dim:
            self.reader = StepEncoder(config.cell, 2 * dim + known, hidden, backward=False)
            self.backward_reader = StepEncoder(config.cell, 2 * dim + known, hidden, backward=True)
            self.posterior_net = mlp(2 * hidden, hidden, rest.size, depth)
        self.head = mlp(hidden + known, hidden, self.observation.size, depth)

    def embed_observations(self, x: Float[Tensor, "*lead dim"], inputs: Features) -> Features:
        return self.cell.project(join(self.features(x), inputs))

    def embed_evidence(self, batch: Batch, inputs: Features) -> Features:
        if not self.latent.rest.dim:
            return no_features(batch.x)
        read = join(observed(batch), inputs)
        forward, backward = (r(read, batch.length) for r in (self.reader, self.backward_reader))
        return self.posterior_net(join(forward, backward))

    def initial_state(self) -> STORNState:
        return STORNState(self.h0, self.x0, self.h0.new_zeros(self.known))

    def posterior(self, state: STORNState, evidence: Features) -> LatentDistribution | None:
        return self.latent.rest(evidence) if self.latent.rest.dim else None

    def with_latent(self, state: STORNState, z: Float[Tensor, "n latent"]) -> STORNState:
        return state._replace(h=self.cell.step(state.x + self.latent_gates(z), state.h))

    def emission(self, state: STORNState) -> Distribution:
        return self.observation(self.head(join(self.cell.output(state.h), state.u)))

    def with_observation(self, state: STORNState, features: Features) -> STORNState:
        return state._replace(x=features)
