"""Features before the loop: of steps alone, of prefixes, online, and by the fast path."""

import pytest
import torch
from tests.models.settings import CONFIGS, build, each, make_case

from vrnn.data.batch import Batch
from vrnn.errors import ConfigError
from vrnn.inference.embed import embed, embed_online, embed_prefix, single_steps
from vrnn.inference.random_numbers import seeded
from vrnn.inference.traits import looks_ahead, reads_prefix
from vrnn.ops.backend import backend

ALL = pytest.mark.parametrize("name", each(CONFIGS))


def made(name: str, **more):
    model = build(CONFIGS[name])
    return model, make_case(model, CONFIGS[name], **more)


def assert_same(found, expected) -> None:
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11)


@ALL
@torch.no_grad()
def test_fast_features_are_the_plain_ones(name):
    model, case = made(name)
    with backend("reference"):
        expected = embed(model, case.batch, case.prefix)
    assert_same(embed(model, case.batch, case.prefix), expected)


@ALL
@torch.no_grad()
def test_features_of_some_steps(name):
    """Features of inputs and observations are of each step alone; a part keeps the context."""
    model, case = made(name)
    whole = embed(model, case.batch, case.prefix)
    part = embed(model, case.batch.time_steps(2, 6), case.prefix)
    cut = whole.steps(slice(2, 6))
    assert_same((part.inputs, part.features, part.context), (cut.inputs, cut.features, cut.context))
    assert_same(whole.after(2).steps(slice(0, 4)), cut)


@ALL
@torch.no_grad()
def test_online_features_read_no_later_step(name):
    """With everything after a step changed, the features of the step are the same."""
    model, case = made(name)
    found = embed_online(model, case.batch, case.prefix)
    changed = case.batch._replace(x=case.batch.x.clone(), present=case.batch.present.clone())
    changed.x[:, 5:] = torch.where(changed.present[:, 5:], 1.0 - changed.x[:, 5:], 0.0)
    changed.present[0, 7:] = False
    other = embed_online(model, changed, case.prefix)
    assert_same(other.steps(slice(5)), found.steps(slice(5)))
    whole = embed(model, case.batch, case.prefix)
    assert_same((found.inputs, found.features), (whole.inputs, whole.features))
    if not looks_ahead(model, case.batch.u.shape[-1]):
        assert_same(found, whole)


@torch.no_grad()
def test_online_evidence_is_that_of_sequences_of_length_one():
    model, case = made("srnn-lstm-u")
    found = embed_online(model, case.batch).evidence
    for i in range(4):
        for t in range(int(case.batch.length[i])):
            one = case.batch.sequences(slice(i, i + 1)).time_steps(t, t + 1)
            torch.testing.assert_close(found[i, t], embed(model, one).evidence[0, 0])


def test_single_steps_keep_what_belongs_to_a_sequence():
    """The log-Jacobian of a sequence goes with each of its steps."""
    x = torch.randn(3, 4, 2, generator=seeded(0))
    jacobian = torch.randn(3, 2, generator=seeded(1))
    batch = Batch.of(x, length=torch.tensor([4, 2, 3]), log_jacobian=jacobian)
    found = single_steps(batch)
    assert found.x.shape == (12, 1, 2) and found.length.tolist() == [1] * 12
    assert torch.equal(found.x.view(3, 4, 2), batch.x)
    assert torch.equal(found.log_jacobian.view(3, 4, 2), jacobian[:, None].expand(3, 4, 2))


@ALL
def test_only_models_that_read_a_prefix_have_a_context(name):
    model, case = made(name)
    assert (embed(model, case.batch, case.prefix).context.shape[-1] > 0) is reads_prefix(model)
    if reads_prefix(model):
        with pytest.raises(ConfigError, match="expected the prefix beside the batch, found none"):
            embed(model, case.batch)
    else:
        assert embed_prefix(model, case.batch).shape == (4, 0)
