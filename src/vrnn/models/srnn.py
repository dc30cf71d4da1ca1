"""The stochastic recurrent network of Fraccaro, Sonderby, Paquet and Winther (2016).

arXiv:1605.07571.
"""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import Distribution, LatentDistribution, parse_emission, parse_latent
from vrnn.models.config import ModelConfig, roles
from vrnn.models.contract import Features, Model, join, no_features, observed
from vrnn.models.encoders import StepEncoder
from vrnn.models.layers import (
    CellName,
    JointLatentHead,
    LatentHead,
    features,
    features_dim,
    learned,
    make_cell,
    mlp,
    of_category,
)


@dataclass(frozen=True)
class SRNNConfig(ModelConfig):
    """Configure an SRNN.

    Args:
        x_dim: width of an observation.
        u_dim: width of the known inputs.
        hidden: width of d_t, of the backward network and of hidden layers.
        latent: family of z_t, as `parse_latent` reads it: gaussian, categorical(8), or both.
        latent_dim: width of the Gaussian part of z_t.
        depth: hidden layers of every network; 0 makes them affine.
        cell: recurrent cell of both recurrent networks.
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


class SRNNState(NamedTuple):
    """The state of an SRNN."""

    d: Float[Tensor, "*lead carry"]
    z: Float[Tensor, "*lead latent"]
    u: Float[Tensor, "*lead inputs"]


class SRNN(Model):
    """A latent Markov chain on top of a recurrent network that the latents never enter.

    d_t = f(x_{t-1}, u_{t-1}, d_{t-1})
    z_t ~ N(mu_p(z_{t-1}, d_t, u_t), s_p(.)),   x_t ~ p(. | z_t, d_t, u_t)
    a_t = f'(x_t, u_t, a_{t+1})                                           (backward network)
    q(z_t | z_{t-1}, d_t, a_t, x_t) = N(mu_p + m(z_{t-1}, d_t, a_t, x_t), s(z_{t-1}, d_t, a_t, x_t))

    z_0 and d_0 are learned constants. The posterior's network gives a correction of the prior's
    mean, the paper's residual parameterisation ("Res_q"). In the paper the backward network reads
    d_t beside x_t. Here the head reads d_t instead: d is a function of x, so it knows the same, and
    goes on knowing it where points are missing. The head reads x_t beside a_t too; with a_t alone
    the latents came into use much later in training.

    Example:
        >>> import torch
        >>> SRNN(SRNNConfig(x_dim=2, hidden=8)).initial_state().d.shape
        torch.Size([8])
    """

    def __init__(self, config: SRNNConfig):
        super().__init__()
        dim, known, _ = roles(config.x_dim, config.u_dim)
        hidden, depth = config.hidden, config.depth
        self.known, self.observation = known, parse_emission(config.emission, dim)
        self.latent = parse_latent(config.latent, config.latent_dim)
        latent, rest = self.latent.dim, self.latent.rest
        self.features = features(dim, hidden, depth)
        self.cell = make_cell(config.cell, features_dim(dim, hidden, depth) + known, hidden)
        self.d0, self.z0 = learned(self.cell.carry_dim), learned(latent)
        self.prior_head = LatentHead(self.latent, latent + hidden + known, hidden, depth)
        if rest.dim:
            self.reader = StepEncoder(config.cell, 2 * dim + known, hidden, backward=True)
            evidence = hidden + 2 * dim + known
            self.posterior_head = JointLatentHead(rest, evidence, latent + hidden, hidden, depth)
        outputs = self.observation.size * max(self.latent.listed, 1)
        self.head = mlp(latent + hidden + known, hidden, outputs, depth)

    def embed_observations(self, x: Float[Tensor, "*lead dim"], inputs: Features) -> Features:
        return self.cell.project(join(self.features(x), inputs))

    def embed_evidence(self, batch: Batch, inputs: Features) -> Features:
        if not self.latent.rest.dim:
            return no_features(batch.x)
        read = join(observed(batch), inputs)
        return self.posterior_head.project(join(self.reader(read, batch.length), read))

    def initial_state(self) -> SRNNState:
        return SRNNState(self.d0, self.z0, self.z0.new_zeros(self.known))

    def prior(self, state: SRNNState) -> LatentDistribution:
        return self.prior_head(join(state.z, self.cell.output(state.d), state.u))

    def posterior(self, state: SRNNState, evidence: Features) -> LatentDistribution | None:
        rest = self.latent.rest
        if not rest.dim:
            return None
        correction = self.posterior_head.raw(evidence, join(state.z, self.cell.output(state.d)))
        return rest.moved(self.prior(state).rest, correction)

    def emission(self, state: SRNNState) -> Distribution:
        raw = self.head(join(state.z, self.cell.output(state.d), state.u))
        category = state.z[..., self.latent.dim - self.latent.listed :]
        return self.observation(of_category(raw, category))

    def with_observation(self, state: SRNNState, features: Features) -> SRNNState:
        return state._replace(d=self.cell.step(features, state.d))
