"""Linear models with constant scales, where the density of what they draw is known exactly.

Then every number that a model draws is an affine map of its standard normals, x = m + A e. The map
is found by free generation, with all normals at 0 and with one of them at a time at 1. The exact
density N(m, A A^T), marginalised to what is observed, owes nothing to the code under test.
"""

from typing import NamedTuple

import scipy.stats
import torch
from torch import Tensor, nn

import vrnn.fastpath  # noqa: F401, fills the registry of plans
from vrnn.data.batch import Batch
from vrnn.inference.embed import embed
from vrnn.inference.noise import Noise, draw_noise, global_noise_size
from vrnn.inference.random_numbers import seeded
from vrnn.inference.rollout import condition, rollout
from vrnn.inference.step import Proposal
from vrnn.inference.traits import has_posterior, reads_prefix
from vrnn.inference.unroll import Unrolled, unroll
from vrnn.models.config import ModelConfig
from vrnn.models.contract import Model
from vrnn.models.dmm import DMM, DMMConfig
from vrnn.models.encoders import SequenceEncoder, StepEncoder
from vrnn.models.layers import GRUCell, JointLatentHead, LatentHead, LSTMCell, last_step
from vrnn.models.registry import make_model
from vrnn.models.rnn import RNNConfig
from vrnn.models.rollout import RolloutVAEConfig
from vrnn.models.seq2seq import Seq2SeqVAEConfig
from vrnn.models.srnn import SRNNConfig
from vrnn.models.storn import STORNConfig
from vrnn.models.vrnn import VRNNConfig

SHAPE = {"hidden": 3, "depth": 0}
LATENT = {**SHAPE, "latent_dim": 2}
FULL = {"emission": "full_gaussian"}
CONFIGS: dict[str, ModelConfig] = {
    "rnn": RNNConfig(2, **SHAPE),
    "rnn-full-u": RNNConfig(2, u_dim=1, **FULL, **SHAPE),
    "rnn-supervised": RNNConfig(2, y_dim=2, supervised=True, **SHAPE),
    "seq2seq-next": Seq2SeqVAEConfig(2, **LATENT),
    "seq2seq-next-full-u": Seq2SeqVAEConfig(2, u_dim=1, **FULL, **LATENT),
    "seq2seq-same": Seq2SeqVAEConfig(2, target="same", **LATENT),
    "seq2seq-supervised": Seq2SeqVAEConfig(2, y_dim=2, target="supervised", **LATENT),
    **{
        f"rollout-{task}-{name}": RolloutVAEConfig(2, u_dim=1, task=task, **decoder, **LATENT)
        for task in ("forecasting", "autoencoding")
        for name, decoder in {
            "carried": {"dynamics": "carried"},
            "step": {"dynamics": "driven", "redraw": "step"},
            "sequence": {"dynamics": "driven", "redraw": "sequence"},
        }.items()
    },
    "vrnn": VRNNConfig(2, **LATENT),
    "vrnn-full-u": VRNNConfig(2, u_dim=1, **FULL, **LATENT),
    "vrnn-standard": VRNNConfig(2, prior="standard", **LATENT),
    "vrnn-supervised": VRNNConfig(2, y_dim=2, supervised="encoder", **LATENT),
    "vrnn-conditional": VRNNConfig(2, y_dim=2, supervised="conditional", **LATENT),
    "dmm": DMMConfig(2, **LATENT),
    "dmm-full-u": DMMConfig(2, u_dim=1, **FULL, **LATENT),
    "srnn": SRNNConfig(2, **LATENT),
    "srnn-full-u": SRNNConfig(2, u_dim=1, **FULL, **LATENT),
    "storn": STORNConfig(2, **LATENT),
    "storn-full-u": STORNConfig(2, u_dim=1, **FULL, **LATENT),
}
TIME = 5


