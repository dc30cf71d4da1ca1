"""The stochastic recurrent network STORN of Bayer and Osendorfer (2014), arXiv:1411.7610."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian, parse_emission
from vrnn.distributions.base import Distribution
from vrnn.models.contract import Features, Model, join, observed
from vrnn.models.encoders import RowEncoder
from vrnn.models.layers import (
    CellName,
    GaussianHead,
    features,
    features_dim,
    learned,
    make_cell,
    mlp,
)
from vrnn.models.loops import PLAIN, Loops
from vrnn.models.roles import roles
from vrnn.models.settings import check_settings


@dataclass(frozen=True)
class STORNConfig:
    """Configure a STORN.

    Args:
        x_dim: width of an observation.
        u_dim: width of the known inputs.
        hidden: width of h_t, of either direction of the posterior's network and of hidden layers.
        latent_dim: width of z_t.
        depth: hidden layers of every network; 0 makes them affine.
        cell: recurrent cell of all recurrent networks.
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


class STORNState(NamedTuple):
    """Hold the carry h of the cell and the last observation."""

    h: Float[Tensor, "*lead carry"]
    x: Float[Tensor, "*lead gates"]  # as the cell reads it


class STORN(Model):
    """Model sequences with a recurrent network that reads independent noise at every step.

    z_t ~ N(0, I),   h_t = f(x_{t-1}, u_{t-1}, z_t, h_{t-1}),   x_t ~ p(. | h_t, u_t)
    q(z_t | x_{1:T}) = N(mu(b_t, a_t), s(b_t, a_t)),   b_t = f'(x_t, u_t, b_{t-1}),   a_t = f''(x_t, u_t, a_{t+1})

    The posterior is a product over steps: it reads the whole sequence in both directions and no latent, so that all of it is
    computed at once. A learned constant takes the place of x_0.
    """

    looks_ahead = apart = True

    def __init__(self, config: STORNConfig):
        super().__init__()
        dim, known, _ = roles(config.x_dim, config.u_dim)
        hidden, depth = config.hidden, config.depth
        self.family, self.latent_dim = parse_emission(config.emission, dim), config.latent_dim
        self.features = features(dim, hidden, depth)
        self.cell = make_cell(config.cell, features_dim(dim, hidden, depth) + known, hidden)
        self.of_latent = nn.Linear(config.latent_dim, self.cell.gates, bias=False)
        self.h0, self.x0 = learned(self.cell.carry_dim), learned(self.cell.gates)
        self.reader = RowEncoder(config.cell, 2 * dim + known, hidden, backward=False)
        self.backward_reader = RowEncoder(config.cell, 2 * dim + known, hidden, backward=True)
        self.posterior_head = GaussianHead(2 * hidden, hidden, config.latent_dim, depth)
        self.head = mlp(hidden + known, hidden, self.family.size, depth)

    def embed_observations(self, x: Float[Tensor, "*lead dim"], known: Features) -> Features:
        return self.cell.project(join(self.features(x), known))

    def embed_evidence(
        self,
        x: Float[Tensor, "*lead dim"],
        known: Features,
        seen: Features,
        batch: Batch,
        loops: Loops = PLAIN,
    ) -> Features:
        read = join(observed(x, batch), known)
        readers = (self.reader, self.backward_reader)
        return join(
            *self.posterior_head(join(*(reader(read, batch.length, loops) for reader in readers)))
        )

    def initial_state(self, code: Tensor, context: Tensor) -> STORNState:
        lead = code.shape[:-1]
        return STORNState(self.h0.expand(*lead, -1), self.x0.expand(*lead, -1))

    def prior(self, state: STORNState, known: Features) -> DiagonalGaussian:
        return DiagonalGaussian.standard(state.h, self.latent_dim)

    def posterior(self, state: STORNState, evidence: Features, known: Features) -> DiagonalGaussian:
        return DiagonalGaussian(*evidence.expand(*state.h.shape[:-1], -1).chunk(2, -1))

    def with_latent(self, state: STORNState, z: Float[Tensor, "*lead latent"]) -> STORNState:
        return state._replace(h=self.cell.step(state.x + self.of_latent(z), state.h))

    def emission(self, state: STORNState, known: Features) -> Distribution:
        return self.family(self.head(join(self.cell.output(state.h), known)))

    def with_observation(self, state: STORNState, seen: Features) -> STORNState:
        return state._replace(x=seen.expand(*state.h.shape[:-1], -1))

    def run(
        self, state: STORNState, known: Features, seen: Features, z: Tensor, loops: Loops
    ) -> STORNState:
        before = torch.cat([state.x[..., None, :], seen[:, :-1].expand(*z.shape[:2], -1, -1)], -2)
        return STORNState(loops.cell(self.cell, before + self.of_latent(z), state.h), before)
