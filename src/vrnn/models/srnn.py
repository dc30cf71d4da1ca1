"""The stochastic recurrent network of Fraccaro, Sonderby, Paquet and Winther (2016), arXiv:1605.07571."""

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
    JointGaussianHead,
    affine_layers,
    features,
    features_dim,
    learned,
    make_cell,
    mlp,
)
from vrnn.models.loops import PLAIN, Chain, Loops
from vrnn.models.roles import roles
from vrnn.models.settings import check_settings


@dataclass(frozen=True)
class SRNNConfig:
    """Configure an SRNN.

    Args:
        x_dim: width of an observation.
        u_dim: width of the known inputs.
        hidden: width of d_t, of the backward network that the posterior reads and of hidden layers.
        latent_dim: width of z_t.
        depth: hidden layers of every network; 0 makes them affine.
        cell: recurrent cell of both recurrent networks.
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


class SRNNState(NamedTuple):
    """Hold the carry d of the cell and the latent drawn last."""

    d: Float[Tensor, "*lead carry"]
    z: Float[Tensor, "*lead latent"]


class SRNN(Model):
    """Model sequences with a latent Markov chain on top of a recurrent network that the latents never enter.

    d_t = f(x_{t-1}, u_{t-1}, d_{t-1}),   z_t ~ N(mu_p(z_{t-1}, d_t, u_t), s_p(.)),   x_t ~ p(. | z_t, d_t, u_t)
    a_t = f'(x_t, u_t, a_{t+1})                                                           (backward network)
    q(z_t | z_{t-1}, d_t, a_t, x_t) = N(mu_p + m(z_{t-1}, d_t, a_t, x_t), s(z_{t-1}, d_t, a_t, x_t))

    z_0 and d_0 are learned constants. The posterior's network gives a correction of the prior's mean, the paper's residual
    parameterisation ("Res_q"). In the paper the backward network reads d_t beside x_t; here the head does, which knows the
    same (d is a function of x) and goes on knowing it when rows come one at a time or are missing. The head reads x_t
    beside a_t too: through the recurrence alone the latents came into use much later in training.
    """

    looks_ahead = True

    def __init__(self, config: SRNNConfig):
        super().__init__()
        dim, known, _ = roles(config.x_dim, config.u_dim)
        hidden, depth, latent = config.hidden, config.depth, config.latent_dim
        self.chained = depth == 1
        self.family, self.latent_dim = parse_emission(config.emission, dim), latent
        self.features = features(dim, hidden, depth)
        self.cell = make_cell(config.cell, features_dim(dim, hidden, depth) + known, hidden)
        self.d0, self.z0 = learned(self.cell.carry_dim), learned(latent)
        self.prior_head = GaussianHead(latent + hidden + known, hidden, latent, depth)
        self.reader = RowEncoder(config.cell, 2 * dim + known, hidden, backward=True)
        evidence = hidden + 2 * dim + known
        self.posterior_head = JointGaussianHead(evidence, latent + hidden, hidden, latent, depth)
        self.head = mlp(latent + hidden + known, hidden, self.family.size, depth)

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
        return self.posterior_head.project(join(self.reader(read, batch.length, loops), read))

    def initial_state(self, code: Tensor, context: Tensor) -> SRNNState:
        lead = code.shape[:-1]
        return SRNNState(self.d0.expand(*lead, -1), self.z0.expand(*lead, -1))

    def prior(self, state: SRNNState, known: Features) -> DiagonalGaussian:
        return self.prior_head(join(state.z, self.cell.output(state.d), known))

    def posterior(self, state: SRNNState, evidence: Features, known: Features) -> DiagonalGaussian:
        correction = self.posterior_head(evidence, join(state.z, self.cell.output(state.d)))
        return DiagonalGaussian(self.prior(state, known).mean + correction.mean, correction.scale)

    def with_latent(self, state: SRNNState, z: Float[Tensor, "*lead latent"]) -> SRNNState:
        return state._replace(z=z)

    def emission(self, state: SRNNState, known: Features) -> Distribution:
        return self.family(self.head(join(state.z, self.cell.output(state.d), known)))

    def with_observation(self, state: SRNNState, seen: Features) -> SRNNState:
        return state._replace(d=self.cell.step(seen, state.d))

    def entering(
        self, state: SRNNState, known: Features, seen: Features, loops: Loops
    ) -> SRNNState:
        first = state.d[:1]  # which no sample has a part in
        d = torch.cat([first[..., None, :], loops.cell(self.cell, seen[None, :, :-1], first)], -2)
        lead = (*state.z.shape[:-1], d.shape[-2])
        return SRNNState(d.expand(*lead, -1), state.z[..., None, :].expand(*lead, -1))

    def chain(
        self,
        states: SRNNState,
        evidence: Float[Tensor, "batch time evidence"],
        known: Float[Tensor, "batch time known"],
    ) -> Chain:
        """Put the hidden layers of the prior, whose mean is corrected, and of the correction side by side."""
        width, d = self.latent_dim, self.cell.output(states.d[:1])
        (first, last), of_state = affine_layers(self.prior_head), self.posterior_head.of_state
        (last_of_correction,) = affine_layers(self.posterior_head.rest)
        pad = lambda part: torch.cat([part[:width], torch.zeros_like(part[:width])])  # noqa: E731
        return Chain(
            squash="relu",
            of_latent=torch.cat([first.weight[:, :width], of_state.weight[:, :width]]),
            inside=torch.cat(
                [
                    nn.functional.linear(join(d, known), first.weight[:, width:], first.bias),
                    evidence + nn.functional.linear(d, of_state.weight[:, width:]),
                ],
                -1,
            ),
            out=torch.cat([pad(last.weight), last_of_correction.weight], 1),
            outside=(pad(last.bias) + last_of_correction.bias).expand(1, 1, 1, -1),
        )
