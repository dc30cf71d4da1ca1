"""The models with linear networks and constant scales, where the density of what they draw is known exactly.

Then every number a model draws is an affine map of its standard normals, x = m + A e. The map is found by imagining with
zero noise and with one normal at a time set to 1, so that the exact density N(m, A A^T), marginalised to what is
observed, owes nothing to the densities and the bookkeeping under test.
"""

import math
from typing import NamedTuple

import pytest
import scipy.stats
import torch
from tests.models.settings import build
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.inference.embed import embed
from vrnn.inference.noise import Noise, draw_noise, global_noise_size, seeded
from vrnn.inference.rollout import condition, rollout
from vrnn.inference.traits import has_posterior, reads_prefix
from vrnn.inference.unroll import Unrolled, unroll
from vrnn.models.contract import Model
from vrnn.models.dmm import DMM, DMMConfig
from vrnn.models.encoders import SequenceEncoder, StepEncoder
from vrnn.models.layers import (
    GRUCell,
    JointLatentHead,
    LatentHead,
    LSTMCell,
)
from vrnn.models.registry import make_model
from vrnn.models.rnn import RNNConfig
from vrnn.models.rollout import RolloutVAE, RolloutVAEConfig
from vrnn.models.seq2seq import Seq2SeqVAEConfig
from vrnn.models.srnn import SRNNConfig
from vrnn.models.storn import STORNConfig
from vrnn.models.vrnn import VRNNConfig
from vrnn.objectives.terms import elbo_terms
from vrnn.ops import backend

