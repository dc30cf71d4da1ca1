"""Variational RNN, architecture 1: encoder RNN, latent and decoder RNN at every step."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian, parse_emission
from vrnn.distributions.base import Distribution
from vrnn.models.contract import Features, Model, join
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
class Seq2SeqVAEConfig:
    """Configure a stepwise seq2seq VAE.

    Args:
        x_dim: width of an observation.
        u_dim: width of the known inputs.
        y_dim: width of the supervised target; 0 when there is none.
        hidden: width of both recurrent states and of hidden layers.
        latent_dim: width of z_t.
        depth: hidden layers of every network; 0 makes them affine.
        cell: recurrent cell.
        emission: family of the emission, in the grammar of `parse_emission`.
        target: what y_t is scored against: the next observation, the same one (an autoencoder), or a supervised series.
    """

    x_dim: int
    u_dim: int = 0
    y_dim: int = 0
    hidden: int = 64
    latent_dim: int = 16
    depth: int = 1
    cell: CellName = "gru"
    emission: str = "gaussian"
    target: Literal["next", "same", "supervised"] = "next"

    def __post_init__(self) -> None:
        check_settings(self)


class Seq2SeqState(NamedTuple):
    """Hold the carries of both cells, h and h'."""

    encoder: Float[Tensor, "*lead carry"]  # h
    decoder: Float[Tensor, "*lead carry"]  # h'


class Seq2SeqVAE(Model):
    """Model sequences with two recurrent networks and a latent between them at every step.

    h_t = f(x_t, h_{t-1}),   z ~ N(mu(h), s(h)),   h'_t = f'(z_t, h'_{t-1}),   x_t ~ p(. | h'_t)

    next: z_t is drawn given h_{t-1}, at training and at test time, and x_t is scored, x_1 included, from a learned h_0.
    same: z_t is drawn given h_t (which has read x_t) in training and from N(0, I) in generation; the encoder is the
    posterior and no part of what is generated. supervised: h_t reads x_t as an input, y_t is scored and never fed back.
    """

    def __init__(self, config: Seq2SeqVAEConfig):
        super().__init__()
        supervised = config.target == "supervised"
        dim, known, self.supervised = roles(config.x_dim, config.u_dim, config.y_dim, supervised)
        hidden, depth = config.hidden, config.depth
        self.same = config.target == "same"
        self.tied = not self.same
        self.apart = (
            not self.same or config.cell == "gru"
        )  # what a posterior goes on from is the whole carry
        self.family, self.latent_dim, self.known_dim = (
            parse_emission(config.emission, dim),
            config.latent_dim,
            known,
        )
        read = known if self.supervised else dim
        width = features_dim(read, hidden, depth)
        self.features = features(read, hidden, depth)
        self.encoder = make_cell(config.cell, width + (0 if self.supervised else known), hidden)
        self.decoder = make_cell(config.cell, config.latent_dim, hidden)
        self.latent_head = GaussianHead(hidden + known, hidden, config.latent_dim, depth)
        self.head = mlp(hidden + known, hidden, self.family.size, depth)
        self.encoder0, self.decoder0 = (
            learned(self.encoder.carry_dim),
            learned(self.decoder.carry_dim),
        )

    def embed_inputs(self, u: Float[Tensor, "*lead inputs"]) -> Features:
        return join(u, self.encoder.project(self.features(u))) if self.supervised else u

    def embed_observations(self, x: Float[Tensor, "*lead dim"], known: Features) -> Features:
        return (
            x[..., :0] if self.supervised else self.encoder.project(join(self.features(x), known))
        )

    def embed_evidence(
        self,
        x: Float[Tensor, "*lead dim"],
        known: Features,
        seen: Features,
        batch: Batch,
        loops: Loops = PLAIN,
    ) -> Features:
        return seen if self.same else x[..., :0]

    def initial_state(self, code: Tensor, context: Tensor) -> Seq2SeqState:
        lead = code.shape[:-1]
        return Seq2SeqState(self.encoder0.expand(*lead, -1), self.decoder0.expand(*lead, -1))

    def with_input(self, state: Seq2SeqState, known: Features) -> Seq2SeqState:
        if not self.supervised:
            return state
        return state._replace(
            encoder=self.encoder.step(known[..., self.known_dim :], state.encoder)
        )

    def prior(self, state: Seq2SeqState, known: Features) -> DiagonalGaussian:
        if self.same:
            return DiagonalGaussian.standard(state.encoder, self.latent_dim)
        return self.latent_head(
            join(self.encoder.output(state.encoder), known[..., : self.known_dim])
        )

    def posterior(
        self, state: Seq2SeqState, evidence: Features, known: Features
    ) -> DiagonalGaussian:
        if not self.same:
            return self.prior(state, known)
        read = self.encoder.step(evidence, state.encoder)
        return self.latent_head(join(self.encoder.output(read), known[..., : self.known_dim]))

    def with_latent(self, state: Seq2SeqState, z: Float[Tensor, "*lead latent"]) -> Seq2SeqState:
        return state._replace(decoder=self.decoder.step(self.decoder.project(z), state.decoder))

    def emission(self, state: Seq2SeqState, known: Features) -> Distribution:
        return self.family(
            self.head(join(self.decoder.output(state.decoder), known[..., : self.known_dim]))
        )

    def with_observation(self, state: Seq2SeqState, seen: Features) -> Seq2SeqState:
        return (
            state
            if self.supervised
            else state._replace(encoder=self.encoder.step(seen, state.encoder))
        )

    def entering(
        self, state: Seq2SeqState, known: Features, seen: Features, loops: Loops
    ) -> Seq2SeqState:
        first = state.encoder[:1]  # which no sample has a part in
        if self.supervised:
            encoder = loops.cell(self.encoder, known[None, ..., self.known_dim :], first)
        else:
            after = loops.cell(self.encoder, seen[None, :, :-1], first)
            encoder = torch.cat([first[..., None, :], after], -2)
        return Seq2SeqState(
            encoder, state.decoder[:1, :, None].expand(-1, -1, encoder.shape[-2], -1)
        )

    def run(
        self, state: Seq2SeqState, known: Features, seen: Features, z: Tensor, loops: Loops
    ) -> Seq2SeqState:
        decoder = loops.cell(self.decoder, self.decoder.project(z), state.decoder)
        return Seq2SeqState(state.encoder[:, :, None].expand(-1, -1, z.shape[-2], -1), decoder)
