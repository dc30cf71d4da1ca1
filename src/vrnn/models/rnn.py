"""The plain recurrent network: the deterministic control that the variational models are held against."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.distributions import parse_emission
from vrnn.distributions.base import Distribution
from vrnn.models.contract import Features, Model, join
from vrnn.models.layers import CellName, features, features_dim, learned, make_cell, mlp
from vrnn.models.loops import Loops
from vrnn.models.roles import roles
from vrnn.models.settings import check_settings


@dataclass(frozen=True)
class RNNConfig:
    """Configure an RNN.

    Args:
        x_dim: width of an observation.
        u_dim: width of the known inputs.
        y_dim: width of the supervised target; 0 when there is none.
        hidden: width of the recurrent state and of hidden layers.
        depth: hidden layers of every network; 0 makes them affine.
        cell: recurrent cell.
        emission: family of the emission, in the grammar of `parse_emission`.
        supervised: score y_t given x_{<=t} in place of x_t given x_{<t}.
    """

    x_dim: int
    u_dim: int = 0
    y_dim: int = 0
    hidden: int = 64
    depth: int = 1
    cell: CellName = "gru"
    emission: str = "gaussian"
    supervised: bool = False

    def __post_init__(self) -> None:
        check_settings(self)


class RNNState(NamedTuple):
    """Hold the carry h of the cell."""

    h: Float[Tensor, "*lead carry"]


class RNN(Model):
    """Score sequences with h_t = f(x_t, h_{t-1}) and a probabilistic head on h; there is no latent.

    Next step: x_t ~ g(h_{t-1}, u_t), x_1 included, from a learned h_0. Supervised: y_t ~ g(h_t), h_t = f((x_t, u_t), h_{t-1}).
    Its log-likelihood is exact unless points are missing. All randomness is in the emission, so futures that differ
    by a decision need a mixture emission or a variational model.
    """

    tied = apart = True

    def __init__(self, config: RNNConfig):
        super().__init__()
        dim, known, self.supervised = roles(
            config.x_dim, config.u_dim, config.y_dim, config.supervised
        )
        self.family = parse_emission(config.emission, dim)
        read = known if config.supervised else dim
        width = features_dim(read, config.hidden, config.depth)
        self.features = features(read, config.hidden, config.depth)
        self.cell = make_cell(
            config.cell, width + (0 if config.supervised else known), config.hidden
        )
        self.head = mlp(config.hidden + known, config.hidden, self.family.size, config.depth)
        self.h0 = learned(self.cell.carry_dim)
        self.known_dim = known

    def embed_inputs(self, u: Float[Tensor, "*lead inputs"]) -> Features:
        return join(u, self.cell.project(self.features(u))) if self.supervised else u

    def embed_observations(self, x: Float[Tensor, "*lead dim"], known: Features) -> Features:
        return x[..., :0] if self.supervised else self.cell.project(join(self.features(x), known))

    def initial_state(self, code: Tensor, context: Tensor) -> RNNState:
        return RNNState(self.h0.expand(*code.shape[:-1], -1))

    def with_input(self, state: RNNState, known: Features) -> RNNState:
        return (
            RNNState(self.cell.step(known[..., self.known_dim :], state.h))
            if self.supervised
            else state
        )

    def emission(self, state: RNNState, known: Features) -> Distribution:
        return self.family(self.head(join(self.cell.output(state.h), known[..., : self.known_dim])))

    def with_observation(self, state: RNNState, seen: Features) -> RNNState:
        return state if self.supervised else RNNState(self.cell.step(seen, state.h))

    def run(
        self, state: RNNState, known: Features, seen: Features, z: Tensor, loops: Loops
    ) -> RNNState:
        first = state.h[:1]  # which no sample has a part in
        if self.supervised:
            h = loops.cell(self.cell, known[None, ..., self.known_dim :], first)
        else:
            h = torch.cat(
                [first[..., None, :], loops.cell(self.cell, seen[None, :, :-1], first)], -2
            )
        return RNNState(h.expand(*z.shape[:3], -1))
