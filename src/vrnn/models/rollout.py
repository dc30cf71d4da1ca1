"""Variational RNN, architecture 2: a trajectory is encoded once, then the decoder runs alone."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian, parse_emission
from vrnn.distributions.base import Distribution
from vrnn.models.contract import Features, Model, join, observed
from vrnn.models.encoders import SequenceEncoder
from vrnn.models.layers import (
    CellName,
    GaussianHead,
    affine_layers,
    features,
    features_dim,
    learned,
    make_cell,
    mlp,
)
from vrnn.models.loops import PLAIN, Chain, Feedback, Loops
from vrnn.models.roles import roles
from vrnn.models.settings import check_settings


@dataclass(frozen=True)
class RolloutVAEConfig:
    """Configure an encode-once rollout VAE.

    Args:
        x_dim: width of an observation.
        u_dim: width of the known inputs.
        hidden: width of both recurrent states and of hidden layers.
        latent_dim: width n of z; the encoder hands over an n x 2 table of means and scales.
        depth: hidden layers of every network; 0 makes them affine.
        cell: recurrent cell.
        emission: family of the emission, in the grammar of `parse_emission`.
        latent: carried (the decoder emits z_{t+1} itself) or driven (z_{t+1} = f(z_0, z'_t) from noise z'_0).
        redraw: of the driven decoder, whether z_0 is drawn afresh at every step or once a sequence.
        task: forecasting (encode the observed prefix, score the future) or autoencoding (encode and score all).
    """

    x_dim: int
    u_dim: int = 0
    hidden: int = 64
    latent_dim: int = 16
    depth: int = 1
    cell: CellName = "gru"
    emission: str = "gaussian"
    latent: Literal["carried", "driven"] = "carried"
    redraw: Literal["step", "sequence"] = "step"
    task: Literal["forecasting", "autoencoding"] = "forecasting"

    def __post_init__(self) -> None:
        check_settings(self)


class RolloutState(NamedTuple):
    """Hold the decoder's carry, its latent, what it reads next and what stays the same along a sequence."""

    h: Float[Tensor, "*lead carry"]
    z: Float[Tensor, "*lead latent"]  # z_t of the carried decoder, z'_t of the driven one
    x: Float[Tensor, "*lead gates"]  # the last observation, as the cell reads it
    fixed: Float[
        Tensor, "*lead fixed"
    ]  # what stays: the table (mean, scale) or z_0, width 0 when carried


class RolloutVAE(Model):
    """Roll a decoder out from one encoding of a trajectory T.

    z_0 ~ N(mu(T), s(T)),   (y_t, h_{t+1}, z_{t+1}) = dec(x_t, h_t, z_t),   then x <- y, h <- h_{t+1}, z <- z_{t+1}

    carried: dec emits z_{t+1} deterministically. driven: z'_0 ~ N(0, I) and z_{t+1} = f(z_0, z'_t), z'_{t+1} <- z_{t+1}.
    Forecasting: T is the prefix, h_0 the encoder's last state, x_0 the last observation; the future alone is scored.
    Autoencoding: T is all that is scored, z_0 ~ N(0, I) a priori, x_0 is a learned constant and h_0 an affine function of z_0
    (a constant when z_0 is redrawn at every step); neither reads T, or T would leak past the KL.
    """

    def __init__(self, config: RolloutVAEConfig):
        super().__init__()
        dim, known, _ = roles(config.x_dim, config.u_dim)
        hidden, depth, n = config.hidden, config.depth, config.latent_dim
        self.conditions = self.tied = config.task == "forecasting"
        self.looks_ahead = not self.conditions
        self.carried = config.latent == "carried"
        self.apart = not self.carried or depth == 1
        self.per_step = not self.carried and config.redraw == "step"
        self.n, self.known_dim, self.family = n, known, parse_emission(config.emission, dim)
        self.latent_dim = n if self.per_step else 0
        self.code_dim = n if self.carried or self.per_step else 2 * n
        self.noise_dim = 0 if self.carried else n
        self.features = features(dim, hidden, depth)
        self.reader = SequenceEncoder(config.cell, 2 * dim + known, hidden)
        self.table = GaussianHead(hidden, hidden, n, depth)
        self.cell = make_cell(config.cell, features_dim(dim, hidden, depth) + known, hidden)
        self.of_inputs = nn.Linear(known, self.cell.gates, bias=False) if known else None
        self.of_latent = nn.Linear(n, self.cell.gates, bias=False)
        self.next_latent = mlp(hidden if self.carried else 2 * n, hidden, n, depth)
        self.head = mlp(hidden + known, hidden, self.family.size, depth)
        if not self.conditions:
            self.x0 = learned(self.cell.gates)
            self.h0 = learned(self.cell.carry_dim)
            self.h0_of_latent = (
                None if self.per_step else nn.Linear(n, self.cell.carry_dim, bias=False)
            )

    def embed_inputs(self, u: Float[Tensor, "*lead inputs"]) -> Features:
        return u if self.of_inputs is None else join(u, self.of_inputs(u))

    def embed_observations(self, x: Float[Tensor, "*lead dim"], known: Features) -> Features:
        return self.cell.project(join(self.features(x), known[..., : self.known_dim]))

    def embed_evidence(
        self,
        x: Float[Tensor, "*lead dim"],
        known: Features,
        seen: Features,
        batch: Batch,
        loops: Loops = PLAIN,
    ) -> Features:
        if self.conditions:
            return x[..., :0]
        table = self.table_of(batch, loops)
        return join(table.mean, table.scale)[:, None].expand(-1, x.shape[-2], -1)

    def embed_context(
        self, seen: Features, prefix: Batch, loops: Loops = PLAIN
    ) -> Float[Tensor, "batch context"]:
        if not self.conditions:
            return seen.new_zeros(seen.shape[0], 0)
        carry = self._read(prefix, loops)
        table = self.table(self.cell.output(carry))
        time = torch.arange(seen.shape[1], device=seen.device)
        last = torch.where(prefix.mask, time, 0).amax(-1)
        x0 = seen[torch.arange(len(last), device=seen.device), last]
        return torch.cat([table.mean, table.scale, carry, x0], -1)

    def code_prior(self, context: Float[Tensor, "batch context"]) -> DiagonalGaussian:
        noise = DiagonalGaussian.standard(context, self.n)
        if self.per_step:
            return noise
        z0 = self._split_table(context) if self.conditions else noise
        return z0 if self.carried else _beside(z0, noise)

    def code_posterior(
        self, context: Float[Tensor, "batch context"], evidence: Features, batch: Batch
    ) -> DiagonalGaussian:
        if self.conditions or self.per_step:
            return self.code_prior(context)
        z0 = self._split_table(evidence[:, 0])
        return z0 if self.carried else _beside(z0, DiagonalGaussian.standard(z0.mean))

    def initial_state(self, code: Tensor, context: Tensor) -> RolloutState:
        lead, n = code.shape[:-1], self.n
        z, z0 = code[..., -n:], code[..., : 0 if self.per_step else n]
        fixed = code[..., : self.code_dim - n]
        if not self.conditions:
            h0 = (
                self.h0.expand(*lead, -1)
                if self.h0_of_latent is None
                else self.h0 + self.h0_of_latent(z0)
            )
            return RolloutState(h0, z, self.x0.expand(*lead, -1), fixed)
        if self.per_step:
            fixed = context[..., : 2 * n].expand(*lead, -1)
        h, x0 = context[..., 2 * n :].split([self.cell.carry_dim, self.cell.gates], -1)
        return RolloutState(h.expand(*lead, -1), z, x0.expand(*lead, -1), fixed)

    def with_input(self, state: RolloutState, known: Features) -> RolloutState:
        return (
            state
            if self.of_inputs is None
            else state._replace(x=state.x + known[..., self.known_dim :])
        )

    def prior(self, state: RolloutState, known: Features) -> DiagonalGaussian:
        if not self.per_step:
            return DiagonalGaussian.standard(state.h, 0)
        return (
            self._split_table(state.fixed)
            if self.conditions
            else DiagonalGaussian.standard(state.h, self.n)
        )

    def posterior(
        self, state: RolloutState, evidence: Features, known: Features
    ) -> DiagonalGaussian:
        if self.conditions or not self.per_step:
            return self.prior(state, known)
        table = self._split_table(evidence)
        shape = state.z.shape
        return DiagonalGaussian(table.mean.expand(shape), table.scale.expand(shape))

    def with_latent(self, state: RolloutState, z: Float[Tensor, "*lead latent"]) -> RolloutState:
        if self.carried:
            h = self.cell.step(state.x + self.of_latent(state.z), state.h)
            return state._replace(h=h, z=self.next_latent(self.cell.output(h)))
        driven = self.next_latent(join(z if self.per_step else state.fixed, state.z))
        return state._replace(h=self.cell.step(state.x + self.of_latent(driven), state.h), z=driven)

    def emission(self, state: RolloutState, known: Features) -> Distribution:
        return self.family(self.head(join(self.cell.output(state.h), known[..., : self.known_dim])))

    def with_observation(self, state: RolloutState, seen: Features) -> RolloutState:
        return state._replace(x=seen.expand(*state.h.shape[:-1], -1))

    def run(
        self, state: RolloutState, known: Features, seen: Features, z: Tensor, loops: Loops
    ) -> RolloutState:
        """Let z' go its way, which waits for nothing else, and then the cell; or the cell, whose output moves z on."""
        read = torch.cat([state.x[..., None, :], seen[:, :-1].expand(*z.shape[:2], -1, -1)], -2)
        if self.of_inputs is not None:
            read = read + known[..., self.known_dim :]
        fixed = state.fixed[..., None, :].expand(*z.shape[:3], -1)
        if self.carried:
            h = self._carried(read, state, loops)
            first = state.z[..., None, :].expand(*z.shape[:3], -1)  # no emission reads a latent
            return RolloutState(h, first, read, fixed)
        latent = self._driven(z if self.per_step else state.fixed[..., None, :], state.z, z, loops)
        return RolloutState(
            loops.cell(self.cell, read + self.of_latent(latent), state.h), latent, read, fixed
        )

    def _carried(
        self, read: Float[Tensor, "*lead time gates"], state: RolloutState, loops: Loops
    ) -> Float[Tensor, "*lead time carry"]:
        """Run the cell of the carried decoder, whose latents are a layer between its output and its input."""
        first, last = affine_layers(self.next_latent)
        of_first, later = self.of_latent(state.z)[..., None, :], self.of_latent(last.bias)
        gates = torch.cat([read[..., :1, :] + of_first, read[..., 1:, :] + later], -2)
        to_gates = self.of_latent.weight @ last.weight
        return loops.cell(self.cell, gates, state.h, Feedback(first.weight, first.bias, to_gates))

    def _driven(
        self,
        z0: Float[Tensor, "*lead time table"],
        start: Float[Tensor, "*lead latent"],
        z: Tensor,
        loops: Loops,
    ) -> Float[Tensor, "*lead time latent"]:
        """Give z'_1 to z'_T of the driven decoder from z_0, drawn at every step or once, and z'_0."""
        width = z0.shape[-1]
        layers = affine_layers(self.next_latent)
        if len(layers) == 2:
            first, last = layers
            chain = Chain(
                squash="relu",
                of_latent=first.weight[:, width:],
                inside=nn.functional.linear(z0, first.weight[:, :width], first.bias),
                out=last.weight,
                outside=last.bias.expand(1, 1, 1, -1),
            )
            return loops.chain(chain, start, z[..., :0]).z[..., 1:, :]
        steps = [start]
        for z0_t in z0.expand(*z.shape[:-1], -1).unbind(-2):
            steps.append(self.next_latent(join(z0_t, steps[-1])))
        return torch.stack(steps[1:], -2)

    def _read(self, track: Batch, loops: Loops = PLAIN) -> Float[Tensor, "batch carry"]:
        return self.reader(join(observed(track.x, track), track.u), track.length, loops)

    def table_of(self, track: Batch, loops: Loops = PLAIN) -> DiagonalGaussian:
        """Encode whole tracks: N(mu(T), s(T)), (batch, n)."""
        return self.table(self.cell.output(self._read(track, loops)))

    def _split_table(self, table: Float[Tensor, "*lead table"]) -> DiagonalGaussian:
        return DiagonalGaussian(*table[..., : 2 * self.n].chunk(2, -1))


def _beside(a: DiagonalGaussian, b: DiagonalGaussian) -> DiagonalGaussian:
    return DiagonalGaussian(join(a.mean, b.mean), join(a.scale, b.scale))
