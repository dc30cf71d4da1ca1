"""Free generation: noise as the emission has it, the prefix before it, temperatures, and many samples."""

import math

import pytest
import torch
from tests.models.settings import CONFIGS, TIME, build, each, make_case, run

from vrnn.data.batch import Batch
from vrnn.distributions.tree import tensors_of
from vrnn.errors import ConfigError, UnsupportedError
from vrnn.inference.noise import draw_noise, no_noise
from vrnn.inference.random_numbers import seeded
from vrnn.inference.rollout import condition, fan_out, rollout
from vrnn.inference.traits import reads_prefix
from vrnn.ops.backend import backend

ALL = pytest.mark.parametrize("name", each(CONFIGS))
UNCONDITIONAL = pytest.mark.parametrize(
    "name", each([n for n in CONFIGS if "forecasting" not in n])
)


def made(name: str, **more):
    model = build(CONFIGS[name])
    return model, make_case(model, CONFIGS[name], **more)


def start(model, case, noise=None):
    """Return the belief that free generation of a case begins from."""
    prefix = case.batch.split(0)[0] if case.prefix is None else case.prefix
    return condition(model, prefix, case.noise if noise is None else noise)


@ALL
@torch.no_grad()
def test_fast_rollout_is_the_plain_one(name):
    model, case = made(name)
    belief = start(model, case)
    found = rollout(model, belief, case.batch.u, case.noise, keep=True)
    with backend("reference"):
        expected = rollout(model, belief, case.batch.u, case.noise, keep=True)
    torch.testing.assert_close(found.x, expected.x, rtol=1e-9, atol=1e-10)
    assert rollout(model, belief, case.batch.u, case.noise).emissions is None
    for t, (a, b) in enumerate(zip(found.emissions, expected.emissions, strict=True)):
        torch.testing.assert_close(a.mean.expand_as(b.mean), b.mean, rtol=1e-9, atol=1e-10)
        drawn = b.sample(case.noise.observation[:, :, t])
        torch.testing.assert_close(found.x[:, :, t], drawn, rtol=1e-9, atol=1e-10)


@ALL
@torch.no_grad()
def test_generation_is_a_pass_over_missing_points(name):
    model, case = made(name)
    whole = torch.full((4,), TIME)
    missing = torch.zeros_like(case.batch.present)
    case = case._replace(batch=case.batch._replace(present=missing, length=whole))
    drawn = rollout(model, start(model, case), case.batch.u, case.noise)
    for proposal in ("posterior", "prior"):
        torch.testing.assert_close(run(model, case, proposal).x, drawn.x)


@ALL
@pytest.mark.parametrize("cut", [1, 4])
@torch.no_grad()
def test_generation_may_stop_and_go_on(name, cut):
    """The first piece is replayed as observed points; the second goes on from there."""
    model, case = made(name, gaps=False)
    whole = rollout(model, start(model, case), case.batch.u, case.noise).x
    for i in range(2):  # each sample is a batch of its own
        one = case.noise._replace(**{n: t[i : i + 1] for n, t in case.noise._asdict().items()})
        past = case.batch._replace(
            x=whole[i], present=torch.ones_like(case.batch.present), length=torch.full((4,), TIME)
        )
        piece = case._replace(batch=past.split(cut)[0], noise=one.steps(slice(cut)))
        belief = run(model, piece, "prior").belief
        rest = rollout(model, belief, case.batch.u[:, cut:], one.steps(slice(cut, None)))
        torch.testing.assert_close(rest.x[0], whole[i, :, cut:])


@UNCONDITIONAL
@torch.no_grad()
def test_condition_filters_a_prefix(name):
    model, case = made(name)
    prefix = case.batch.split(5)[0]
    noise = case.noise.steps(slice(5))
    expected = run(model, case._replace(batch=prefix, noise=noise)).belief
    found = condition(model, prefix, noise)
    for a, b in zip(tensors_of(found), tensors_of(expected), strict=True):
        torch.testing.assert_close(a.expand(b.shape), b)


