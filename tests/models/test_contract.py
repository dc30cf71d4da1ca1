"""One suite over every model and every setting: what the contract promises, in float64."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.models.settings import (
    CONFIGS,
    TIME,
    Case,
    WrappedConfig,
    alone,
    build,
    each,
    make,
    make_case,
    run,
    tensors,
    unwrapped,
)

from vrnn.distributions import one_hot
from vrnn.distributions.tree import tree_map
from vrnn.inference.embed import embed
from vrnn.inference.noise import Noise, draw_noise
from vrnn.inference.random_numbers import seeded
from vrnn.inference.rollout import condition, rollout
from vrnn.inference.traits import looks_ahead
from vrnn.models.contract import GlobalLatentModel
from vrnn.models.registry import config_from_dict, config_to_dict, make_model
from vrnn.objectives.terms import elbo_terms
from vrnn.ops import backend

pytestmark = pytest.mark.parametrize("name", each(CONFIGS))
PROPOSALS = ("posterior", "prior")


def assert_close(found, expected, what: str = "") -> None:
    """Equal to rounding in float64, nested tuples compared tensor by tensor."""
    found, expected = tensors(found), tensors(expected)
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(
            a, b.expand(a.shape), rtol=1e-9, atol=1e-10, msg=lambda m: f"{what}: {m}"
        )


def made(name: str, **more):
    """Give (model, config, case) of a setting."""
    config = CONFIGS[name]
    model = build(config)
    return model, config, make_case(model, config, **more)


def start(model, case: Case):
    """Give the belief that free generation of a case begins from."""
    return condition(
        model, case.batch.split(0)[0] if case.prefix is None else case.prefix, case.noise
    )


def steps_of(value, t: int) -> list:
    """Take step t out of tensors (sample, batch, time, ...)."""
    return [a[:, :, t] for a in tensors(value)]


@torch.no_grad()
def test_a_draw_of_the_model_is_reproduced_by_teacher_forcing_it(name):
    model, _, case = made(name, samples=1, gaps=False)
    drawn = rollout(model, start(model, case), case.batch.u, case.noise)
    complete = torch.ones_like(case.batch.present)
    batch = case.batch._replace(x=drawn.x[0], present=complete, length=torch.full((4,), TIME))
    forced = run(model, case._replace(batch=batch), "prior")
    assert_close(forced.emission.sample(case.noise.observation), drawn.x, "draws")
    state = tree_map(lambda s: s[0], start(model, case).state)
    states, densities = [], []
    for t, inputs in enumerate(model.embed_inputs(batch.u).unbind(1)):  # the free run
        state = model.with_input(state, inputs)
        if model.latent.dim:
            state = model.with_latent(state, model.prior(state).sample(case.noise.latent[0, :, t]))
        densities.append(model.emission(state).log_prob(drawn.x[0, :, t])[None])
        state = model.with_observation(state, model.embed_observations(drawn.x[0, :, t], inputs))
        states.append(tree_map(lambda s: s[None], state))
    assert_close(forced.log_prob, torch.stack(densities, -1), "log-probabilities")
    for t in (0, TIME // 2, TIME - 1):
        cut, _ = batch.split(t + 1)
        noise = case.noise._replace(latent=case.noise.latent[:, :, : t + 1])
        assert_close(
            run(model, Case(case.prefix, cut, noise), "prior").belief.state, states[t], f"state {t}"
        )


@torch.no_grad()
def test_all_points_missing_is_free_generation(name):
    model, _, case = made(name, samples=2)
    case = case._replace(
        batch=case.batch._replace(
            present=torch.zeros_like(case.batch.present), length=torch.full((4,), TIME)
        )
    )
    drawn = rollout(model, start(model, case), case.batch.u, case.noise)
    for proposal in PROPOSALS:
        unrolled = run(model, case, proposal)
        assert_close(unrolled.x, drawn.x, proposal)
        assert_close(unrolled.emission.sample(case.noise.observation), drawn.x, proposal)
        assert not unrolled.log_weight.any() and not elbo_terms(model, unrolled).bound.any()
        is_increment = torch.where(case.batch.is_increment, drawn.x.sum(-2), 0.0)
        assert_close(unrolled.belief.pending, is_increment, "gap")


@pytest.mark.parametrize("gaps", [False, True], ids=["complete", "gaps"])
def test_no_prediction_sees_the_future(name, gaps):
    model, _, case = made(name, gaps=gaps)
    case = case._replace(batch=case.batch._replace(x=case.batch.x.clone().requires_grad_()))
    for proposal in PROPOSALS:
        if proposal == "posterior":  # latents are given numbers: a posterior may read anything
            freeze(model, "posterior")
            if isinstance(model, GlobalLatentModel):
                freeze(model, "global_posterior")
        with backend("reference"):  # a fast path does not call the frozen methods
            unrolled = run(model, case, proposal)
        past = 0.0
        for t in range(TIME):
            value = sum(a.sum() for a in steps_of((unrolled.prior, unrolled.emission), t))
            (gradient,) = torch.autograd.grad(
                value, case.batch.x, retain_graph=True, allow_unused=True
            )
            gradient = torch.zeros_like(case.batch.x) if gradient is None else gradient
            assert not gradient[:, t:].any(), (
                f"{proposal}: step {t} reads {gradient[:, t:].nonzero().tolist()}"
            )
            past += gradient.abs().sum()
        if model.supervised:
            assert past == 0, f"{proposal}: the target reaches a state"
        elif proposal == "prior" and not unwrapped(name).startswith(
            ("seq2seq-same", "dmm", "rssm")
        ):  # made of latents alone
            assert past > 0, "nothing reads the past: this test proves nothing"


def freeze(model, method: str) -> None:
    """Cut the gradient through a distribution that the model gives."""
    given = getattr(model, method)

    def frozen(*args):
        found = given(*args)
        return None if found is None else tree_map(torch.detach, found)

    setattr(model, method, frozen)


@torch.no_grad()
def test_evidence_reaches_posteriors_alone(name):
    model, _, case = made(name, gaps=False)
    embedded = embed(model, case.batch, case.prefix)
    spoilt = embedded._replace(evidence=torch.full_like(embedded.evidence, torch.nan))
    assert_close(run(model, case, "prior", embedded=spoilt), run(model, case, "prior"))


@torch.no_grad()
def test_posteriors_look_ahead_only_where_the_traits_say_so(name):
    model, _, case = made(name, gaps=False)
    later = case.batch._replace(x=case.batch.x.clone())
    later.x[:, 4:] = observations_like(later.x[:, 4:])
    a, b = run(model, case).posterior, run(model, case._replace(batch=later)).posterior
    pairs = zip(tensors(a), tensors(b), strict=True)
    same = all(torch.equal(p[:, :, :4], q[:, :, :4]) for p, q in pairs)
    assert same or looks_ahead(model, case.batch.u.shape[-1])


def observations_like(x):
    """Reverse the order of sequences: other values of the same kind."""
    return x.flip(0)


@torch.no_grad()
def test_sequence_alone_gives_the_numbers_it_gives_in_a_batch(name):
    model, _, case = made(name)
    together = run(model, case)
    bound, weight = elbo_terms(model, together).bound, together.log_weight
    for i in range(4):
        unrolled = run(model, alone(case, i))
        assert_close(
            unrolled.log_prob[:, 0], together.log_prob[:, i, : unrolled.log_prob.shape[-1]]
        )
        assert_close(elbo_terms(model, unrolled).bound[:, 0], bound[:, i])
        assert_close(unrolled.log_weight[:, 0], weight[:, i])
        assert_close(
            [a[:, 0] for a in tensors(unrolled.belief)], [a[:, i] for a in tensors(together.belief)]
        )


@torch.no_grad()
def test_sequence_of_no_rows_stays_at_its_beginning(name):
    model, _, case = made(name)
    length = case.batch.length.clone()
    length[2] = 0
    alive = torch.arange(TIME) < length[:, None]
    batch = case.batch._replace(length=length, present=case.batch.present & alive[..., None])
    unrolled = run(model, case._replace(batch=batch))
    assert not unrolled.log_prob[:, 2].any() and not elbo_terms(model, unrolled).bound[:, 2].any()
    assert_close(
        [a[:, 2] for a in tensors(unrolled.belief)], [a[:, 2] for a in tensors(start(model, case))]
    )


def test_filler_at_missing_entries_is_never_read(name):
    model, _, case = made(name)
    results = []
    for filler in (0.0, 1e3, -7.0):
        model.zero_grad()
        batch = case.batch._replace(x=torch.where(case.batch.present, case.batch.x, filler))
        prefix = case.prefix
        if prefix is not None:
            prefix = prefix._replace(x=torch.where(prefix.present, prefix.x, filler))
        unrolled = run(model, Case(prefix, batch, case.noise))
        elbo_terms(model, unrolled).bound.sum().backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        results.append(
            [unrolled.log_prob, unrolled.log_weight, *tensors(unrolled.belief), *gradients]
        )
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert torch.equal(a, b)


@torch.no_grad()
def test_increments_after_a_gap_add_up(name):
    model, _, case = made(name)
    received = run(model, case).x
    total, batch = torch.zeros(2, 4, received.shape[-1]).double(), case.batch
    for t in range(TIME):
        total = torch.where(batch.is_increment, total, 0.0) + received[..., t, :]
        seen = batch.present[:, t].expand(total.shape)
        assert_close(total[seen], batch.x[:, t].expand(total.shape)[seen], f"step {t}")
        total = torch.where(seen, 0.0, total)


def test_gradients_of_the_bound_against_finite_differences(name, monkeypatch):
    """Categories that were drawn stay as they are: a straight-through gradient has no such oracle."""
    model, _, case = made(name)
    parameters = list(model.parameters())
    generator = torch.Generator().manual_seed(1)

    def bound() -> torch.Tensor:
        terms = elbo_terms(model, run(model, case))
        return terms.bound.mean() - 0.1 * terms.kl.regularisation.sum()

    gradient = torch.autograd.grad(bound(), parameters, allow_unused=True)
    unused = [n for (n, _), g in zip(model.named_parameters(), gradient, strict=True) if g is None]
    assert not unused, f"parameters that nothing reads: {unused}"
    monkeypatch.setattr(one_hot, "straight_through", lambda drawn, p: drawn)
    gradient = torch.autograd.grad(bound(), parameters, allow_unused=True, materialize_grads=True)
    for _ in range(2):
        direction = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
        slope = sum((g * d).sum() for g, d in zip(gradient, direction, strict=True))
        values = []
        for sign in (1, -2, 1):
            with torch.no_grad():
                for p, d in zip(parameters, direction, strict=True):
                    p += sign * 1e-6 * d
                values.append(float(bound()))
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(float(slope), rel=1e-5, abs=1e-6)


@torch.no_grad()
def test_saved_weights_give_identical_results(name, tmp_path):
    model, config, case = made(name)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    again = make(config)
    if not isinstance(config, WrappedConfig):
        again = make_model(config_from_dict(config_to_dict(config)))
    again = again.double()
    again.load_state_dict(load_file(tmp_path / "model.safetensors"))
    for a, b in zip(tensors(run(model, case)), tensors(run(again, case)), strict=True):
        assert torch.equal(a, b)


@torch.no_grad()
def test_same_seed_same_samples(name):
    model, _, case = made(name)

    def draw(seed: int) -> torch.Tensor:
        noise = draw_noise(model, 2, 4, TIME, seeded(seed))
        return rollout(model, start(model, case._replace(noise=noise)), case.batch.u, noise).x

    assert torch.equal(draw(0), draw(0)) and not torch.equal(draw(0), draw(1))


@torch.no_grad()
def test_samples_are_independent_passes(name):
    model, _, case = made(name, samples=3)
    together = run(model, case)
    for s in range(3):
        one = run(model, case._replace(noise=Noise(*(n[s : s + 1] for n in case.noise))))
        assert_close(one.log_prob[0], together.log_prob[s])
        assert_close(one.log_weight[0], together.log_weight[s])
        for a, b in zip(one.belief[:2], together.belief[:2], strict=True):
            assert_close([v[0] for v in tensors(a)], [v[s] for v in tensors(b)])
        drawn = rollout(model, one.belief, case.batch.u, Noise(*(n[s : s + 1] for n in case.noise)))
        every = rollout(model, together.belief, case.batch.u, case.noise)
        assert_close(drawn.x[0], every.x[s])


def test_fast_path_equals_the_reference(name):
    """Every term, every state and every gradient, with gaps and lengths of every kind."""
    for gaps in (False, True):
        results = []
        for choice in ("auto", "reference"):
            model, _, case = made(name, gaps=gaps)
            with backend(choice):
                unrolled = run(model, case)
                terms = elbo_terms(model, unrolled)
                (terms.bound.sum() + unrolled.log_weight.sum()).backward()
            gradients = [torch.zeros(()) if p.grad is None else p.grad for p in model.parameters()]
            there = case.batch.in_sequence
            each = [a[:, there] for a in (unrolled.log_prob, unrolled.log_ratio)]
            results.append([*each, terms.bound, *tensors(unrolled.belief), *gradients])
        for fast, plain in zip(*results, strict=True):
            torch.testing.assert_close(fast, plain, rtol=1e-8, atol=1e-9)
