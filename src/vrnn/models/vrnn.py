"""The variational recurrent network of Chung et al. (2015), arXiv:1506.02216."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.distributions import (
    Distribution,
    LatentDistribution,
    parse_emission,
    parse_latent,
)
from vrnn.errors import ConfigError, Setting
from vrnn.models.config import ModelConfig, roles
from vrnn.models.contract import Features, Model, join, no_features
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
class VRNNConfig(ModelConfig):
    """Configure a VRNN.

    Args:
        x_dim: width of an observation.
        u_dim: width of the known inputs.
        y_dim: width of the supervised target; 0 when there is none.
        hidden: width of the recurrent state and of hidden layers.
        latent: family of z_t, as `parse_latent` reads it: gaussian, categorical(8), or both.
        latent_dim: width of the Gaussian part of z_t.
        depth: hidden layers of every network; 0 makes them affine.
        cell: recurrent cell.
        emission: family of the emission, as `parse_emission` reads it.
        prior: learned, given h_{t-1} and u_t, or standard: N(0, I) and uniform (VRNN-I).
        supervised: no; encoder (z_t given x_t and h_{t-1}, at training and at test time);
            conditional (a training posterior that sees y_t too, against a prior that does not).
    """

    x_dim: int
    u_dim: int = 0
    y_dim: int = 0
    hidden: int = 64
    latent: str = "gaussian"
    latent_dim: int = 16
    depth: int = 1
    cell: CellName = "gru"
    emission: str = "gaussian"
    prior: Literal["learned", "standard"] = "learned"
    supervised: Literal["no", "encoder", "conditional"] = "no"


class VRNNState(NamedTuple):
    """The state of a VRNN."""

    h: Float[Tensor, "*lead carry"]
    z: Float[Tensor, "*lead features"]  # features of the current latent, then listed categories
    u: Float[Tensor, "*lead inputs"]


class VRNN(Model):
    """A recurrent network with a latent at every step, which the recurrence reads.

    z_t ~ N(mu(h_{t-1}, u_t), s(.)),   x_t ~ p(. | z_t, h_{t-1}, u_t),   h_t = f(x_t, u_t, z_t, h_{t-1})
    q(z_t | x_t, h_{t-1}, u_t) = N(mu, s)

    A categorical z_t has its exact posterior, q(k) proportional to p(k | h_{t-1}) p(x_t | k, h_{t-1}).

    Supervised, y_t takes the place of x_t in the emission and in the conditional posterior. The
    recurrence reads x_t as one of the inputs and never y_t.

    Source: Chung et al. 2015, eqs. 5 to 7 and 9.

    Example:
        >>> import torch
        >>> net = VRNN(VRNNConfig(x_dim=2, hidden=8, latent_dim=3))
        >>> net.initial_state().h.shape, net.latent
        (torch.Size([8]), Gaussian(dim=3))
    """

    def __init__(self, config: VRNNConfig):
        super().__init__()
        dim, known, self.supervised = roles(
            config.x_dim, config.u_dim, config.y_dim, config.supervised != "no"
        )
        if self.supervised and config.prior == "standard":
            raise ConfigError(
                ("a supervised VRNN needs ", Setting("prior", "learned")),
                cause="at test time z_t is drawn given x_t, which a standard prior ignores",
            )
        hidden, depth = config.hidden, config.depth
        self.known, self.observation = known, parse_emission(config.emission, dim)
        self.latent = parse_latent(config.latent, config.latent_dim)
        rest = self.latent.rest
        self.from_prior = config.supervised == "encoder"
        self.learns_posterior = not self.from_prior and rest.dim > 0
        self.standard = config.prior == "standard"
        read = 0 if self.supervised else dim  # what the transition reads of the observation
        self.x_features, x_width = features(read, hidden, depth), features_dim(read, hidden, depth)
        self.u_features, u_width = (
            features(known, hidden, depth),
            features_dim(known, hidden, depth),
        )
        listed = self.latent.listed
        self.z_features = features(self.latent.dim - listed, hidden, depth)
        self.z_widths = [features_dim(self.latent.dim - listed, hidden, depth), listed]
        self.cell = make_cell(config.cell, x_width + u_width, hidden)
        self.latent_gates = nn.Linear(sum(self.z_widths), self.cell.gates, bias=False)
        self.h0 = learned(self.cell.carry_dim)
        if not self.standard:
            self.prior_head = LatentHead(self.latent, hidden + known, hidden, depth)
        if self.learns_posterior:
            self.y_features = features(dim if self.supervised else 0, hidden, depth)
            evidence = features_dim(dim, hidden, depth) + known
            self.posterior_head = JointLatentHead(rest, evidence, hidden, hidden, depth)
        inputs = self.z_widths[0] + hidden + known
        self.head = mlp(inputs, hidden, self.observation.size * max(listed, 1), depth)

    def embed_observations(self, x: Float[Tensor, "*lead dim"], inputs: Features) -> Features:
        of_x = no_features(x) if self.supervised else self.x_features(x)
        return self.cell.project(join(of_x, self.u_features(inputs)))

    def embed_evidence(self, batch: Batch, inputs: Features) -> Features:
        if not self.learns_posterior:
            return no_features(batch.x)
        of_x = (self.y_features if self.supervised else self.x_features)(batch.x)
        return self.posterior_head.project(join(of_x, inputs))

    def initial_state(self) -> VRNNState:
        zeros = self.h0.new_zeros
        return VRNNState(self.h0, zeros(sum(self.z_widths)), zeros(self.known))

    def prior(self, state: VRNNState) -> LatentDistribution:
        if self.standard:
            return self.latent.standard(state.h)
        return self.prior_head(join(self.cell.output(state.h), state.u))

    def posterior(self, state: VRNNState, evidence: Features) -> LatentDistribution | None:
        if self.from_prior:
            return self.prior(state)
        if not self.learns_posterior:
            return None
        return self.posterior_head(evidence, self.cell.output(state.h))

    def with_latent(self, state: VRNNState, z: Float[Tensor, "n latent"]) -> VRNNState:
        rest, category = z.split([z.shape[-1] - self.latent.listed, self.latent.listed], -1)
        return state._replace(z=join(self.z_features(rest), category))

    def emission(self, state: VRNNState) -> Distribution:
        z, category = state.z.split(self.z_widths, -1)
        raw = self.head(join(z, self.cell.output(state.h), state.u))
        return self.observation(of_category(raw, category))

    def with_observation(self, state: VRNNState, features: Features) -> VRNNState:
        gates = features + self.latent_gates(state.z)
        return state._replace(h=self.cell.step(gates, state.h))
