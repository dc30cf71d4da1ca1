"""The table of models and settings that tests run over, and sequences with gaps for each of them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import pytest
import torch
from tests.helpers.pages import module_of
from torch import Tensor

import vrnn.fastpath  # noqa: F401, fills the registry of plans
from vrnn.data.batch import Batch
from vrnn.data.transforms.causal import FEATURES
from vrnn.distributions import Family, Product
from vrnn.distributions.tree import tensors_of
from vrnn.inference.embed import embed
from vrnn.inference.noise import Noise, draw_noise
from vrnn.inference.random_numbers import seeded
from vrnn.inference.step import Proposal
from vrnn.inference.traits import looks_ahead, reads_prefix
from vrnn.inference.unroll import Unrolled, unroll
from vrnn.models.causal import CausalCoordinates
from vrnn.models.config import ModelConfig
from vrnn.models.contract import Model
from vrnn.models.dmm import DMMConfig
from vrnn.models.position import PositionConditioned
from vrnn.models.registry import make_model
from vrnn.models.rnn import RNNConfig
from vrnn.models.rollout import RolloutVAEConfig
from vrnn.models.rssm import RSSMConfig
from vrnn.models.seq2seq import Seq2SeqVAEConfig
from vrnn.models.srnn import SRNNConfig
from vrnn.models.storn import STORNConfig
from vrnn.models.vrnn import VRNNConfig

SMALL = {"hidden": 5}
LATENT = {**SMALL, "latent_dim": 3}
PEN = "mixture(2):2+bernoulli:1"

CONFIGS: dict[str, ModelConfig] = {
    "rnn": RNNConfig(2, **SMALL),
    "rnn-lstm-u-mixture": RNNConfig(2, u_dim=2, cell="lstm", emission="mixture(2)", **SMALL),
    "rnn-pen": RNNConfig(3, emission=PEN, **SMALL),
    "rnn-mixed-columns": RNNConfig(3, u_dim=1, emission="student_t:2+categorical(3):1", **SMALL),
    "rnn-supervised": RNNConfig(2, y_dim=2, supervised=True, **SMALL),
    "rnn-supervised-lstm-u": RNNConfig(
        2, 1, 3, cell="lstm", emission="bernoulli", supervised=True, **SMALL
    ),
    "seq2seq-next": Seq2SeqVAEConfig(2, **LATENT),
    "seq2seq-next-lstm-u": Seq2SeqVAEConfig(
        2, u_dim=1, cell="lstm", emission="full_gaussian", **LATENT
    ),
    "seq2seq-same": Seq2SeqVAEConfig(2, target="same", **LATENT),
    "seq2seq-same-lstm-u": Seq2SeqVAEConfig(
        2, u_dim=1, cell="lstm", emission="mixture(2)", target="same", **LATENT
    ),
    "seq2seq-supervised": Seq2SeqVAEConfig(2, y_dim=2, target="supervised", **LATENT),
    "seq2seq-supervised-lstm-u": Seq2SeqVAEConfig(
        2, 1, 2, cell="lstm", emission="full_gaussian", target="supervised", **LATENT
    ),
    **{
        f"rollout-{task}-{name}": RolloutVAEConfig(2, task=task, **decoder, **LATENT)
        for task in ("forecasting", "autoencoding")
        for name, decoder in {
            "carried": {"dynamics": "carried"},
            "step": {"dynamics": "driven", "redraw": "step"},
            "sequence": {"dynamics": "driven", "redraw": "sequence"},
        }.items()
    },
    "rollout-forecasting-step-lstm-u": RolloutVAEConfig(
        2, 1, cell="lstm", emission="full_gaussian", dynamics="driven", **LATENT
    ),
    "rollout-autoencoding-carried-lstm-u": RolloutVAEConfig(
        3, 1, cell="lstm", emission=PEN, task="autoencoding", **LATENT
    ),
    "rollout-autoencoding-sequence-affine": RolloutVAEConfig(
        2, 1, depth=0, dynamics="driven", redraw="sequence", task="autoencoding", **LATENT
    ),
    "vrnn": VRNNConfig(2, **LATENT),
    "vrnn-lstm-u": VRNNConfig(2, u_dim=1, cell="lstm", emission="full_gaussian", **LATENT),
    "vrnn-pen": VRNNConfig(3, emission=PEN, **LATENT),
    "vrnn-nade": VRNNConfig(4, emission="nade(3)", **LATENT),
    "vrnn-affine": VRNNConfig(2, u_dim=1, depth=0, **LATENT),
    "vrnn-standard": VRNNConfig(2, prior="standard", **LATENT),
    "vrnn-standard-lstm-u": VRNNConfig(
        2, u_dim=1, cell="lstm", prior="standard", emission="mixture(2)", **LATENT
    ),
    "vrnn-supervised": VRNNConfig(2, y_dim=2, supervised="encoder", **LATENT),
    "vrnn-supervised-lstm-u": VRNNConfig(
        2, 1, 3, cell="lstm", emission="bernoulli", supervised="encoder", **LATENT
    ),
    "vrnn-conditional": VRNNConfig(2, y_dim=2, supervised="conditional", **LATENT),
    "vrnn-conditional-lstm-u": VRNNConfig(
        2, 1, 2, cell="lstm", emission="full_gaussian", supervised="conditional", **LATENT
    ),
    **{
        f"{kind}{name}": config(**settings, **LATENT)
        for kind, config in {
            "dmm": DMMConfig,
            "srnn": SRNNConfig,
            "storn": STORNConfig,
            "rssm": RSSMConfig,
        }.items()
        for name, settings in {
            "": {"x_dim": 2},
            "-lstm-u": {"x_dim": 2, "u_dim": 1, "cell": "lstm", "emission": "full_gaussian"},
            "-mixture-u": {"x_dim": 2, "u_dim": 2, "emission": "mixture(2)"},
            "-pen": {"x_dim": 3, "emission": PEN},
            "-affine": {"x_dim": 2, "u_dim": 1, "depth": 0},
        }.items()
    },
}
BY_LATENT: dict[str, ModelConfig] = {
    "vrnn": VRNNConfig(2, **LATENT),
    "vrnn-lstm-u": VRNNConfig(2, u_dim=1, cell="lstm", depth=0, **LATENT),
    "vrnn-pen": VRNNConfig(3, emission=PEN, **LATENT),
    "vrnn-standard": VRNNConfig(2, prior="standard", emission="mixture(2)", **LATENT),
    "vrnn-supervised": VRNNConfig(2, y_dim=2, supervised="encoder", **LATENT),
    "vrnn-conditional": VRNNConfig(2, y_dim=2, supervised="conditional", **LATENT),
    "seq2seq-next": Seq2SeqVAEConfig(2, u_dim=1, **LATENT),
    "seq2seq-same": Seq2SeqVAEConfig(2, target="same", **LATENT),
    "seq2seq-supervised": Seq2SeqVAEConfig(2, y_dim=2, target="supervised", **LATENT),
    "dmm": DMMConfig(2, u_dim=1, emission="full_gaussian", **LATENT),
    "srnn": SRNNConfig(2, u_dim=1, **LATENT),
    "storn": STORNConfig(2, u_dim=1, **LATENT),
    "rssm": RSSMConfig(2, u_dim=1, **LATENT),
    "rollout-forecasting-step": RolloutVAEConfig(2, dynamics="driven", **LATENT),
    "rollout-autoencoding-step": RolloutVAEConfig(
        2, dynamics="driven", task="autoencoding", **LATENT
    ),
    "rollout-autoencoding-sequence": RolloutVAEConfig(
        2, dynamics="driven", redraw="sequence", task="autoencoding", **LATENT
    ),
}
LATENTS = {
    "categorical": ("categorical(3)", tuple(BY_LATENT)),
    "both": (
        "gaussian+categorical(3)",
        ("vrnn", "seq2seq-next", "dmm", "srnn", "rssm", "rollout-autoencoding-step"),
    ),
    "groups": (
        "gaussian+2*categorical(3)",
        ("vrnn", "dmm", "srnn", "storn", "rssm", "rollout-autoencoding-sequence"),
    ),
}
CONFIGS |= {
    f"{name}-{kind}": replace(BY_LATENT[name], latent=latent)  # pyrefly: ignore
    for kind, (latent, names) in LATENTS.items()
    for name in names
}


@dataclass(frozen=True)
class WrappedConfig:
    """A config of a model around another one; `u_dim` is the width of u in a batch."""

    inner: ModelConfig

    @property
    def x_dim(self) -> int:
        return self.inner.x_dim

    @property
    def u_dim(self) -> int:
        return self.inner.u_dim + self.more_inputs

    more_inputs = 0


class PositionConfig(WrappedConfig):
    """A config of a model that has the position in its first column as an input."""

    more_inputs = 1  # a start and a factor in place of a position


class CausalConfig(WrappedConfig):
    """A config of a model in causal frames, which tell the inner model of themselves."""

    more_inputs = -FEATURES


WRAPPERS = ("position-", "causal-")  # how the names of such settings begin


def unwrapped(name: str) -> str:
    """Return the name of a setting without what it says of a model around the architecture."""
    return re.sub("^(" + "|".join(WRAPPERS) + ")", "", name)


CONFIGS |= {
    "position-rnn": PositionConfig(RNNConfig(2, u_dim=1, **SMALL)),
    "position-vrnn-lstm-u": PositionConfig(
        VRNNConfig(2, u_dim=2, cell="lstm", emission="full_gaussian", **LATENT)
    ),
    "position-seq2seq": PositionConfig(Seq2SeqVAEConfig(2, u_dim=1, **LATENT)),
    "position-srnn-u": PositionConfig(SRNNConfig(2, u_dim=2, **LATENT)),
    "position-vrnn-categorical": PositionConfig(
        VRNNConfig(2, u_dim=1, latent="categorical(3)", **SMALL)
    ),
    "position-rssm": PositionConfig(RSSMConfig(2, u_dim=1, **LATENT)),
    "causal-rnn": CausalConfig(RNNConfig(1, u_dim=FEATURES, **SMALL)),
    "causal-vrnn-u": CausalConfig(
        VRNNConfig(3, u_dim=FEATURES + 1, emission="mixture(3)", **LATENT)
    ),
    "causal-vrnn-categorical": CausalConfig(
        VRNNConfig(2, u_dim=FEATURES, latent="categorical(3)", emission="full_gaussian", **SMALL)
    ),
    "causal-srnn": CausalConfig(SRNNConfig(2, u_dim=FEATURES, emission="full_gaussian", **LATENT)),
}
TOY = module_of("how-to/add-a-model.md", "vrnn.models.toy")  # in no registry but in tests of it
CONFIGS |= {
    "toy": TOY.ToyConfig(2, u_dim=1, hidden=5, latent_dim=3),
    "toy-pen": TOY.ToyConfig(3, hidden=5, latent_dim=3, emission=PEN),
}

ESSENTIAL = {
    "rnn-lstm-u-mixture", "rnn-mixed-columns", "seq2seq-same-lstm-u", "seq2seq-supervised-categorical",
    "rollout-forecasting-step-lstm-u", "rollout-autoencoding-carried-lstm-u", "rollout-autoencoding-step-both", "vrnn",
    "vrnn-lstm-u", "vrnn-nade", "vrnn-pen-categorical", "vrnn-supervised-lstm-u", "dmm-mixture-u", "dmm-groups", "srnn-pen", "storn-lstm-u",
    "rssm-categorical", "position-vrnn-lstm-u", "causal-vrnn-categorical", "toy",
}  # fmt: skip
"""Settings of the default tests; with them every architecture, cell, emission and kind of latent is tested."""
assert set(CONFIGS) >= ESSENTIAL


def each(names: Iterable[str] = CONFIGS) -> list:
    """Return the parameters of a test over settings; those that are not essential are of the matrix."""
    return [pytest.param(n, marks=() if n in ESSENTIAL else pytest.mark.matrix) for n in names]


def make(config: ModelConfig | WrappedConfig) -> Model:
    """Return the model of a config."""
    if isinstance(config, CausalConfig):
        inner = make_model(config.inner)
        return CausalCoordinates(
            inner, looks_ahead=looks_ahead(inner, config.inner.u_dim), known=config.u_dim
        )
    if isinstance(config, PositionConfig):
        return PositionConditioned(make_model(config.inner), (0,), torch.tensor([0.3]))
    return TOY.Toy(config) if isinstance(config, TOY.ToyConfig) else make_model(config)


def build(config: ModelConfig, seed: int = 0) -> Model:
    """Return a model in float64 with every weight moved off its starting value."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make(config).double()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.2 * torch.randn_like(parameter)
    return model


