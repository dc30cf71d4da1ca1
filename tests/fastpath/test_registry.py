"""Plans that are registered: for a new class of models, and for none derived from it."""

from typing import NamedTuple

import pytest
import torch
from tests.helpers.fast_paths import (
    CONFIGS,
    WITHOUT_A_PLAN,
    make_case,
    run,
)
from tests.models.settings import build
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian, Gaussian, positive
from vrnn.inference.noise import draw_noise
from vrnn.inference.plans import PLANS, Plan, plan_of
from vrnn.inference.random_numbers import seeded
from vrnn.inference.rollout import Rollout, rollout
from vrnn.inference.step import start_belief
from vrnn.inference.unroll import run_loop, unroll
from vrnn.models.contract import Model, join
from vrnn.models.registry import REGISTRY, make_model, name_of
from vrnn.models.vrnn import VRNN, VRNNConfig
from vrnn.ops import backend


class ToyState(NamedTuple):
    """The state of a toy: the last observation and the latent."""

    x: Tensor
    z: Tensor
    u: Tensor


class Toy(Model):
    """x_t ~ N(A (x_{t-1}, z_t, u_t) + b, s), z_t standard normal a priori, q from x_t alone."""

    def __init__(self):
        super().__init__()
        self.observation, self.latent = Gaussian(2), Gaussian(1)
        self.layer, self.reader = nn.Linear(3, 4), nn.Linear(4, 2)

    def initial_state(self) -> ToyState:
        zeros = self.layer.weight.new_zeros
        return ToyState(zeros(2), zeros(1), zeros(0))

    def posterior(self, state: ToyState, evidence: Tensor) -> DiagonalGaussian:
        mean, raw = self.reader(evidence).chunk(2, -1)
        return DiagonalGaussian(mean, positive(raw))

    def emission(self, state: ToyState) -> DiagonalGaussian:
        return self.observation(self.layer(join(state.x, state.z)))

    def with_observation(self, state: ToyState, features: Tensor) -> ToyState:
        return state._replace(x=features)


class Child(Toy):
    """A subclass, which may compute something else."""


def toy_case(kind=Toy):
    torch.manual_seed(0)
    model = kind().double()
    x = torch.randn(3, 6, 2, dtype=torch.float64)
    x[0, 4] = torch.nan
    return model, Batch.of(x), draw_noise(model, 2, 3, 6, seeded(0))


@pytest.fixture
def calls(monkeypatch):
    """Register a plan for the toy that runs the loop and records what it is called for."""
    calls = []

    def scan(model, batch, noise, embedded, start, proposal, *, heads):
        calls.append(("scan", batch.x.shape[1], proposal, heads))
        return run_loop(model, batch, noise, embedded, start, proposal)

    def toy_embed(model, batch):
        calls.append(("embed", batch.x.shape[1]))

    def toy_rollout(model, belief, u, noise, *, keep, temperature):
        calls.append(("rollout", u.shape[1], keep, temperature))
        return Rollout(noise.observation)

    monkeypatch.setitem(PLANS, Toy, Plan(scan, toy_embed, toy_rollout))
    return calls


@pytest.mark.parametrize("name", REGISTRY)
def test_a_plan_is_found_by_the_class_of_a_model(name):
    config = next(config for config in CONFIGS.values() if name_of(config) == name)
    model = make_model(config)
    assert plan_of(model) is (None if name in WITHOUT_A_PLAN else PLANS[type(model)])
    with backend("reference"):
        assert plan_of(model) is None


def test_a_new_model_runs_without_a_plan():
    model, batch, noise = toy_case()
    assert plan_of(model) is None
    assert unroll(model, batch, noise).log_prob.isfinite().all()


def test_a_plan_is_not_found_by_a_subclass(calls):
    assert plan_of(Toy()) is PLANS[Toy]
    assert plan_of(Child()) is None
    model, batch, noise = toy_case(Child)
    unroll(model, batch, noise)
    assert calls == []

    class Other(VRNN):
        """A VRNN that emits something else."""

    assert plan_of(Other(VRNNConfig(2, hidden=5))) is None


def test_a_plan_is_asked_for_its_segments(calls):
    model, batch, noise = toy_case()
    found = unroll(model, batch, noise, proposal="prior")
    assert calls == [("embed", 6), ("scan", 4, "prior", False)]
    with backend("reference"):
        expected = unroll(model, batch, noise, proposal="prior")
    assert len(calls) == 2
    torch.testing.assert_close(found.log_prob, expected.log_prob)
    torch.testing.assert_close(found.latent, expected.latent)


def test_heads_are_wanted_where_the_plan_takes_all_steps(calls):
    model, batch, noise = toy_case()
    unroll(model, batch.split(4)[0], noise.steps(slice(4)))
    assert calls[-1] == ("scan", 4, "posterior", True)


def test_a_rollout_is_the_plans(calls):
    model, batch, noise = toy_case()
    belief = start_belief(model, noise.global_latent, batch.x.new_zeros(3, 0), 2)
    found = rollout(model, belief, batch.u, noise, keep=True, temperature=0.5)
    assert calls == [("rollout", 6, True, 0.5)] and found.x is noise.observation


def test_every_model_is_in_the_table_that_the_plans_are_tested_with():
    assert {name_of(config) for config in CONFIGS.values()} == set(REGISTRY)
    model = build(CONFIGS["vrnn"])
    assert run(model, make_case(model, CONFIGS["vrnn"], "gaps")).log_prob.isfinite().all()
