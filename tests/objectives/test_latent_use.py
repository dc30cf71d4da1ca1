"""The use of latents against finite sums on a discrete chain, and against closed forms."""

import math
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
import scipy.stats
import torch
from tests.helpers.enumeration import VALUES, Chain
from tests.models.settings import CONFIGS, build, each, make_case, run
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian, Gaussian, OneHot, Product
from vrnn.distributions.tree import tree_map
from vrnn.inference.embed import embed
from vrnn.inference.flat import at_all
from vrnn.inference.random_numbers import seeded
from vrnn.inference.traits import global_units, has_posterior
from vrnn.inference.unroll import unroll_with_states
from vrnn.models.contract import GlobalLatentModel, Model
from vrnn.objectives.latent_use import (
    LatentUse,
    measure_use,
    use_part,
)
from vrnn.objectives.mutual_information import MIXED

WITH_LATENTS = [
    name
    for name in CONFIGS
    if (model := build(CONFIGS[name])).latent.dim or isinstance(model, GlobalLatentModel)
]


def entropy(p: np.ndarray) -> np.ndarray:
    return -np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0).sum(-1)


class Enumerated(NamedTuple):
    """What the latents of a chain are used for, by sums over all of their paths."""

    nats: float
    shares: np.ndarray
    information: float
    loss: float


