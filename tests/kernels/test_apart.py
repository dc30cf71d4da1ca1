"""The kernel without a loop against the plain loop: values and all gradients."""

import pytest
import torch
from tests.models.settings import CONFIGS, build, make_case, tensors

from vrnn import kernels
from vrnn.inference.step import embed
from vrnn.inference.unroll import unroll
from vrnn.kernels.apart import fits, unroll_apart
from vrnn.objectives.elbo import elbo

NAMES = [name for name in CONFIGS if build(CONFIGS[name]).apart]
CHAINED = [name for name in CONFIGS if build(CONFIGS[name]).chained]


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize(
    ("name", "proposal"),
    [*((n, p) for n in NAMES for p in ("posterior", "prior")), *((n, "posterior") for n in CHAINED)],
)
def test_equals_the_plain_loop(name, proposal, samples):
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], samples=samples, gaps=False)
    embedded = embed(model, case.batch, case.prefix)
    assert fits(model, case.batch, proposal)
    results = []
    for kernel in (unroll_apart, unroll):
        found = kernel(model, case.batch, case.noise, proposal=proposal, embedded=embedded)
        value = elbo(model, found).bound.sum() + found.log_weight.square().sum()
        gradients = torch.autograd.grad(value, list(model.parameters()), allow_unused=True, retain_graph=True)
        compared = [t for field in found._fields[:-1] for t in tensors(getattr(found, field))]
        results.append(compared + [g for g in gradients if g is not None])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b.expand(a.shape), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["storn", "rnn", "seq2seq-same", "rollout-forecasting-step", "srnn", "dmm"])
def test_batches_with_gaps_take_the_loop(name):
    assert name in [*NAMES, *CHAINED]
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], gaps=True)
    assert not fits(model, case.batch, "posterior")
    embedded = embed(model, case.batch, case.prefix)
    for a, b in zip(
        tensors(kernels.unroll(model, case.batch, case.noise, embedded=embedded)),
        tensors(unroll(model, case.batch, case.noise, embedded=embedded)),
        strict=True,
    ):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", sorted(name for name in CONFIGS if hasattr(build(CONFIGS[name]), "reader")))
def test_what_reads_whole_sequences_equals_its_plain_form(name):
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], gaps=True)
    results = []
    for kernel in ("plain", "auto"):
        embedded = kernels.embed(model, case.batch, case.prefix, kernel=kernel)
        gradients = torch.autograd.grad(
            sum(part.square().sum() for part in embedded), list(model.parameters()), allow_unused=True
        )
        results.append([*embedded, *(g for g in gradients if g is not None)])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_chains_are_those_of_the_smoothing_models():
    assert {name for name in CONFIGS if build(CONFIGS[name]).chained} >= {"dmm", "srnn"}
    assert not build(CONFIGS["vrnn"]).chained
