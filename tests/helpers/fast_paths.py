"""Models, batches and comparisons for the tests that a fast path equals the plain reference."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, NamedTuple, get_args

import pytest
import torch
from tests.models.settings import CONFIGS as SETTINGS
from tests.models.settings import LATENT, SMALL, WRAPPERS, WrappedConfig, build, observations
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import tree_map
from vrnn.distributions.tree import tensors_of
from vrnn.inference.embed import embed, embed_online
from vrnn.inference.noise import Noise, draw_noise
from vrnn.inference.plans import PLANS
from vrnn.inference.random_numbers import seeded
from vrnn.inference.step import Belief, Proposal
from vrnn.inference.traits import reads_prefix
from vrnn.inference.unroll import Unrolled, unroll
from vrnn.models.config import ModelConfig
from vrnn.models.contract import Model
from vrnn.models.dmm import DMMConfig
from vrnn.models.registry import REGISTRY, name_of
from vrnn.models.rollout import RolloutVAEConfig
from vrnn.models.srnn import SRNNConfig
from vrnn.models.storn import STORNConfig
from vrnn.models.vrnn import VRNNConfig
from vrnn.objectives import fivo
from vrnn.objectives.terms import elbo_terms
from vrnn.ops import backend
from vrnn.ops.build import library

needs_compiler = pytest.mark.skipif(library() is None, reason="no C++ compiler")

MORE: dict[str, ModelConfig] = {
    "rollout-carried-affine": RolloutVAEConfig(2, depth=0, **LATENT),
    "rollout-carried-u": RolloutVAEConfig(2, u_dim=1, **LATENT),
    "rollout-carried-lstm": RolloutVAEConfig(2, cell="lstm", **LATENT),
    "rollout-sequence-deep": RolloutVAEConfig(
        2, depth=2, dynamics="driven", redraw="sequence", task="autoencoding", **LATENT
    ),
    "vrnn-u": VRNNConfig(2, u_dim=2, **LATENT),
    "vrnn-deep": VRNNConfig(2, u_dim=1, depth=2, **LATENT),
    "vrnn-standard-u": VRNNConfig(2, u_dim=1, prior="standard", **LATENT),
    **{
        f"vrnn-{name}": VRNNConfig(**{"x_dim": 2, "latent": "categorical(3)"} | settings, **SMALL)
        for name, settings in {
            "categorical-full": {"emission": "full_gaussian"},
            "categorical-full-u": {"x_dim": 3, "u_dim": 2, "emission": "full_gaussian"},
            "categorical-mixture": {"emission": "mixture(2)"},
            "categorical-bernoulli": {"x_dim": 4, "emission": "bernoulli"},
            "categorical-standard-u": {"u_dim": 1, "prior": "standard"},
            "categorical-conditional-u": {"u_dim": 1, "y_dim": 2, "supervised": "conditional"},
            "categorical-student": {"emission": "student_t"},
            "categorical-nade": {"x_dim": 4, "emission": "nade(3)"},
            "categorical-lstm": {"cell": "lstm"},
            "categorical-deep": {"depth": 2},
            "categorical-affine": {"depth": 0},
        }.items()
    },
    "dmm-deep": DMMConfig(2, depth=2, **LATENT),
    "srnn-deep": SRNNConfig(2, depth=2, **LATENT),
    "storn-deep": STORNConfig(2, depth=2, **LATENT),
}
"""Settings that some plan treats in a way of its own."""

OTHER_LATENTS = (
    "vrnn-categorical",
    "vrnn-pen-categorical",
    "vrnn-standard-categorical",
    "vrnn-supervised-categorical",
    "vrnn-conditional-categorical",
    "vrnn-both",
    "vrnn-groups",
    "seq2seq-next-both",
    "seq2seq-same-categorical",
    "storn-categorical",
    "storn-groups",
    "rollout-autoencoding-sequence-groups",
    "rollout-autoencoding-step-both",
    "dmm-groups",
    "srnn-both",
)
"""Settings with categories in their latents, in part or alone."""

WITHOUT_A_PLAN = ("rssm",)
"""The architectures that always run by the loop."""

WRAPPED = {name: config for name, config in SETTINGS.items() if name.startswith(WRAPPERS)}
CONFIGS: dict[str, ModelConfig] = {
    name: config
    for name, config in (SETTINGS | MORE).items()
    if not name.startswith((*WRAPPERS, "toy"))
    and (getattr(config, "latent", "gaussian") == "gaussian" or name in {*OTHER_LATENTS, *MORE})
}
LEFT_TO_THE_LOOP = {
    "seq2seq-same-lstm-u": "the posterior goes on from the memory of an LSTM",
    "rollout-carried-affine": "the next latent is not one hidden layer",
    "dmm-affine": "the posterior has no tanh",
    "srnn-affine": "the heads are not one hidden layer",
    "srnn-deep": "the heads are not one hidden layer",
    "vrnn-affine": "the networks are not one hidden layer",
    "vrnn-deep": "the networks are not one hidden layer",
    "vrnn-lstm-u": "an LSTM",
    "vrnn-standard-lstm-u": "an LSTM",
    "vrnn-conditional-lstm-u": "an LSTM",
    "vrnn-both": "categories beside a Gaussian",
    "vrnn-groups": "several groups of categories",
    "vrnn-supervised-categorical": "no posterior of its own",
    "vrnn-categorical-student": "an emission whose density is not compiled",
    "vrnn-categorical-nade": "an emission whose density is not compiled",
    "vrnn-categorical-lstm": "an LSTM",
    "vrnn-categorical-deep": "the networks are not one hidden layer",
    "vrnn-categorical-affine": "the networks are not one hidden layer",
    "seq2seq-next-both": "categories with an exact posterior",
    "seq2seq-same-categorical": "categories",
    "storn-categorical": "categories with an exact posterior",
    "rollout-autoencoding-step-both": "categories",
    "dmm-groups": "categories",
    "srnn-both": "categories",
    "vrnn-supervised": "no posterior of its own",
    "vrnn-supervised-lstm-u": "no posterior of its own",
}
"""The settings whose plan declines a pass from the posterior, and why."""


def settings_of(*models: str) -> list[str]:
    """Return the settings of some models, by their names in the registry."""
    assert set(models) <= set(REGISTRY)
    return [name for name, config in CONFIGS.items() if name_of(config) in models]


def calm(model: Model) -> Model:
    """Return a model with its weights made small.

    Wide random recurrences are chaotic: they magnify rounding errors from step to step.
    """
    with torch.no_grad():
        for weight in model.parameters():
            weight *= min(1.0, (5 / max(weight.shape[-1], 1)) ** 0.5)
    return model


class Case(NamedTuple):
    """What a pass needs: a batch, its noise, the prefix that some models read, and a start."""

    batch: Batch
    noise: Noise
    prefix: Batch | None = None
    start: Belief | None = None


TIME = 14
LENGTHS = torch.tensor([14, 9, 12, 3, 0])
Kind = Literal["even", "unequal", "gaps", "start", "start in a gap"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PLAN_CALLS: dict[Kind, int] = {
    "even": 1,
    "unequal": 1,
    "gaps": 2,
    "start": 1,
    "start in a gap": 1,
}
"""The complete segments of each kind of case, which a plan takes."""


def make_case(
    model: Model, config: ModelConfig | WrappedConfig, kind: Kind, samples: int = 2, seed: int = 0
) -> Case:
    """Return five sequences, all of 14 steps or of different lengths, one of which is empty.

    With gaps, steps 5 and 6 of the first sequence and the last one of the third are missing, and
    single entries where the emission factorises. Steps 0 to 4 and 8 to 10 are then complete. A
    start is the belief after 4 steps, or after 6 within the gap. Every second continuous column is
    one of increments.
    """
    family, gaps = model.observation, kind in ("gaps", "start in a gap")
    x = observations(family, len(LENGTHS), TIME, seed)
    if gaps:
        x[0, 5:7], x[2, 11] = torch.nan, torch.nan
        if family.factorises:
            x[1, 5, -1] = x[1, 6, 0] = torch.nan
    generator = seeded(seed, 2)
    u = torch.randn(len(x), TIME, config.u_dim, generator=generator).double()
    length = torch.full_like(LENGTHS, TIME) if kind == "even" else LENGTHS
    more = {"u": u, "length": length, "factorises": family.factorises}
    if model.supervised:
        read = torch.randn(len(x), TIME, config.x_dim, generator=generator).double()
        read[1, 2] = torch.nan
        batch = Batch.of(read, y=x, **more).swap_target()
    else:
        is_increment = torch.tensor([c and i % 2 == 0 for i, c in enumerate(family.continuous)])
        batch = Batch.of(x, is_increment=is_increment, **more)
    prefix = _make_prefix(model, config, seed) if reads_prefix(model) else None
    case = Case(batch, draw_noise(model, samples, len(x), TIME, seeded(seed, 3)), prefix)
    if not kind.startswith("start"):
        return case
    cut = 6 if gaps else 4
    with backend("reference"):
        first = run(model, Case(batch.split(cut)[0], case.noise.steps(slice(cut)), prefix))
    start = first.belief.map(lambda t: t.detach().contiguous())
    return Case(batch.after(cut), case.noise.steps(slice(cut, None)), prefix, start)


def _make_prefix(model: Model, config: ModelConfig | WrappedConfig, seed: int) -> Batch:
    """Return the prefixes that a forecasting model reads, of different lengths and with a gap."""
    count = len(LENGTHS)
    x = observations(model.observation, count, 4, seed + 100)
    x[0, 1] = torch.nan
    if model.observation.factorises:
        x[1, 3, 0] = torch.nan  # in the last point
    u = torch.randn(count, 4, config.u_dim, generator=seeded(seed, 4)).double()
    length = torch.tensor([4, 4, 2, 1, 3])
    return Batch.of(x, u=u, length=length, factorises=model.observation.factorises)


def run(model: Model, case: Case, **more: Any) -> Unrolled:
    """Return the record of a pass over a case."""
    embedded = embed(model, case.batch, case.prefix)
    return unroll(model, case.batch, case.noise, embedded=embedded, start=case.start, **more)


def in_both(call: Callable[[], Any]) -> tuple[Any, Any]:
    """Return what a call gives by the fast path, and by the reference."""
    fast = call()
    with backend("reference"):
        return fast, call()


def assert_same(found: Any, expected: Any, tolerance: float = 1e-10) -> None:
    """Compare two trees tensor by tensor; axes of length 1 may stand for many."""
    for a, b in zip(tensors_of(found), tensors_of(expected), strict=True):
        a, b = torch.broadcast_tensors(a.double(), b.double())
        size = float(b.detach().abs().max()) if b.numel() else 0.0
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance * max(1.0, size))


def within(unrolled: Unrolled, case: Case) -> Unrolled:
    """Return a record with 0 past the end of each sequence, where values mean nothing."""
    there = case.batch.in_sequence
    samples = len(case.noise.latent)

    def one(t: Tensor) -> Tensor:
        t = t if t.dim() > 3 or t.shape[:3] == (samples, *there.shape) else t[None]
        return torch.where(there.view(*there.shape, *(1,) * (t.dim() - 3)), t, 0.0)

    timed = ("log_prob", "prior", "posterior", "latent", "emission", "x")
    return unrolled._replace(**{name: tree_map(one, getattr(unrolled, name)) for name in timed})


def outcome(model: Model, case: Case, **more: Any) -> tuple[Unrolled, dict[str, Tensor]]:
    """Return the record of a pass and the gradients of a loss that reads all of it.

    The gradients are those of all parameters, of the normals and of the start.
    """
    normals = {
        f"noise.{name}": t.detach().clone().requires_grad_()
        for name, t in case.noise._asdict().items()
        if t.numel()
    }
    noise = case.noise._replace(**{name.split(".")[1]: t for name, t in normals.items()})
    given = dict(model.named_parameters()) | normals
    start = None
    if case.start is not None:
        start = case.start.map(lambda t: t.detach().clone().requires_grad_())
        given |= {f"start.{i}": t for i, t in enumerate(tensors_of(start.state))}
    found = within(run(model, case._replace(noise=noise, start=start), **more), case)
    value = found.log_prob.square().sum() + found.log_weight.square().sum()
    if more.get("proposal", "posterior") == "posterior":
        value = value + elbo_terms(model, found).bound.sum()
    read = (found.latent, found.belief.state, found.emission.mean, found.once.z)
    for i, t in enumerate(tensors_of(read)):
        value = value + (t.pow(3) + (i + 1) * t).sum()
    gradients = torch.autograd.grad(value, list(given.values()), materialize_grads=True)
    return found, dict(zip(given, gradients, strict=True))


def compare(model: Model, case: Case, tolerance: float = 1e-10, **more: Any) -> None:
    """Compare the record of a pass and all of its gradients with those of the reference."""
    fast, plain = in_both(lambda: outcome(model, case, **more))
    for name in Unrolled._fields:
        assert_same(getattr(fast[0], name), getattr(plain[0], name), tolerance)
    assert (fast[0].prior is fast[0].posterior) == (plain[0].prior is plain[0].posterior)
    for name, gradient in plain[1].items():
        assert_same(fast[1][name], gradient, tolerance)


def count_plan_calls(
    monkeypatch: pytest.MonkeyPatch, model: Model, function: str = "scan"
) -> list[bool]:
    """Return a list that gets an entry at every call of a plan: whether it took the call."""
    plan, calls = PLANS[type(model)], []
    original = getattr(plan, function)

    def counted(*given: Any, **more: Any) -> Any:
        found = original(*given, **more)
        calls.append(found is not None)
        return found

    monkeypatch.setitem(PLANS, type(model), replace(plan, **{function: counted}))
    return calls


def check_plan(
    name: str, kind: Kind, monkeypatch: pytest.MonkeyPatch, samples: int = 2, **more: Any
) -> None:
    """Compare a setting's plan with the reference, and check which of them really ran.

    Args:
        more: of `unroll`, such as `proposal`.
    """
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], kind, samples)
    calls = count_plan_calls(monkeypatch, model)
    with backend("reference"):
        run(model, case, **more)
    assert calls == []
    run(model, case, **more)
    assert calls == [takes(name, **more)] * PLAN_CALLS[kind]
    compare(model, case, **more)


def takes(name: str, proposal: Proposal = "posterior") -> bool:
    """Return whether the plan of a setting takes a pass over complete steps."""
    from_prior = not name.startswith(("vrnn", "srnn", "dmm"))
    return name not in LEFT_TO_THE_LOOP and (proposal == "posterior" or from_prior)


def check_short(name: str, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare a setting's plan with the reference on sequences of one or two steps."""
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], "unequal")
    batch, noise = case.batch.split(steps)[0], case.noise.steps(slice(steps))
    calls = count_plan_calls(monkeypatch, model)
    compare(model, case._replace(batch=batch, noise=noise))
    assert calls == [takes(name)]


