"""The registry of fast paths: found by the class itself, and switched off by the reference backend."""

import pytest
import torch
from tests.helpers.fast_paths import WITHOUT_A_PLAN
from tests.models.settings import CONFIGS, build

import vrnn.fastpath  # noqa: F401, fills the registry
from vrnn.data.batch import Batch
from vrnn.distributions.tree import tensors_of
from vrnn.inference.embed import embed
from vrnn.inference.noise import draw_noise
from vrnn.inference.particle_filter import particle_filter
from vrnn.inference.plans import PLANS, Plan, plan_of
from vrnn.inference.random_numbers import seeded
from vrnn.inference.rollout import rollout
from vrnn.inference.unroll import run_loop, unroll
from vrnn.models.causal import CausalCoordinates
from vrnn.models.position import PositionConditioned
from vrnn.models.registry import REGISTRY
from vrnn.models.rnn import RNN, RNNConfig
from vrnn.ops.backend import backend


def test_every_architecture_has_a_plan_or_runs_by_the_loop():
    planned = {a.model for name, a in REGISTRY.items() if name not in WITHOUT_A_PLAN}
    assert planned | {CausalCoordinates, PositionConditioned} == set(PLANS)
    assert set(WITHOUT_A_PLAN) <= set(REGISTRY)


def test_a_plan_is_of_the_class_and_not_of_those_derived_from_it():
    """Whoever overrides a method of a model must get what the method says."""

    class Mine(RNN):
        pass

    assert plan_of(RNN(RNNConfig(2))) is PLANS[RNN] and plan_of(Mine(RNNConfig(2))) is None


def test_the_reference_has_no_plan():
    model = RNN(RNNConfig(2))
    with backend("reference"):
        assert plan_of(model) is None
    assert plan_of(model) is PLANS[RNN]


def with_a_gap(count: int = 3, time: int = 12) -> Batch:
    """Return sequences that are complete for four steps, miss two, and are complete again."""
    x = torch.randn(count, time, 2, generator=seeded(1)).double()
    x[0, 4:6] = torch.nan
    return Batch.of(x, length=torch.tensor([12, 9, 12]), is_increment=torch.tensor([True, False]))


@pytest.mark.parametrize("gap", [True, False])
@torch.no_grad()
def test_what_a_plan_declines_is_done_by_the_loop(monkeypatch, gap):
    """Each function may return None, and all but the scan may be absent."""
    model = build(CONFIGS["vrnn"])
    batch = with_a_gap()
    batch = batch if gap else batch.sequences(slice(1, 3))
    noise = draw_noise(model, 2, len(batch.x), 12, seeded(0), resampling=True)
    expected, asked = unroll(model, batch, noise), []

    def declines(name: str):
        return lambda *args, **more: asked.append(name)

    for plan in (
        Plan(declines("scan")),
        Plan(declines("scan"), declines("embed"), declines("rollout"), declines("stepper")),
    ):
        monkeypatch.setitem(PLANS, type(model), plan)
        found = unroll(model, batch, noise)
        torch.testing.assert_close(found.log_weight, expected.log_weight, rtol=1e-9, atol=1e-10)
        assert rollout(model, found.belief, batch.u, noise).x.shape == noise.observation.shape
        assert particle_filter(model, batch, noise).x.shape == noise.observation.shape
    assert set(asked) == {"scan", "embed", "rollout", "stepper"}


@pytest.mark.parametrize("gap", [True, False])
@torch.no_grad()
def test_a_plan_gets_complete_segments_and_the_loop_the_rest(monkeypatch, gap):
    """The traces of the pieces, joined, are that of the whole loop."""
    model = build(CONFIGS["srnn"])
    batch = with_a_gap()
    batch = batch if gap else batch.sequences(slice(1, 3))
    noise = draw_noise(model, 2, len(batch.x), 12, seeded(0))
    seen: list[tuple[int, bool]] = []

    def scan(model, batch, noise, embedded, start, proposal, *, heads: bool):
        assert bool((batch.present | ~batch.in_sequence[..., None]).all())
        seen.append((batch.x.shape[1], heads))
        return run_loop(model, batch, noise, embedded, start, proposal)

    monkeypatch.setitem(PLANS, type(model), Plan(scan))
    embedded = embed(model, batch)
    found = unroll(model, batch, noise, embedded=embedded)
    assert seen == ([(4, False), (5, False)] if gap else [(12, True)])
    with backend("reference"):
        expected = unroll(model, batch, noise, embedded=embedded)
    for a, b in zip(tensors_of(found), tensors_of(expected), strict=True):
        torch.testing.assert_close(a.expand(b.shape), b.expand(b.shape), rtol=1e-12, atol=1e-12)
