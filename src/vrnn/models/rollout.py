"""Architecture 2, the encode-once rollout VAE: a trajectory is encoded, then the decoder runs alone."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.distributions import (
    Distribution,
    Gaussian,
    LatentDistribution,
    Product,
    StandardNormal,
    parse_emission,
    parse_latent,
)
from vrnn.models.config import ModelConfig, roles
from vrnn.models.contract import Features, GlobalLatentModel, join, no_features, observed
from vrnn.models.encoders import SequenceEncoder
from vrnn.models.layers import CellName, features, features_dim, learned, make_cell, mlp


@dataclass(frozen=True)
class RolloutVAEConfig(ModelConfig):
    """Configure an encode-once rollout VAE.

    Args:
        x_dim: width of an observation.
        u_dim: width of the known inputs.
        hidden: width of both recurrent states and of hidden layers.
        latent: family of z_0, as `parse_latent` reads it: gaussian, categorical(8), or both.
        latent_dim: width n of the Gaussian part; the encoder passes on its n x 2 table of means
            and scales.
        depth: hidden layers of every network; 0 makes them affine.
        cell: recurrent cell.
        emission: family of the emission, as `parse_emission` reads it.
        dynamics: carried (the decoder emits z_{t+1} itself) or driven (z_{t+1} = f(z_0, z'_t) from
            noise z'_0).
        redraw: of the driven decoder, whether z_0 is drawn at every step or once a sequence.
        task: forecasting (encode the observed prefix, score the future) or autoencoding (encode
            and score all).
    """

    x_dim: int
    u_dim: int = 0
    hidden: int = 64
    latent: str = "gaussian"
    latent_dim: int = 16
    depth: int = 1
    cell: CellName = "gru"
    emission: str = "gaussian"
    dynamics: Literal["carried", "driven"] = "carried"
    redraw: Literal["step", "sequence"] = "step"
    task: Literal["forecasting", "autoencoding"] = "forecasting"


class RolloutState(NamedTuple):
    """The state of the decoder."""

    h: Float[Tensor, "*lead carry"]
    z: Float[Tensor, "*lead latent"]  # z_t of the carried decoder, z'_t of the driven one
    x: Float[Tensor, "*lead gates"]  # the last observation, as the cell reads it
    fixed: Float[Tensor, "*lead fixed"]  # constant: the table or z_0; of width 0 when carried
    u: Float[Tensor, "*lead inputs"]


class RolloutVAE(GlobalLatentModel):
    """A decoder that rolls out from one encoding of a trajectory T.

    z_0 ~ N(mu(T), s(T)),   (y_t, h_{t+1}, z_{t+1}) = dec(x_t, h_t, z_t)
    then x <- y, h <- h_{t+1}, z <- z_{t+1}

    carried: dec emits z_{t+1} itself, without noise.
    driven: z'_0 ~ N(0, I) and z_{t+1} = f(z_0, z'_t), z'_{t+1} <- z_{t+1}.

    Forecasting: T is the prefix, h_0 the encoder's last state, x_0 the last observation. The future
    alone is scored.
    Autoencoding: T is all that is scored, and z_0 ~ N(0, I) a priori. x_0 is a learned constant.
    h_0 is an affine function of z_0, or a constant where z_0 is redrawn at every step. Neither
    reads T, or T would leak past the KL.

    Example:
        >>> import torch
        >>> net = RolloutVAE(RolloutVAEConfig(x_dim=2, hidden=8, latent_dim=3))
        >>> net.reads_prefix, net.global_latent
        (True, Gaussian(dim=3))
    """

    def __init__(self, config: RolloutVAEConfig):
        super().__init__()
        dim, known, _ = roles(config.x_dim, config.u_dim)
        hidden, depth = config.hidden, config.depth
        self.reads_prefix = config.task == "forecasting"
        self.carried = config.dynamics == "carried"
        self.per_step = not self.carried and config.redraw == "step"
        self.observation = parse_emission(config.emission, dim)
        self.kind = parse_latent(config.latent, config.latent_dim)  # of z_0
        n = self.kind.dim
        self.n, self.known = n, known
        self.latent = self.kind if self.per_step else Gaussian(0)
        noise = StandardNormal(n)  # z'_0
        if self.per_step:
            self.global_latent = noise
        else:
            self.global_latent = self.kind if self.carried else Product((self.kind, noise))
        self.features = features(dim, hidden, depth)
        self.reader = SequenceEncoder(config.cell, 2 * dim + known, hidden)
        self.table_net = mlp(hidden, hidden, self.kind.size, depth)
        self.cell = make_cell(config.cell, features_dim(dim, hidden, depth) + known, hidden)
        self.input_gates = nn.Linear(known, self.cell.gates, bias=False) if known else None
        self.latent_gates = nn.Linear(n, self.cell.gates, bias=False)
        self.next_latent = mlp(hidden if self.carried else 2 * n, hidden, n, depth)
        self.head = mlp(hidden + known, hidden, self.observation.size, depth)
        if not self.reads_prefix:
            self.x0 = learned(self.cell.gates)
            self.h0 = learned(self.cell.carry_dim)
            self.h0_latent = (
                None if self.per_step else nn.Linear(n, self.cell.carry_dim, bias=False)
            )

    def embed_inputs(self, u: Float[Tensor, "*lead inputs"]) -> Features:
        return u if self.input_gates is None else join(u, self.input_gates(u))

    def embed_observations(self, x: Float[Tensor, "*lead dim"], inputs: Features) -> Features:
        return self.cell.project(join(self.features(x), inputs[..., : self.known]))

    def embed_evidence(self, batch: Batch, inputs: Features) -> Features:
        if self.reads_prefix:
            return no_features(batch.x)
        raw = self.table_net(self.cell.output(self._read(batch)))
        return raw[:, None].expand(-1, batch.x.shape[1], -1)

    def encode(self, batch: Batch, inputs: Features) -> LatentDistribution:
        return self.kind(self.table_net(self.cell.output(self._read(batch))))

    def embed_prefix(self, prefix: Batch, inputs: Features) -> Float[Tensor, "batch context"]:
        if not self.reads_prefix:
            return super().embed_prefix(prefix, inputs)
        x = torch.where(prefix.present, prefix.x, 0.0)  # the last point may lack entries
        gates = self.embed_observations(x, inputs)
        carry = self._read(prefix)
        raw = self.table_net(self.cell.output(carry))
        time = torch.arange(gates.shape[1], device=gates.device)
        last = torch.where(prefix.mask, time, 0).amax(-1)
        x0 = gates[torch.arange(len(last), device=gates.device), last]
        return torch.cat([raw, carry, x0], -1)

    def global_prior(self, context: Float[Tensor, "batch context"]) -> LatentDistribution:
        if self.per_step or not self.reads_prefix:
            return self.global_latent.standard(context)
        return self._with_noise(self.kind(context[..., : self.kind.size]))

    def global_posterior(
        self, context: Float[Tensor, "batch context"], evidence: Features
    ) -> LatentDistribution | None:
        if self.per_step or self.reads_prefix:
            return None
        return self._with_noise(self.kind(evidence[:, 0]))

    def initial_state(self) -> RolloutState:
        zeros = self.latent_gates.weight.new_zeros
        h = zeros(self.cell.carry_dim) if self.reads_prefix else self.h0
        x = zeros(self.cell.gates) if self.reads_prefix else self.x0
        table = self.kind.size if self.reads_prefix else 0
        fixed = 0 if self.carried else table if self.per_step else self.n
        return RolloutState(h, zeros(self.n), x, zeros(fixed), zeros(self.known))

    def with_global(
        self, state: RolloutState, z: Float[Tensor, "n global"], context: Float[Tensor, "n context"]
    ) -> RolloutState:
        n = self.n
        z0, last = z[..., :n], z[..., -n:]  # of the driven decoder, the last are z'_0
        state = state._replace(z=last)
        if not self.carried and not self.per_step:
            state = state._replace(fixed=z0)
        if not self.reads_prefix:
            if self.h0_latent is None:
                return state
            return state._replace(h=state.h + self.h0_latent(z0))
        widths = [self.kind.size, self.cell.carry_dim, self.cell.gates]
        table, h, x = context.split(widths, -1)
        state = state._replace(h=h, x=x)
        return state._replace(fixed=table) if self.per_step else state

    def with_input(self, state: RolloutState, inputs: Features) -> RolloutState:
        if self.input_gates is not None:
            x = state.x + inputs[..., self.known :]
            state = state._replace(x=x, u=inputs[..., : self.known])
        if self.per_step:  # the decoder waits for the latent of the step
            return state
        if self.carried:
            h = self.cell.step(state.x + self.latent_gates(state.z), state.h)
            return state._replace(h=h, z=self.next_latent(self.cell.output(h)))
        return self._driven(state, state.fixed)

    def prior(self, state: RolloutState) -> LatentDistribution:
        if self.per_step and self.reads_prefix:
            return self.kind(state.fixed)
        return self.latent.standard(state.h)

    def posterior(self, state: RolloutState, evidence: Features) -> LatentDistribution | None:
        return self.kind(evidence) if self.per_step and not self.reads_prefix else None

    def with_latent(self, state: RolloutState, z: Float[Tensor, "n latent"]) -> RolloutState:
        return self._driven(state, z)

    def emission(self, state: RolloutState) -> Distribution:
        return self.observation(self.head(join(self.cell.output(state.h), state.u)))

    def with_observation(self, state: RolloutState, features: Features) -> RolloutState:
        return state._replace(x=features)

    def _driven(self, state: RolloutState, z0: Float[Tensor, "n latent"]) -> RolloutState:
        """Return the state after a step of the driven decoder."""
        z = self.next_latent(join(z0, state.z))
        return state._replace(h=self.cell.step(state.x + self.latent_gates(z), state.h), z=z)

    def _read(self, batch: Batch) -> Float[Tensor, "batch carry"]:
        return self.reader(join(observed(batch), batch.u), batch.length)

    def _with_noise(self, z0: LatentDistribution) -> LatentDistribution:
        """Return the distribution of the global latent: z_0, and of the driven decoder z'_0."""
        if self.carried:
            return z0
        assert isinstance(self.global_latent, Product)
        return self.global_latent.of(z0, StandardNormal(self.n).standard(z0.mean))
