"""The recurrent state-space model of Hafner et al. (2019, arXiv:1811.04551; 2021, arXiv:2010.02193)."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import Distribution, LatentDistribution, parse_emission, parse_latent
from vrnn.models.config import ModelConfig, roles
from vrnn.models.contract import Features, Model, join, no_features, observed
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
class RSSMConfig(ModelConfig):
    """Configure an RSSM.

    Args:
        x_dim: width of an observation.
        u_dim: width of the known inputs: u_t is the action that leads to x_t.
        hidden: width of h_t and of hidden layers.
        latent: family of z_t, as `parse_latent` reads it: gaussian, categorical(8),
            16*categorical(16), or both.
        latent_dim: width of the Gaussian part of z_t.
        depth: hidden layers of every network; 0 makes them affine.
        cell: recurrent cell.
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


class RSSMState(NamedTuple):
    """The state of an RSSM: its deterministic and its stochastic path."""

    h: Float[Tensor, "*lead carry"]
    z: Float[Tensor, "*lead latent"]


class RSSM(Model):
    """A recurrent network that reads latents and actions, and observations through latents alone.

    h_t = f(h_{t-1}, z_{t-1}, u_t)                                        (deterministic path)
    z_t ~ N(mu(h_t), s(h_t)),   x_t ~ p(. | h_t, z_t)                     (stochastic path)
    q(z_t | h_t, x_t) = N(mu(h_t, x_t), s(h_t, x_t))

    h_0 and z_0 are learned constants. A single group of categories has its exact posterior,
    q(k) proportional to p(k | h_t) p(x_t | h_t, k). Several groups have a network for theirs, and
    their draws pass gradients straight through.

    No observation enters the recurrence. A missing one therefore leaves z_t to the prior, and its
    value is never drawn for the state.

    Source: Hafner et al. 2019, eq. 4 and section 3; 2021, eq. 1 and section 2, for the categories.

    Example:
        >>> import torch
        >>> net = RSSM(RSSMConfig(x_dim=2, u_dim=1, hidden=8, latent="4*categorical(8)"))
        >>> net.initial_state().z.shape, net.latent
        (torch.Size([32]), OneHot(classes=8, groups=4))
    """

    def __init__(self, config: RSSMConfig):
        super().__init__()
        dim, known, _ = roles(config.x_dim, config.u_dim)
        hidden, depth = config.hidden, config.depth
        self.observation = parse_emission(config.emission, dim)
        self.latent = parse_latent(config.latent, config.latent_dim)
        latent, rest = self.latent.dim, self.latent.rest
        self.features = features(latent + known, hidden, depth)
        self.cell = make_cell(config.cell, features_dim(latent + known, hidden, depth), hidden)
        self.h0, self.z0 = learned(self.cell.carry_dim), learned(latent)
        self.prior_head = LatentHead(self.latent, hidden, hidden, depth)
        if rest.dim:
            self.x_features = features(2 * dim, hidden, depth)
            evidence = features_dim(2 * dim, hidden, depth)
            self.posterior_head = JointLatentHead(rest, evidence, hidden, hidden, depth)
        outputs = self.observation.size * max(self.latent.listed, 1)
        self.head = mlp(hidden + latent, hidden, outputs, depth)

    def embed_observations(self, x: Float[Tensor, "*lead dim"], inputs: Features) -> Features:
        return no_features(x)

    def embed_evidence(self, batch: Batch, inputs: Features) -> Features:
        if not self.latent.rest.dim:
            return no_features(batch.x)
        return self.posterior_head.project(self.x_features(observed(batch)))

    def initial_state(self) -> RSSMState:
        return RSSMState(self.h0, self.z0)

    def with_input(self, state: RSSMState, inputs: Features) -> RSSMState:
        gates = self.cell.project(self.features(join(state.z, inputs)))
        return state._replace(h=self.cell.step(gates, state.h))

    def prior(self, state: RSSMState) -> LatentDistribution:
        return self.prior_head(self.cell.output(state.h))

    def posterior(self, state: RSSMState, evidence: Features) -> LatentDistribution | None:
        if not self.latent.rest.dim:
            return None
        return self.posterior_head(evidence, self.cell.output(state.h))

    def emission(self, state: RSSMState) -> Distribution:
        raw = self.head(join(self.cell.output(state.h), state.z))
        category = state.z[..., self.latent.dim - self.latent.listed :]
        return self.observation(of_category(raw, category))