def observations(family: Family, count: int, time: int, seed: int) -> Tensor:
    """Return values that an emission gives some mass or density to, (count, time, dim)."""
    parts = family.parts if isinstance(family, Product) else (family,)
    generator = seeded(seed, 1)
    columns = []
    for part in parts:
        raw = torch.randn(count, time, part.size, generator=generator).double()
        columns.append(
            part(raw).sample(
                torch.randn(count, time, part.noise_size, generator=generator).double()
            )
        )
    return torch.cat(columns, -1)


LENGTHS = torch.tensor([9, 5, 7, 2])
TIME = 9


class Case(NamedTuple):
    """What a pass needs: a prefix where the model reads one (else None), a batch and its noise."""

    prefix: Batch | None
    batch: Batch
    noise: Noise


def make_case(
    model: Model, config: ModelConfig, *, samples: int = 2, gaps: bool = True, seed: int = 0
) -> Case:
    """Return four sequences of different lengths.

    With gaps, points are missing: two inside the first sequence, the first of the second, one of
    the third. Where the emission factorises, single entries of the first and the fourth are missing
    too. Half of the continuous columns are increments.
    """
    family = model.observation
    x = observations(family, 4, TIME, seed)
    if gaps:
        x[0, 3:5], x[1, 0], x[2, 6] = torch.nan, torch.nan, torch.nan
        if family.factorises:
            x[0, 6, 0] = x[3, 0, -1] = torch.nan
    is_increment = torch.tensor([c and i % 2 == 0 for i, c in enumerate(family.continuous)])
    generator = seeded(seed, 2)
    u = torch.randn(4, TIME, config.u_dim, generator=generator).double()
    if model.supervised:
        read = torch.randn(4, TIME, config.x_dim, generator=generator).double()
        read[1, 2] = torch.nan
        batch = Batch.of(read, y=x, u=u, length=LENGTHS, factorises=family.factorises).swap_target()
    else:
        batch = Batch.of(
            x, u=u, length=LENGTHS, is_increment=is_increment, factorises=family.factorises
        )
    prefix = make_prefix(model, config, seed) if reads_prefix(model) else None
    return Case(prefix, batch, draw_noise(model, samples, 4, TIME, seeded(seed, 3)))


