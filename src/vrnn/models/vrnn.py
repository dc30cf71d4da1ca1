"""The variational recurrent network of Chung et al. (2015), arXiv:1506.02216."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian, parse_emission
from vrnn.distributions.base import Distribution
from vrnn.errors import ConfigError, Setting
from vrnn.models.contract import Features, Model, join
from vrnn.models.layers import (
    CellName,
    GaussianHead,
    JointGaussianHead,
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
class VRNNConfig:
    """Configure a VRNN.

    Args:
        x_dim: width of an observation.
        u_dim: width of the known inputs.
        y_dim: width of the supervised target; 0 when there is none.
        hidden: width of the recurrent state and of hidden layers.
        latent_dim: width of z_t.
        depth: hidden layers of every network; 0 makes them affine.
        cell: recurrent cell.
        emission: family of the emission, in the grammar of `parse_emission`.
        prior: learned, N(mu(h_{t-1}), s(h_{t-1})), or standard, N(0, I) (VRNN-I).
        supervised: no; encoder (z_t | x_t, h_{t-1} at training and at test time); conditional (a training posterior
            that also sees y_t, against a prior that sees only x_t and h_{t-1}).
    """

    x_dim: int
    u_dim: int = 0
    y_dim: int = 0
    hidden: int = 64
    latent_dim: int = 16
    depth: int = 1
    cell: CellName = "gru"
    emission: str = "gaussian"
    prior: Literal["learned", "standard"] = "learned"
    supervised: Literal["no", "encoder", "conditional"] = "no"

    def __post_init__(self) -> None:
        check_settings(self)


class VRNNState(NamedTuple):
    """Hold the carry h of the cell and the features of the latent drawn last."""

    h: Float[Tensor, "*lead carry"]
    z: Float[Tensor, "*lead features"]  # features of the current latent


class VRNN(Model):
    """Model sequences with a latent z_t and a recurrence that reads it.

    z_t ~ N(mu(h_{t-1}, u_t), s(.)),   x_t ~ p(. | z_t, h_{t-1}, u_t),   h_t = f(x_t, z_t, h_{t-1})      (eqs. 5 to 7)
    q(z_t | x_t, h_{t-1}, u_t) = N(mu, s)                                                              (eq. 9)

    Supervised, y_t takes the place of x_t in the emission and in the conditional posterior; h_t = f(x_t, z_t, h_{t-1})
    reads x_t as one of the inputs and never y_t.
    """

    def __init__(self, config: VRNNConfig):
        super().__init__()
        dim, known, self.supervised = roles(
            config.x_dim, config.u_dim, config.y_dim, config.supervised != "no"
        )
        if self.supervised and config.prior == "standard":
            raise ConfigError(
                ("a supervised VRNN needs ", Setting("prior", "learned")),
                cause="at test time z_t is drawn given x_t, which N(0, I) ignores",
            )
        hidden, depth = config.hidden, config.depth
        self.family, self.latent_dim = parse_emission(config.emission, dim), config.latent_dim
        self.tied = config.supervised == "encoder"
        self.standard = config.prior == "standard"
        read = 0 if self.supervised else dim  # what the transition reads of the observation
        self.x_features, x_width = features(read, hidden, depth), features_dim(read, hidden, depth)
        self.u_features, u_width = (
            features(known, hidden, depth),
            features_dim(known, hidden, depth),
        )
        self.z_features, z_width = (
            features(config.latent_dim, hidden, depth),
            features_dim(config.latent_dim, hidden, depth),
        )
        self.cell = make_cell(config.cell, x_width + u_width, hidden)
        self.of_latent = nn.Linear(z_width, self.cell.gates, bias=False)
        self.h0 = learned(self.cell.carry_dim)
        self.z_width = z_width
        if not self.standard:
            self.prior_head = GaussianHead(hidden + known, hidden, config.latent_dim, depth)
        if not self.tied:
            self.y_features = features(dim if self.supervised else 0, hidden, depth)
            evidence = features_dim(dim, hidden, depth) + known
            self.posterior_head = JointGaussianHead(
                evidence, hidden, hidden, config.latent_dim, depth
            )
        self.head = mlp(z_width + hidden + known, hidden, self.family.size, depth)

    def embed_observations(self, x: Float[Tensor, "*lead dim"], known: Features) -> Features:
        of_x = x[..., :0] if self.supervised else self.x_features(x)
        return self.cell.project(join(of_x, self.u_features(known)))

    def embed_evidence(
        self,
        x: Float[Tensor, "*lead dim"],
        known: Features,
        seen: Features,
        batch: Batch,
        loops: Loops = PLAIN,
    ) -> Features:
        if self.tied:
            return x[..., :0]
        of_x = self.y_features(x) if self.supervised else self.x_features(x)
        return self.posterior_head.project(join(of_x, known))

    def initial_state(self, code: Tensor, context: Tensor) -> VRNNState:
        lead = code.shape[:-1]
        return VRNNState(self.h0.expand(*lead, -1), code.new_zeros(*lead, self.z_width))

    def prior(self, state: VRNNState, known: Features) -> DiagonalGaussian:
        if self.standard:
            return DiagonalGaussian.standard(state.h, self.latent_dim)
        return self.prior_head(join(self.cell.output(state.h), known))

    def posterior(self, state: VRNNState, evidence: Features, known: Features) -> DiagonalGaussian:
        if self.tied:
            return self.prior(state, known)
        return self.posterior_head(evidence, self.cell.output(state.h))

    def with_latent(self, state: VRNNState, z: Float[Tensor, "*lead latent"]) -> VRNNState:
        return VRNNState(state.h, self.z_features(z))

    def emission(self, state: VRNNState, known: Features) -> Distribution:
        return self.family(self.head(join(state.z, self.cell.output(state.h), known)))

    def with_observation(self, state: VRNNState, seen: Features) -> VRNNState:
        gates = seen + self.of_latent(state.z)
        return VRNNState(self.cell.step(gates, state.h), state.z)