class LinearCell(nn.Module):
    """A recurrent cell without gates: carry' = M (W x + b) + R carry."""

    def __init__(self, inputs: int, hidden: int, gates: int):
        super().__init__()
        self.hidden, self.carry_dim, self.gates = hidden, hidden, gates
        self.input_layer = nn.Linear(inputs, gates)
        self.gates_layer = nn.Linear(gates, hidden, bias=False)
        self.carry_layer = nn.Linear(hidden, hidden, bias=False)

    def project(self, inputs: Tensor) -> Tensor:
        return self.input_layer(inputs)

    def output(self, carry: Tensor) -> Tensor:
        return carry

    def step(self, gates: Tensor, carry: Tensor) -> Tensor:
        return self.gates_layer(gates) + self.carry_layer(carry)

    def scan(self, gates: Tensor, carry: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        first, carries = carry, []
        for gates_t in gates.unbind(-2):
            carry = self.step(gates_t, carry)
            carries.append(carry)
        stacked = torch.stack(carries, -2)
        return stacked, last_step(stacked, first, length)


class LinearSequenceEncoder(nn.Module):
    """An encoder of whole sequences that is linear in their values: sum_t 0.7^t W x_t."""

    def __init__(self, inputs: int, carry_dim: int):
        super().__init__()
        self.carry_dim, self.input_layer = carry_dim, nn.Linear(inputs, carry_dim)

    def forward(self, x: Tensor, length: Tensor) -> Tensor:
        time = torch.arange(x.shape[1])
        weight = torch.where(time < length[:, None], 0.7**time, 0.0).to(x.dtype)
        return (self.input_layer(x) * weight[..., None]).sum(1)


class LinearStepEncoder(nn.Module):
    """An encoder with a linear output at every time step.

    Step t is sum_s 0.7^|t - s| W x_s over s <= t, or over s >= t with `backward`.
    """

    def __init__(self, inputs: int, hidden: int, backward: bool):
        super().__init__()
        self.input_layer, self.backward = nn.Linear(inputs, hidden), backward

    def forward(self, x: Tensor, length: Tensor) -> Tensor:
        time = torch.arange(x.shape[1])
        away = time - time[:, None] if self.backward else time[:, None] - time
        reads = (away >= 0) & (time < length[:, None, None])
        return torch.where(reads, 0.7**away, 0.0).to(x.dtype) @ self.input_layer(x)


def build_linear(config: ModelConfig) -> Model:
    """Return the model of a config made linear: its cells, its encoders, and scales that are constant.

    Posteriors are wider than the prior, hence than the true posterior. Importance weights then have
    no heavy tail.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = make_model(config)
        for name, part in list(model.named_children()):
            if isinstance(part, GRUCell | LSTMCell):
                setattr(model, name, LinearCell(part.weight_ih.shape[1], part.hidden, part.gates))
            if isinstance(part, SequenceEncoder):
                linear = LinearSequenceEncoder(part.network.input_size, part.carry_dim)
                setattr(model, name, linear)
            if isinstance(part, StepEncoder):
                sizes = part.network.input_size, part.network.hidden_size
                setattr(model, name, LinearStepEncoder(*sizes, part.backward))
        model = model.double()
        tied = not has_posterior(model, inputs_of(config))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
            set_scales(model.head[-1], model.observation.dim, raw=0.3, shrink=0.7)
            heads = [part.net[-1] for part in model.modules() if isinstance(part, LatentHead)]
            nets = [getattr(model, n) for n in ("table_net", "posterior_net") if hasattr(model, n)]
            heads += [net[-1] for net in nets]
            for head in heads:
                set_scales(head, head.out_features // 2, raw=0.3, shrink=1.0 if tied else 0.5)
            if not tied:  # posteriors a little wider than the prior, and not far from it
                wide = 0.4 if hasattr(model, "prior_head") else 0.55
                for layer in posterior_layers(model) or heads:
                    set_scales(layer, layer.out_features // 2, raw=wide, shrink=0.2)
            if isinstance(model, DMM):
                follow_prior(model)
    return model


def inputs_of(config: ModelConfig) -> int:
    """Return the width of the known inputs of a batch for the model of a config."""
    supervised = getattr(config, "supervised", getattr(config, "target", "no"))
    is_supervised = supervised not in (False, "no", "next", "same")
    return config.u_dim + (config.x_dim + 1 if is_supervised else 0)


def posterior_layers(model: Model) -> list[nn.Linear]:
    """Return the layers behind mean and scale of a posterior, where they serve nothing else."""
    head = getattr(model, "posterior_head", None)
    if isinstance(head, JointLatentHead):
        return [head.evidence_layer, head.state_layer]
    return [] if head is None else [head.net[-1]]


def set_scales(layer: nn.Linear, first: int, raw: float, shrink: float) -> None:
    """Make the outputs from `first` on constant, and the others, the means, smaller by a factor."""
    layer.weight[:first] *= shrink
    layer.weight[first:] = 0.0
    if layer.bias is not None:
        layer.bias[:first] *= shrink
        layer.bias[first:] = raw


def follow_prior(model: DMM) -> None:
    """Make the mean of the posterior that of the prior, moved a little to where x points."""
    n, dim = model.latent.dim, model.observation.dim
    prior, emission = model.prior_head.net[-1], model.head[-1]
    model.latent_layer.weight[:n] = 2 * prior.weight[:n, :n]
    model.latent_layer.bias[:n] = 2 * prior.bias[:n]
    nn.init.eye_(model.posterior_head.net[-1].weight[:n])
    model.posterior_head.net[-1].bias[:n] = 0.0
    back, read = 0.5 * emission.weight[:dim, :n].T, model.reader.input_layer
    nn.init.zeros_(read.weight)
    read.weight[:n, :dim], read.bias[:n] = back, -back @ emission.bias[:dim]


class LinearWorld(NamedTuple):
    """A linear model, one sequence to score, and the exact distribution of what the model draws.

    Attributes:
        mean, cov: of all values of the sequence, flattened, (time * dim,).
    """

    model: Model
    prefix: Batch | None
    batch: Batch
    mean: Tensor
    cov: Tensor

    def run(self, samples: int, proposal: Proposal, seed: int) -> Unrolled:
        """Return a pass over the sequence."""
        noise = draw_noise(self.model, samples, 1, TIME, seeded(seed))
        embedded = embed(self.model, self.batch, self.prefix)
        return unroll(self.model, self.batch, noise, proposal=proposal, embedded=embedded)

    def exact(self) -> float:
        """Return log p of what is observed, by scipy."""
        select = observing(self.batch)
        mean, cov = select @ self.mean, select @ self.cov @ select.T
        value = self.batch.x[self.batch.present]
        return float(
            scipy.stats.multivariate_normal(mean.numpy(), cov.numpy()).logpdf(value.numpy())
        )


def observing(batch: Batch) -> Tensor:
    """Return the matrix from all drawn values to the observed numbers.

    A row of it chooses a value, or sums the increments over the gap before it.
    """
    _, time, dim = batch.x.shape
    rows = []
    for t in range(time):
        for d in range(dim):
            if not batch.present[0, t, d]:
                continue
            row = torch.zeros(time, dim).double()
            row[t, d] = 1.0
            s = t - 1
            while bool(batch.is_increment[d]) and s >= 0 and not batch.present[0, s, d]:
                row[s, d], s = 1.0, s - 1
            rows.append(row.flatten())
    return torch.stack(rows)


@torch.no_grad()
def make_linear_world(name: str, gaps: str) -> LinearWorld:
    """Return a sequence drawn from a linear model, with gaps, and the distribution of its draws.

    Args:
        name: of `CONFIGS`.
        gaps: complete; gaps; or increments, where the first dimension is an increment too.
    """
    config = CONFIGS[name]
    model, generator = build_linear(config), seeded(11)
    x = torch.randn(1, TIME, 2, generator=generator).double()
    u = torch.randn(1, TIME, config.u_dim, generator=generator).double()
    prefix = None
    if reads_prefix(model):
        prefix = Batch.of(torch.randn(1, 3, 2, generator=generator).double(), u=u[:, :3])
    read = torch.randn(1, TIME, 2, generator=generator).double()
    empty = Batch.of(read, u=u, y=x).swap_target() if model.supervised else Batch.of(x, u=u)
    widths = [model.latent.dim, model.observation.noise_size]
    sizes = [global_noise_size(model), *(TIME * width for width in widths)]
    count = sum(sizes)
    unit = torch.cat(
        [torch.zeros(1, count), torch.eye(count), torch.randn(1, count, generator=generator)]
    ).double()
    once, *per_step = unit.split(sizes, -1)
    latent, observation = (
        part.reshape(count + 2, 1, TIME, width)
        for part, width in zip(per_step, widths, strict=True)
    )
    noise = Noise(once[:, None], latent, observation, torch.zeros(count + 2, 1, 0).double())
    belief = condition(model, empty.split(0)[0] if prefix is None else prefix, noise)
    mean, *columns, drawn = rollout(model, belief, empty.u, noise).x.flatten(1)
    columns = torch.stack(columns) - mean
    torch.testing.assert_close(drawn, mean + unit[-1] @ columns)  # affine indeed
    x = drawn.reshape(1, TIME, 2).clone()
    if gaps != "complete":
        x[0, 1:3] = torch.nan
        if model.observation.factorises:
            x[0, 4, 0] = x[0, 0, 1] = torch.nan
    is_increment = torch.tensor([gaps == "increments", False])
    batch = Batch.of(
        x, u=empty.u, factorises=model.observation.factorises, is_increment=is_increment
    )
    if gaps == "increments":
        batch.x[batch.present] = observing(batch) @ drawn
    return LinearWorld(model, prefix, batch, mean, columns.T @ columns)