def make_prefix(model: Model, config: ModelConfig, seed: int) -> Batch:
    """Return the prefixes that a forecasting model reads, of different lengths and with a gap."""
    x = observations(model.observation, 4, 4, seed + 100)
    x[0, 1] = torch.nan
    if model.observation.factorises:
        x[1, 3, 0] = torch.nan  # in the last point
    u = torch.randn(4, 4, config.u_dim, generator=seeded(seed, 4)).double()
    length = torch.tensor([4, 4, 2, 1])
    return Batch.of(x, u=u, length=length, factorises=model.observation.factorises)


def run(model: Model, case: Case, proposal: Proposal = "posterior", **more) -> Unrolled:
    """Return the pass of a model over a case."""
    embedded = more.pop("embedded", None) or embed(model, case.batch, case.prefix)
    return unroll(model, case.batch, case.noise, proposal=proposal, embedded=embedded, **more)


def alone(case: Case, i: int) -> Case:
    """Return sequence i of a case without its padding, and its part of the noise."""
    length = int(case.batch.length[i])
    row = slice(i, i + 1)
    batch, _ = case.batch.sequences(row).split(length)
    prefix = case.prefix
    if prefix is not None:
        prefix, _ = prefix.sequences(row).split(int(prefix.length[i]))
    noise = case.noise.sequences(row)
    latent, observation = noise.latent[:, :, :length], noise.observation[:, :, :length]
    return Case(prefix, batch, noise._replace(latent=latent, observation=observation))


def tensors(value) -> list[Tensor]:
    """Return the tensors of a distribution, a state, a belief or a list of them."""
    return tensors_of(tuple(value) if isinstance(value, list) else value)