def check_embedded(name: str) -> None:
    """Compare the features of a batch with gaps, and their gradients, with the reference's.

    The evidence of each step alone is compared too.
    """
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], "gaps")
    weights = list(model.parameters())

    def embedded() -> Any:
        parts = [f(model, case.batch, case.prefix) for f in (embed, embed_online)]
        there = case.batch.in_sequence[..., None]
        kept = [torch.where(there, t, 0.0) if t.dim() == 3 else t for part in parts for t in part]
        value = sum((t.square() + t).sum() for t in kept)
        if not value.requires_grad:  # a model whose features are the data themselves
            return kept, ()
        return kept, torch.autograd.grad(value, weights, materialize_grads=True)

    assert_same(*in_both(embedded))


def check_particles(name: str) -> None:
    """Compare the filtering bound of a setting, and its gradients, with the reference's."""
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], "gaps")
    noise = draw_noise(model, 4, *case.batch.x.shape[:2], seeded(1), resampling=True)

    def bound() -> Any:
        found = fivo(model, case.batch, noise, prefix=case.prefix).bound
        gradients = torch.autograd.grad(
            found.sum(), list(model.parameters()), materialize_grads=True
        )
        return found, gradients

    assert_same(*in_both(bound))


def record_compiled_calls(monkeypatch: pytest.MonkeyPatch, op: Any) -> list[set[str]]:
    """Return a list that gets the names of the tensors at every compiled call of a module."""
    calls: list[set[str]] = []
    call = op._call

    def recorded(name: str, tensors: dict[str, Tensor], *rest: Any) -> None:
        calls.append(set(tensors))
        call(name, tensors, *rest)

    monkeypatch.setattr(op, "_call", recorded)
    return calls