@torch.no_grad()
def test_a_prefix_read_at_once_leaves_nothing_pending():
    name = "rollout-forecasting-carried"
    model, case = made(name)
    assert reads_prefix(model)
    belief = start(model, case)
    assert belief.pending.shape == (2, 4, 2) and not belief.pending.any()
    other = case.prefix._replace(x=case.prefix.x + 1.0)
    moved = condition(model, other, case.noise)
    assert not torch.allclose(belief.state.h, moved.state.h)


@torch.no_grad()
def test_samples_fan_out_over_particles():
    """Sample i is particle i modulo their number, and all are equally likely."""
    model, case = made("vrnn", samples=3)
    belief = start(model, case)
    belief = belief._replace(log_weight=torch.log_softmax(torch.arange(12.0).view(3, 4), 0))
    wide = fan_out(belief, 7)
    for part, own in zip(tensors_of(wide.state), tensors_of(belief.state), strict=True):
        assert torch.equal(part, own.expand(3, *own.shape[1:])[torch.arange(7) % 3])
    torch.testing.assert_close(wide.log_weight, torch.full((7, 4), -math.log(7)))
    assert fan_out(belief, 3) is belief
    fewer = fan_out(belief, 2)
    assert fewer.pending.shape == (2, 4, 2)
    assert fewer.log_weight.exp().sum(0).allclose(torch.ones(4))


@torch.no_grad()
def test_draws_have_the_noise_of_the_emission():
    """Forecasts that hand out the means of decoders as samples are too narrow."""
    model = build(CONFIGS["rnn"])
    noise = draw_noise(model, 20000, 1, 1, seeded(0))
    empty = Batch.of(torch.zeros(1, 0, 2).double())
    drawn = rollout(model, condition(model, empty, noise), torch.zeros(1, 1, 0).double(), noise).x
    initial = type(model.initial_state())(*(t[None] for t in model.initial_state()))
    exact = model.emission(initial)
    torch.testing.assert_close(drawn[:, 0, 0].std(0), exact.scale[0], rtol=0.03, atol=0)
    centre = drawn[:, 0, 0].mean(0)
    assert bool(((centre - exact.mean[0]).abs() < 4 * exact.scale[0] / 20000**0.5).all())


@pytest.mark.parametrize("name", ["vrnn", "rnn", "srnn", "seq2seq-next-lstm-u"])
@torch.no_grad()
def test_temperature_is_a_factor_on_distances_from_means(name):
    """At a first step: of the latent, and then of the observation given it."""
    model, case = made(name)
    belief, noise, u = start(model, case), case.noise.steps(slice(1)), case.batch.u[:, :1]
    still = no_noise(model, 4, 1)
    for chosen in ("auto", "reference"):
        with backend(chosen):
            found = rollout(model, belief, u, noise, temperature=0.3).x
            scaled = noise._replace(latent=0.3 * noise.latent, observation=0.3 * noise.observation)
            torch.testing.assert_close(found, rollout(model, belief, u, scaled).x)
            cold = rollout(model, belief, u, noise, temperature=1e-12).x
            one = belief.map(lambda t: t[:1])
            torch.testing.assert_close(cold[:1], rollout(model, one, u, still).x)


def test_a_temperature_without_a_meaning_is_refused():
    model, case = made("vrnn-pen")
    belief = start(model, case)
    with pytest.raises(UnsupportedError, match="leave temperature 1"):
        rollout(model, belief, case.batch.u, case.noise, temperature=0.5)
    with pytest.raises(ConfigError, match="expected a number above 0"):
        rollout(model, belief, case.batch.u, case.noise, temperature=0.0)


def test_gradients_reach_the_prefix_and_every_layer_that_draws():
    model, case = made("vrnn", gaps=False)
    belief = condition(model, case.batch.split(4)[0], case.noise.steps(slice(4)))
    drawn = rollout(model, belief, case.batch.u[:, 4:], case.noise.steps(slice(4, None))).x
    drawn.square().sum().backward()
    names = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert not names