def enumerate_use(model: Chain, sequences: np.ndarray) -> Enumerated:
    """Return the use of latents over sequences (batch, time), from the chain's two tables alone."""
    up = scipy.stats.norm.cdf(model.moves.detach().numpy())
    raw = model.emits.detach().numpy()
    raw = np.exp(np.concatenate([np.zeros_like(raw), raw], -1) if raw.shape[-1] == 1 else raw)
    emits = raw / raw.sum(-1, keepdims=True)
    weights, kls, losses, posteriors = [], [], [], []
    for x in sequences:
        for s in product(range(2), repeat=len(x)):
            weight, before_s, before_x = 1.0, 0, 0
            for s_t, x_t in zip(s, x, strict=True):
                p = np.array([1 - up[before_s, before_x], up[before_s, before_x]])
                seen = emits[:, before_x, x_t]
                q = p * seen / (p * seen).sum()
                weights.append(weight)
                kls.append((q * np.log(q / p)).sum())
                losses.append(((q - p) * np.log(seen)).sum())
                posteriors.append(q)
                weight, before_s, before_x = weight * q[s_t], s_t, x_t
    time = sequences.shape[1]
    # A path of states up to t is listed once for each way to go on: 2^(time - t) times.
    again = np.tile([2.0 ** -(time - t) for t in range(time)], len(kls) // time)
    w = np.array(weights) * again
    w = w / w.sum()
    q = np.array(posteriors)
    return Enumerated(
        w @ np.array(kls), w @ q, entropy(w @ q) - w @ entropy(q), w @ np.array(losses)
    )


def use_of(model: Model, x: Tensor, samples: int = 1, **more) -> LatentUse:
    batch = Batch.of(x, factorises=True)
    case = (None, batch, seeded(0))
    found = measure_use(model, [case], rows=x[..., 0].numel(), sequences=len(x), samples=samples)
    assert found is not None
    return found


@pytest.mark.parametrize("emission", VALUES)
def test_one_step_of_a_chain_is_a_finite_sum(emission):
    """All four numbers are exact: nothing is drawn before the step, and categories are summed."""
    for seed in range(3):
        model = Chain(emission, "categorical", seed)
        x = np.array([[0], [0], [0], [1], [1], [VALUES[emission] - 1]])
        found, exact = (
            use_of(model, torch.from_numpy(x)[..., None].double()),
            enumerate_use(model, x),
        )
        assert found.nats == pytest.approx(exact.nats, abs=1e-9)
        assert found.nats_per_unit == [found.nats] and found.units == ["categories0"]
        np.testing.assert_allclose(found.shares, exact.shares, atol=1e-9)
        assert found.information == pytest.approx(exact.information, abs=1e-9)
        assert found.loss == pytest.approx(exact.loss, abs=1e-9)
        assert found.information_limit == pytest.approx(math.log(2)) and found.has_posterior


def test_steps_that_do_not_go_together_give_the_same_loss(monkeypatch):
    model, x = Chain("bernoulli", "categorical", 1), torch.ones(3, 4, 1).double()
    whole = use_of(model, x, samples=2)
    monkeypatch.setattr("vrnn.objectives.latent_use.EMISSIONS", 20)
    assert use_of(model, x, samples=2).loss == pytest.approx(whole.loss, rel=1e-12)


@pytest.mark.parametrize("emission", VALUES)
def test_a_chain_is_a_sum_over_the_paths_that_its_posterior_draws(emission):
    """One latent is swapped at a time: what came before was drawn from the posterior."""
    model = Chain(emission, "categorical", 2)
    x = np.array([[0, 1, 1], [1, 0, VALUES[emission] - 1]])
    found = use_of(model, torch.from_numpy(x)[..., None].double(), samples=20_000)
    exact = enumerate_use(model, x)
    assert exact.information > 0.02 and exact.loss > 1.5 * exact.nats > 0.05
    assert found.nats == pytest.approx(exact.nats, rel=0.02)
    np.testing.assert_allclose(found.shares, exact.shares, atol=0.01)
    assert found.information == pytest.approx(exact.information, abs=0.01)
    assert found.loss == pytest.approx(exact.loss, rel=0.02)


class LineState(NamedTuple):
    """A latent, and inputs of width 0."""

    z: Tensor
    u: Tensor


class Line(Model):
    """x_t = a z_t + s e_t with z_t, e_t ~ N(0, 1), and its exact posterior.

    q(z | x) = N(a x / (a^2 + s^2), s^2 / (a^2 + s^2))
    """

    def __init__(self, a: float, s: float):
        super().__init__()
        self.observation = self.latent = Gaussian(1)
        self.a, self.s = nn.Parameter(torch.tensor(a).double()), s

    def embed_evidence(self, batch: Batch, inputs: Tensor) -> Tensor:
        return batch.x

    def initial_state(self) -> LineState:
        return LineState(self.a.new_zeros(1), self.a.new_zeros(0))

    def posterior(self, state: LineState, evidence: Tensor) -> DiagonalGaussian:
        total = self.a**2 + self.s**2
        mean = self.a * evidence / total
        return DiagonalGaussian(mean, self.s / total.sqrt() * torch.ones_like(mean))

    def emission(self, state: LineState) -> DiagonalGaussian:
        return DiagonalGaussian(self.a * state.z, torch.full_like(state.z, self.s))


class GlobalLine(GlobalLatentModel):
    """x_t = a z_0 + s e_t, one latent for all T time steps, and its exact posterior.

    q(z_0 | x) = N(a sum_t x_t / (s^2 + T a^2), s^2 / (s^2 + T a^2))
    """

    def __init__(self, a: float, s: float):
        super().__init__()
        self.observation = self.global_latent = Gaussian(1)
        self.a, self.s = nn.Parameter(torch.tensor(a).double()), s

    def initial_state(self) -> LineState:
        return LineState(self.a.new_zeros(1), self.a.new_zeros(0))

    def encode(self, batch: Batch, inputs: Tensor) -> DiagonalGaussian:
        total = self.s**2 + batch.x.shape[1] * self.a**2
        mean = self.a * batch.x.sum(1) / total
        return DiagonalGaussian(mean, self.s / total.sqrt() * torch.ones_like(mean))

    def embed_evidence(self, batch: Batch, inputs: Tensor) -> Tensor:
        return batch.x

    def global_posterior(self, context: Tensor, evidence: Tensor) -> DiagonalGaussian:
        return self.encode(Batch.of(evidence), evidence)

    def with_global(self, state: LineState, z: Tensor, context: Tensor) -> LineState:
        return state._replace(z=z)

    def emission(self, state: LineState) -> DiagonalGaussian:
        return DiagonalGaussian(self.a * state.z, torch.full_like(state.z, self.s))


class Two(Line):
    """A line in the first column, and one of two equally likely levels in the second.

    x_t = (a g_t, c k_t) + s e_t with g_t ~ N(0, 1) and k_t 0 or 1. q(g | x) is that of the line.
    """

    def __init__(self, a: float, s: float, c: float):
        super().__init__(a, s)
        self.observation, self.c = Gaussian(2), c
        self.latent = Product((Gaussian(1), OneHot(2)))

    def initial_state(self) -> LineState:
        return LineState(self.a.new_zeros(3), self.a.new_zeros(0))

    def posterior(self, state: LineState, evidence: Tensor) -> DiagonalGaussian:
        return super().posterior(state, evidence[..., :1])

    def emission(self, state: LineState) -> DiagonalGaussian:
        mean = torch.cat([self.a * state.z[..., :1], self.c * state.z[..., 2:]], -1)
        return DiagonalGaussian(mean, torch.full_like(mean, self.s))


def test_a_product_has_the_numbers_of_its_parts():
    """The prior costs a^2/s^2 and Var(c k)/s^2; I of the levels is an integral."""
    a, s, c, generator = 1.2, 0.8, 2.0, seeded(1)
    g, e = (torch.randn(1500, 4, n, generator=generator).double() for n in (1, 2))
    k = (torch.rand(1500, 4, 1, generator=generator) < 0.5).double()
    found = use_of(Two(a, s, c), torch.cat([a * g, c * k], -1) + s * e)
    x = np.linspace(-8, 10, 20_001)
    seen = scipy.stats.norm.pdf(x, np.array([[0.0], [c]]), s)
    level = 0.5 * (seen * np.log(seen / seen.mean(0))).sum(0).sum() * (x[1] - x[0])
    line = 0.5 * math.log(1 + a**2 / s**2)
    assert found.units == ["gaussian0", "categories0"]
    assert found.nats_per_unit == pytest.approx([line, level], abs=0.03)
    assert found.information == pytest.approx(line + level, abs=0.06)
    assert found.loss == pytest.approx(a**2 / s**2 + (c / 2) ** 2 / s**2, rel=0.06)
    assert found.shares == pytest.approx([0.5, 0.5], abs=0.03)


@pytest.mark.parametrize("a", [0.3, 1.0, -3.0])
def test_a_line_has_the_numbers_of_its_closed_form(a):
    """I = log(1 + a^2/s^2) / 2, which KL(q || p) is too; the prior costs a^2/s^2."""
    s, x = 0.8, torch.randn(1000, 4, 2, generator=seeded(1)).double()
    x = a * x[..., :1] + s * x[..., 1:]
    found, exact = use_of(Line(a, s), x), 0.5 * math.log(1 + a**2 / s**2)
    assert found.nats == pytest.approx(exact, abs=0.03)
    assert found.information == pytest.approx(exact, abs=0.06)
    assert found.information < found.information_limit <= math.log(MIXED)
    assert found.loss == pytest.approx(a**2 / s**2, rel=0.1)
    assert found.units == ["gaussian0"] and not found.categories and not found.idle


@pytest.mark.parametrize("time", [1, 3])
def test_a_global_latent_counts_once_a_sequence(time):
    """Its nats and its information are shared by T time steps; each of them loses a^2/s^2."""
    a, s, generator = 1.5, 0.8, seeded(1)
    z, e = (torch.randn(3000, t, 1, generator=generator).double() for t in (1, time))
    found, exact = use_of(GlobalLine(a, s), a * z + s * e), 0.5 * math.log(1 + time * a**2 / s**2)
    assert found.nats == pytest.approx(exact / time, abs=0.03)
    assert found.information == pytest.approx(exact / time, abs=0.06)
    assert found.loss == pytest.approx(a**2 / s**2, rel=0.1)
    assert found.units == ["global_gaussian0"]


def test_latents_that_the_emission_does_not_read_are_idle():
    x = torch.randn(50, 6, 1, generator=seeded(1)).double()
    for model in (Line(0.0, 1.0), GlobalLine(0.0, 1.0)):
        found = use_of(model, x)
        assert found.nats == pytest.approx(0, abs=1e-9) and found.loss == 0
        assert found.information == pytest.approx(0, abs=1e-9) and found.idle
    chain = Chain("categorical(3)", "categorical")
    chain.emits.data[:] = chain.emits.data[:1]
    found = use_of(chain, torch.tensor([[0.0, 1.0, 2.0]]).double()[..., None], samples=4)
    assert found.nats == pytest.approx(0, abs=1e-9) and found.idle
    assert found.loss == pytest.approx(0, abs=1e-9)


def test_categories_in_use_have_a_hundredth_of_the_probability():
    use = LatentUse(["categories0"], [0.5], [0.97, 0.01, 0.0099, 0.0101], True)
    assert use.categories_used == 3 and use.categories == 4 and not use.idle
    assert use._replace(nats_per_unit=[0.009]).idle
    assert not use._replace(nats_per_unit=[0.009], loss=0.02).idle
    assert not use._replace(nats_per_unit=[0.0], has_posterior=False).idle


@pytest.mark.parametrize("name", each(WITH_LATENTS))
@torch.no_grad()
def test_every_model_has_a_report(name):
    config, model = CONFIGS[name], build(CONFIGS[name])
    case = make_case(model, config)
    found = measure_use(
        model, [(case.prefix, case.batch, seeded(0))], rows=36, sequences=4, samples=8
    )
    assert found is not None
    assert len(found.units) == len(found.nats_per_unit) == model.latent.units + global_units(model)
    groups = sum("categories" in unit for unit in found.units)
    assert sum(found.shares) == pytest.approx(groups) and len(found.shares) == 3 * groups
    assert all(value >= 0 for value in found.nats_per_unit) and math.isfinite(found.loss)
    assert -0.1 < found.information <= found.information_limit + 1e-9
    own = has_posterior(model, case.batch.u.shape[-1])
    assert found.has_posterior == own
    assert own or (found.nats == 0 and found.loss == 0 and not found.idle)
    assert not own or found.loss != 0
    if run(model, case).lists and model.latent.rest.dim == 0:
        assert found.loss > found.nats > 0  # KL(q || p) + KL(p || q), as the posterior is exact


@pytest.mark.parametrize("name", each(n for n in WITH_LATENTS if build(CONFIGS[n]).latent.dim))
@torch.no_grad()
def test_the_states_before_latents_take_another_latent(name):
    """With the latent of the pass itself the emission is that of the pass."""
    model, config = build(CONFIGS[name]), CONFIGS[name]
    case = make_case(model, config)
    embedded = embed(model, case.batch, case.prefix)
    passed, entering = unroll_with_states(model, case.batch, case.noise, embedded=embedded)
    lead = tuple(passed.latent.shape[:3])
    moved = at_all(model.with_latent, entering, passed.latent, lead=lead)
    again = at_all(model.emission, moved, lead=lead)
    mask = case.batch.mask
    for one, two in zip(*(tree_leaves(e, mask) for e in (again, passed.emission)), strict=True):
        torch.testing.assert_close(one, two)


def tree_leaves(tree, mask: Tensor) -> list[Tensor]:
    found: list[Tensor] = []
    tree_map(lambda t: found.append(t[:, mask]) or t, tree)
    return found


@torch.no_grad()
def test_only_scored_time_steps_count():
    model = Chain("bernoulli", "categorical", 1)
    x = torch.tensor([[0.0, 1, 1, 0], [1, torch.nan, 0, 1]]).double()[..., None]
    batch = Batch.of(x, length=torch.tensor([4, 3]), factorises=True)
    part = use_part(model, batch, seeded(0), samples=3, first_scored=1)
    assert part.sums.rows.tolist() == [3, 1]
    assert len(part.steps.listed) == 3 * 4 and len(part.once.listed) == 3 * 2
    torch.testing.assert_close(part.sums.shares.sum(-1), part.sums.rows)
    alone = use_part(model, Batch.of(x[:1, :1]), seeded(0))
    assert alone.loss.item() > 0
    none = use_part(model, Batch.of(x[:1, :1]), seeded(0), first_scored=1)
    assert none.loss.item() == 0 and none.sums.nats.sum() == 0 and not len(none.steps.listed)
    few = use_part(model, batch, seeded(0), samples=500, kept=(0.1, 0.0))
    assert 200 < len(few.steps.listed) < 400 and not len(few.once.listed)
