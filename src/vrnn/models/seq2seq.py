"""Architecture 1, the stepwise seq2seq VAE: encoder RNN, latent and decoder RNN at every step."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import (
    Distribution,
    LatentDistribution,
    parse_emission,
    parse_latent,
)
from vrnn.models.config import ModelConfig, roles
from vrnn.models.contract import Features, Model, join, no_features
from vrnn.models.layers import (
    CellName,
    LatentHead,
    features,
    features_dim,
    learned,
    make_cell,
    mlp,
)


@dataclass(frozen=True)
class Seq2SeqVAEConfig(ModelConfig):
    """Configure a stepwise seq2seq VAE.

    Args:
        x_dim: width of an observation.
        u_dim: width of the known inputs.
        y_dim: width of the supervised target; 0 when there is none.
        hidden: width of both recurrent states and of hidden layers.
        latent: family of z_t, as `parse_latent` reads it: gaussian, categorical(8), or both.
        latent_dim: width of the Gaussian part of z_t.
        depth: hidden layers of every network; 0 makes them affine.
        cell: recurrent cell.
        emission: family of the emission, as `parse_emission` reads it.
        target: what the output is scored against: the next observation, the same one (an
            autoencoder), or a supervised series.
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
    target: Literal["next", "same", "supervised"] = "next"


class Seq2SeqState(NamedTuple):
    """The state of a Seq2SeqVAE: the carries of both cells."""

    encoder: Float[Tensor, "*lead carry"]  # h
    decoder: Float[Tensor, "*lead carry"]  # h'
    u: Float[Tensor, "*lead inputs"]


class Seq2SeqVAE(Model):
    """Two recurrent networks with a latent between them at every step.

    h_t = f(x_t, h_{t-1}),   z ~ N(mu(h), s(h)),   h'_t = f'(z_t, h'_{t-1}),   x_t ~ p(. | h'_t)

    next: z_t is drawn given h_{t-1}, at training and at test time. x_t is scored, x_1 included, and
    h_0 is learned.
    same: z_t is drawn given h_t in training and from N(0, I) in generation. h_t has read x_t, so
    the encoder is the posterior and no part of what is generated.
    supervised: h_t reads x_t as an input. y_t is scored and never fed back.

    Example:
        >>> import torch
        >>> net = Seq2SeqVAE(Seq2SeqVAEConfig(x_dim=2, hidden=8))
        >>> net.initial_state().decoder.shape
        torch.Size([8])
    """

    def __init__(self, config: Seq2SeqVAEConfig):
        super().__init__()
        supervised = config.target == "supervised"
        dim, known, self.supervised = roles(config.x_dim, config.u_dim, config.y_dim, supervised)
        hidden, depth = config.hidden, config.depth
        self.same, self.known = config.target == "same", known
        self.observation = parse_emission(config.emission, dim)
        self.latent = parse_latent(config.latent, config.latent_dim)
        read = known if self.supervised else dim
        width = features_dim(read, hidden, depth)
        self.features = features(read, hidden, depth)
        self.encoder = make_cell(config.cell, width + (0 if self.supervised else known), hidden)
        self.decoder = make_cell(config.cell, self.latent.dim, hidden)
        self.latent_head = LatentHead(self.latent, hidden + known, hidden, depth)
        self.head = mlp(hidden + known, hidden, self.observation.size, depth)
        self.encoder0 = learned(self.encoder.carry_dim)
        self.decoder0 = learned(self.decoder.carry_dim)

    def embed_inputs(self, u: Float[Tensor, "*lead inputs"]) -> Features:
        return join(u, self.encoder.project(self.features(u))) if self.supervised else u

    def embed_observations(self, x: Float[Tensor, "*lead dim"], inputs: Features) -> Features:
        if self.supervised:
            return no_features(x)
        return self.encoder.project(join(self.features(x), inputs))

    def embed_evidence(self, batch: Batch, inputs: Features) -> Features | None:
        return None if self.same else no_features(batch.x)

    def initial_state(self) -> Seq2SeqState:
        return Seq2SeqState(self.encoder0, self.decoder0, self.encoder0.new_zeros(self.known))

    def with_input(self, state: Seq2SeqState, inputs: Features) -> Seq2SeqState:
        if not self.supervised:
            return state._replace(u=inputs)
        u, gates = inputs[..., : self.known], inputs[..., self.known :]
        return state._replace(encoder=self.encoder.step(gates, state.encoder), u=u)

    def prior(self, state: Seq2SeqState) -> LatentDistribution:
        if self.same:
            return self.latent.standard(state.encoder)
        return self.latent_head(join(self.encoder.output(state.encoder), state.u))

    def posterior(self, state: Seq2SeqState, evidence: Features) -> LatentDistribution | None:
        if self.supervised:
            return self.prior(state)
        if not self.same:
            return None
        read = self.encoder.step(evidence, state.encoder)
        return self.latent_head(join(self.encoder.output(read), state.u))

    def with_latent(self, state: Seq2SeqState, z: Float[Tensor, "n latent"]) -> Seq2SeqState:
        return state._replace(decoder=self.decoder.step(self.decoder.project(z), state.decoder))

    def emission(self, state: Seq2SeqState) -> Distribution:
        return self.observation(self.head(join(self.decoder.output(state.decoder), state.u)))

    def with_observation(self, state: Seq2SeqState, features: Features) -> Seq2SeqState:
        if self.supervised:
            return state
        return state._replace(encoder=self.encoder.step(features, state.encoder))
