"""The plain recurrent network: the deterministic control of the variational models."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import Distribution, parse_emission
from vrnn.models.config import ModelConfig, roles
from vrnn.models.contract import Features, Model, join, no_features
from vrnn.models.layers import CellName, features, features_dim, learned, make_cell, mlp


@dataclass(frozen=True)
class RNNConfig(ModelConfig):
    """Configure an RNN.

    Args:
        x_dim: width of an observation.
        u_dim: width of the known inputs.
        y_dim: width of the supervised target; 0 when there is none.
        hidden: width of the recurrent state and of hidden layers.
        depth: hidden layers of every network; 0 makes them affine.
        cell: recurrent cell.
        emission: family of the emission, as `parse_emission` reads it.
        supervised: score y_t given x_{<=t}, in place of x_t given x_{<t}.
    """

    x_dim: int
    u_dim: int = 0
    y_dim: int = 0
    hidden: int = 64
    depth: int = 1
    cell: CellName = "gru"
    emission: str = "gaussian"
    supervised: bool = False


class RNNState(NamedTuple):
    """The state of an RNN."""

    h: Float[Tensor, "*lead carry"]
    u: Float[Tensor, "*lead inputs"]


class RNN(Model):
    """A recurrent network with a probabilistic head and no latent.

    Next step: x_t ~ g(h_{t-1}, u_t), h_t = f(x_t, u_t, h_{t-1}); h_0 is learned, and x_1 is scored.
    Supervised: y_t ~ g(h_t, u_t), h_t = f((x_t, u_t), h_{t-1}).

    Its log-likelihood is exact unless points are missing. All randomness is in the emission.
    Futures that differ by a decision need a mixture emission or a variational model.

    Example:
        >>> import torch
        >>> RNN(RNNConfig(x_dim=2, hidden=8)).initial_state().h.shape
        torch.Size([8])
    """

    def __init__(self, config: RNNConfig):
        super().__init__()
        dim, self.known, self.supervised = roles(
            config.x_dim, config.u_dim, config.y_dim, config.supervised
        )
        self.observation = parse_emission(config.emission, dim)
        read = self.known if config.supervised else dim
        width = features_dim(read, config.hidden, config.depth)
        self.features = features(read, config.hidden, config.depth)
        into = width + (0 if config.supervised else self.known)
        self.cell = make_cell(config.cell, into, config.hidden)
        size = self.observation.size
        self.head = mlp(config.hidden + self.known, config.hidden, size, config.depth)
        self.h0 = learned(self.cell.carry_dim)

    def embed_inputs(self, u: Float[Tensor, "*lead inputs"]) -> Features:
        return join(u, self.cell.project(self.features(u))) if self.supervised else u

    def embed_observations(self, x: Float[Tensor, "*lead dim"], inputs: Features) -> Features:
        if self.supervised:
            return no_features(x)
        return self.cell.project(join(self.features(x), inputs))

    def embed_evidence(self, batch: Batch, inputs: Features) -> Features:
        return no_features(batch.x)

    def initial_state(self) -> RNNState:
        return RNNState(self.h0, self.h0.new_zeros(self.known))

    def with_input(self, state: RNNState, inputs: Features) -> RNNState:
        if not self.supervised:
            return state._replace(u=inputs)
        u, gates = inputs[..., : self.known], inputs[..., self.known :]
        return RNNState(self.cell.step(gates, state.h), u)

    def emission(self, state: RNNState) -> Distribution:
        return self.observation(self.head(join(self.cell.output(state.h), state.u)))

    def with_observation(self, state: RNNState, features: Features) -> RNNState:
        return state if self.supervised else state._replace(h=self.cell.step(features, state.h))
