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


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("proposal", ["posterior", "prior"])
@pytest.mark.parametrize("name", NAMES)
def test_equals_the_plain_loop(name, proposal, samples):
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], samples=samples, gaps=False)
    embedded = embed(model, case.batch, case.prefix)
    assert fits(model, case.batch)
    results = []
    for kernel in (unroll_apart, unroll):
        found = kernel(model, case.batch, case.noise, proposal=proposal, embedded=embedded)
        value = elbo(model, found).bound.sum() + found.log_weight.square().sum()
        gradients = torch.autograd.grad(value, list(model.parameters()), allow_unused=True, retain_graph=True)
        compared = [t for field in found._fields[:-1] for t in tensors(getattr(found, field))]
        results.append(compared + [g for g in gradients if g is not None])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b.expand(a.shape), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["storn", "rnn", "seq2seq-same", "rollout-forecasting-step"])
def test_batches_with_gaps_take_the_loop(name):
    assert name in NAMES
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], gaps=True)
    assert not fits(model, case.batch)
    embedded = embed(model, case.batch, case.prefix)
    for a, b in zip(
        tensors(kernels.unroll(model, case.batch, case.noise, embedded=embedded)),
        tensors(unroll(model, case.batch, case.noise, embedded=embedded)),
        strict=True,
    ):
        assert torch.equal(a, b)