SHAPE = {"hidden": 3, "depth": 0}
LATENT = {**SHAPE, "latent_dim": 2}
FULL = {"emission": "full_gaussian"}
CONFIGS = {
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
SAMPLES = 10000


class LinearCell(nn.Module):
    """A recurrent cell without gates: carry' = M projected + R carry."""

    def __init__(self, inputs: int, hidden: int, gates: int):
        super().__init__()
        self.hidden, self.carry_dim, self.gates = hidden, hidden, gates
        self.of_input, self.of_gates = (
            nn.Linear(inputs, gates),
            nn.Linear(gates, hidden, bias=False),
        )
        self.of_carry = nn.Linear(hidden, hidden, bias=False)

    def project(self, inputs: Tensor) -> Tensor:
        return self.of_input(inputs)

    def output(self, carry: Tensor) -> Tensor:
        return carry

    def step(self, projected: Tensor, carry: Tensor) -> Tensor:
        return self.of_gates(projected) + self.of_carry(carry)

    def run(self, inputs: Tensor, carry: Tensor) -> Tensor:
        outputs = []
        for projected in self.project(inputs).unbind(1):
            carry = self.step(projected, carry)
            outputs.append(carry)
        return torch.stack(outputs, 1)


class LinearReader(nn.Module):
    """A reader of whole sequences that is linear in their values: sum_t 0.7^t W x_t."""

    def __init__(self, inputs: int, carry_dim: int):
        super().__init__()
        self.carry_dim, self.of_input = carry_dim, nn.Linear(inputs, carry_dim)

    def forward(self, x: Tensor, length: Tensor) -> Tensor:
        time = torch.arange(x.shape[1])
        weight = torch.where(time < length[:, None], 0.7**time, 0.0).to(x.dtype)
        return (self.of_input(x) * weight[..., None]).sum(1)


class LinearRowReader(nn.Module):
    """A reader with an output at every row that is linear in what it reads: sum_s 0.7^|t - s| W x_s, s <= t or s >= t."""

    def __init__(self, inputs: int, hidden: int, backward: bool):
        super().__init__()
        self.of_input, self.backward = nn.Linear(inputs, hidden), backward

    def forward(self, x: Tensor, length: Tensor) -> Tensor:
        time = torch.arange(x.shape[1])
        away = time - time[:, None] if self.backward else time[:, None] - time
        reads = (away >= 0) & (time < length[:, None, None])
        return torch.where(reads, 0.7**away, 0.0).to(x.dtype) @ self.of_input(x)


def build_linear(config) -> Model:
    """Make the model of a config linear: linear cells, linear readers, and scales that read nothing.

    Posteriors are wider than the prior, hence than the true posterior, so that importance weights have no heavy tail.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = make_model(config)
        for name, part in list(model.named_children()):
            if isinstance(part, GRUCell | LSTMCell):
                setattr(model, name, LinearCell(part.weight_ih.shape[1], part.hidden, part.gates))
            if isinstance(part, SequenceEncoder):
                setattr(model, name, LinearReader(part.network.input_size, part.carry_dim))
            if isinstance(part, StepEncoder):
                cell = part.network
                setattr(
                    model, name, LinearRowReader(cell.input_size, cell.hidden_size, part.backward)
                )
        model = model.double()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
            set_scales(model.head[-1], model.observation.dim, raw=0.3, shrink=0.7)
            own = has_posterior(model, config.u_dim + (3 if model.supervised else 0))
            heads = [part.net[-1] for part in model.modules() if isinstance(part, LatentHead)]
            heads += [n[-1] for n in (table_net(model), posterior_net(model)) if n is not None]
            for head in heads:
                set_scales(head, head.out_features // 2, raw=0.3, shrink=0.5 if own else 1.0)
            if own:  # posteriors a little wider than the prior, and not far from it
                wide = 0.4 if hasattr(model, "prior_head") else 0.55
                for layer in posterior_layers(model) or heads:
                    set_scales(layer, layer.out_features // 2, raw=wide, shrink=0.2)
            if isinstance(model, DMM):
                follow_prior(model)
    return model


def table_net(model: Model) -> nn.Sequential | None:
    """Give the network of a RolloutVAE's table."""
    return getattr(model, "table_net", None)


def posterior_net(model: Model) -> nn.Sequential | None:
    """Give the network of a STORN's posterior."""
    return getattr(model, "posterior_net", None)


def posterior_layers(model: Model) -> list[nn.Linear]:
    """List the layers that give mean and scale of a posterior, where a model has them apart from other heads."""
    head = getattr(model, "posterior_head", None)
    if isinstance(head, JointLatentHead):
        return [head.evidence_layer, head.state_layer]
    if posterior_net(model) is not None:
        return [posterior_net(model)[-1]]
    return [] if head is None else [head.net[-1]]


def set_scales(layer: nn.Linear, first: int, raw: float, shrink: float) -> None:
    """Make the outputs from `first` on constant, and the others, means, smaller by a factor."""
    layer.weight[:first] *= shrink
    layer.weight[first:] = 0.0
    if layer.bias is not None:
        layer.bias[:first] *= shrink
        layer.bias[first:] = raw


def follow_prior(model: DMM) -> None:
    """Make the posterior's mean, which reads nothing of the prior's, the prior's moved a little to where x points."""
    n, dim, prior, emission = (
        model.latent.dim,
        model.observation.dim,
        model.prior_head.net[-1],
        model.head[-1],
    )
    model.latent_layer.weight[:n], model.latent_layer.bias[:n] = (
        2 * prior.weight[:n, :n],
        2 * prior.bias[:n],
    )
    nn.init.eye_(model.posterior_head.net[-1].weight[:n])
    model.posterior_head.net[-1].bias[:n] = 0.0
    back, read = 0.5 * emission.weight[:dim, :n].T, model.reader.of_input
    nn.init.zeros_(read.weight)
    read.weight[:n, :dim], read.bias[:n] = back, -back @ emission.bias[:dim]


class World(NamedTuple):
    """Hold a linear model with one sequence to score and the exact distribution of what it draws.

    Attributes:
        mean, cov: of all values of the sequence, flattened, (time * dim,).
    """

    model: Model
    prefix: Batch | None
    batch: Batch
    mean: Tensor
    cov: Tensor

    def run(self, samples: int, proposal: str, seed: int) -> Unrolled:
        noise = draw_noise(self.model, samples, 1, TIME, seeded(seed))
        with backend("reference"):  # a fast path does not know linear cells
            embedded = embed(self.model, self.batch, self.prefix)
            return unroll(self.model, self.batch, noise, proposal=proposal, embedded=embedded)

    def exact(self) -> float:
        """Compute log p of what is observed, by scipy."""
        select = observing(self.batch)
        mean, cov = select @ self.mean, select @ self.cov @ select.T
        value = self.batch.x[self.batch.present]
        return float(
            scipy.stats.multivariate_normal(mean.numpy(), cov.numpy()).logpdf(value.numpy())
        )


def observing(batch: Batch) -> Tensor:
    """Give the matrix from all drawn values to the observed numbers: a choice, or a sum over the gap before."""
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
def make_world(name: str, gaps: str) -> World:
    """Draw a sequence from a linear model, make holes in it, and find the distribution of its draws."""
    model, generator = build_linear(CONFIGS[name]), seeded(11)
    config = CONFIGS[name]
    x = torch.randn(1, TIME, 2, generator=generator).double()
    u = torch.randn(1, TIME, config.u_dim, generator=generator).double()
    prefix = (
        Batch.of(torch.randn(1, 3, 2, generator=generator).double(), u=u[:, :3])
        if reads_prefix(model)
        else None
    )
    read = torch.randn(1, TIME, 2, generator=generator).double()
    empty = Batch.of(read, u=u, y=x).swap_target() if model.supervised else Batch.of(x, u=u)
    once = global_noise_size(model)
    count = once + TIME * (model.latent.dim + model.observation.noise_size)
    unit = torch.cat(
        [torch.zeros(1, count), torch.eye(count), torch.randn(1, count, generator=generator)]
    ).double()
    code, latent, observation = unit.split(
        [once, TIME * model.latent.dim, TIME * model.observation.noise_size], -1
    )
    noise = Noise(
        code[:, None],
        latent.reshape(count + 2, 1, TIME, model.latent.dim),
        observation.reshape(count + 2, 1, TIME, model.observation.noise_size),
        torch.zeros(count + 2, 1, 0).double(),
    )
    with backend("reference"):
        belief = condition(model, empty.split(0)[0] if prefix is None else prefix, noise)
        mean, *columns, drawn = rollout(model, belief, empty.u, noise).x.flatten(1)
    columns = torch.stack(columns) - mean
    torch.testing.assert_close(drawn, mean + unit[-1] @ columns)  # affine indeed
    x = drawn.reshape(1, TIME, 2).clone()
    if gaps != "complete":
        x[0, 1:3] = torch.nan
        if model.observation.factorises:
            x[0, 4, 0] = x[0, 0, 1] = torch.nan
    is_increment = torch.tensor([gaps == "is_increment", False])
    batch = Batch.of(
        x, u=empty.u, factorises=model.observation.factorises, is_increment=is_increment
    )
    if gaps == "is_increment":
        values = observing(batch) @ drawn
        batch.x[batch.present] = values
    return World(model, prefix, batch, mean, columns.T @ columns)


GAPS = pytest.mark.parametrize("gaps", ["complete", "gaps", "is_increment"])
ALL = pytest.mark.parametrize("name", CONFIGS)


@ALL
@GAPS
@torch.no_grad()
def test_importance_weights_average_to_the_exact_density(name, gaps):
    world = make_world(name, gaps)
    exact = world.exact()
    for proposal in ("posterior", "prior"):
        log_weight = world.run(SAMPLES, proposal, seed=1).log_weight[:, 0]
        ratio = (log_weight - exact).exp()
        error = float(ratio.std() / math.sqrt(SAMPLES))
        effective = float(ratio.sum() ** 2 / ratio.square().sum()) / SAMPLES
        assert effective > 0.05, (
            f"{proposal}: the weights are too uneven to prove anything ({effective:.3f})"
        )
        assert float(ratio.mean()) == pytest.approx(1.0, abs=4 * error + 1e-9), (
            f"{proposal}, {error=}"
        )


@ALL
@GAPS
@torch.no_grad()
def test_bounds_are_in_order(name, gaps):
    world = make_world(name, gaps)
    exact, unrolled = world.exact(), world.run(SAMPLES, "posterior", seed=2)
    bound = elbo_terms(world.model, unrolled).bound[:, 0]
    error = float(bound.std() / math.sqrt(SAMPLES))
    weights = unrolled.log_weight[:, 0]
    assert float(bound.mean()) == pytest.approx(
        float(weights.mean()), abs=5 * error + 1e-9
    )  # analytic KL = sampled
    by_ten = weights.reshape(-1, 10).logsumexp(-1) - math.log(10)
    ten = float(by_ten.mean())
    ten_error = float(by_ten.std() / math.sqrt(len(by_ten)))
    assert float(bound.mean()) <= ten + 4 * (error + ten_error) + 1e-9
    assert ten <= exact + 4 * ten_error + 1e-9


@pytest.mark.parametrize("name", [n for n in CONFIGS if n.startswith("rnn")])
@torch.no_grad()
def test_rnn_without_gaps_is_exact(name):
    world = make_world(name, "complete")
    assert float(elbo_terms(world.model, world.run(1, "posterior", 0)).bound) == pytest.approx(
        world.exact(), abs=1e-9
    )


def test_autoencoding_rollout_gains_nothing_on_white_noise():
    """A leak of T past the KL would: the bound came to +0.52 nats a step where -1.42 is the most there is."""
    ceiling = -0.5 * math.log(2 * math.pi * math.e)
    for decoder in (
        {"dynamics": "carried"},
        {"dynamics": "driven"},
        {"dynamics": "driven", "redraw": "sequence"},
    ):
        config = RolloutVAEConfig(1, hidden=16, latent_dim=4, task="autoencoding", **decoder)
        bound, error = bound_on_white_noise(build(config).float())
        assert ceiling - 0.15 < bound <= ceiling + 4 * error, decoder


class Leaky(RolloutVAE):
    """The mistake itself: a last state of the encoder, which has read T, becomes h_0."""

    def with_global(self, state, z, context):
        state = super().with_global(state, z, context)
        return state._replace(h=state.h + self.leak)

    def embed_evidence(self, batch, inputs):
        self.leak = self._read(batch)
        return super().embed_evidence(batch, inputs)


def test_white_noise_would_show_a_leak():
    torch.manual_seed(0)
    bound, _ = bound_on_white_noise(
        Leaky(RolloutVAEConfig(1, hidden=16, latent_dim=4, task="autoencoding"))
    )
    assert bound > -0.5 * math.log(2 * math.pi * math.e) + 0.1


def bound_on_white_noise(model: Model) -> tuple[float, float]:
    """Train for a moment on fresh white noise; give the bound per step on more of it, with its standard error."""
    steps, time = 250, 3
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for step in range(steps + 1):
        last = step == steps
        count, generator = 4096 if last else 128, seeded(3, step)
        batch = Batch.of(torch.randn(count, time, 1, generator=generator))
        noise = draw_noise(model, 1, count, time, generator, observations=False)
        with torch.set_grad_enabled(not last):
            bound = elbo_terms(model, unroll(model, batch, noise)).bound[0] / time
        if not last:
            optimiser.zero_grad()
            (-bound.mean()).backward()
            optimiser.step()
    return float(bound.mean()), float(bound.std() / math.sqrt(count))
