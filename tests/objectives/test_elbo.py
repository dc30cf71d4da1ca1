"""The terms of the bound: which count, how often, and what training adds to them without calling it a bound."""

import math

import pytest
import torch
from tests.models.settings import CONFIGS, build, make_case, run

import vrnn
from vrnn.data.batch import Batch
from vrnn.inference.noise import draw_noise, seeded
from vrnn.inference.rollout import condition, rollout
from vrnn.inference.unroll import unroll
from vrnn.models.registry import make_model
from vrnn.objectives.elbo import elbo, log_jacobian, loss_terms

NOT_TIED = [n for n in CONFIGS if not build(CONFIGS[n]).tied]
LATENT = [n for n in CONFIGS if build(CONFIGS[n]).latent_dim or build(CONFIGS[n]).code_dim]


def made(name: str, **more):
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], **more)
    return model, case, run(model, case)


def weighted(terms, observed, **more) -> tuple[torch.Tensor, torch.Tensor]:
    return loss_terms(
        terms, observed, **{"kl_weight": 1.0, "free_bits": 0.0, "regulariser_weight": 0.0, **more}
    )


@torch.no_grad()
@pytest.mark.parametrize("name", NOT_TIED)
def test_analytic_kl_is_the_mean_of_its_samples(name):
    model, _, unrolled = made(name, samples=4000)
    difference = elbo(model, unrolled).bound - unrolled.log_weight
    error = difference.std(0) / math.sqrt(4000)
    assert bool((difference.mean(0).abs() <= 4.5 * error + 1e-9).all())


@pytest.mark.parametrize("name", NOT_TIED)
def test_kl_of_equal_distributions_is_zero_and_of_others_positive(name):
    model, _, unrolled = made(name)
    terms = elbo(model, unrolled)
    assert bool((terms.kl >= 0).all()) and bool((terms.code_kl >= 0).all())
    assert terms.kl.sum() + terms.code_kl.sum() > 0
    same = unrolled._replace(posterior=unrolled.prior, code_posterior=unrolled.code_prior)
    assert elbo(model, same).bound.equal(unrolled.log_prob.sum(-1))


@pytest.mark.parametrize("name", LATENT)
def test_missing_and_padded_steps_have_no_terms(name):
    model, case, unrolled = made(name)
    terms, away = elbo(model, unrolled), ~case.batch.mask
    assert (
        not terms.log_prob[:, away].any()
        and not terms.kl[:, away].any()
        and not terms.regulariser[:, away].any()
    )
    if model.latent.dim:
        there = terms.regulariser if model.tied else terms.kl
        assert bool((there[:, case.batch.mask] > 0).all())


@pytest.mark.parametrize("name", LATENT)
def test_regulariser_of_a_tied_model_is_no_part_of_its_bound(name):
    model, _, unrolled = made(name)
    terms = elbo(model, unrolled)
    if not model.tied:
        assert terms.regulariser.shape[-1] == terms.code_regulariser.shape[-1] == 0
        return
    assert terms.bound.equal(unrolled.log_prob.sum(-1)) and terms.bound.equal(unrolled.log_weight)
    assert (terms.regulariser.sum() + terms.code_regulariser.sum()) > 0
    nll, penalty = weighted(terms, unrolled.mask)
    assert torch.equal(-nll, terms.bound) and not penalty.any()
    expected = 0.25 * (terms.regulariser.sum((-1, -2)) + terms.code_regulariser.sum(-1))
    torch.testing.assert_close(
        weighted(terms, unrolled.mask, regulariser_weight=0.25)[1], expected.expand_as(penalty)
    )
    torch.testing.assert_close(
        weighted(terms, unrolled.mask, regulariser_weight=0.25, free_bits=3.0)[1], expected
    )


@pytest.mark.parametrize(
    "name, counts",
    [("rollout-autoencoding-step", "steps"), ("rollout-autoencoding-carried", "once")],
)
def test_kl_of_the_code_counts_once_per_draw(name, counts):
    model, case, unrolled = made(name)
    terms, table = elbo(model, unrolled), model.table_of(case.batch)
    one = table.kl(type(table).standard(table.mean))
    draws = case.batch.mask.sum(-1) if counts == "steps" else 1
    torch.testing.assert_close(
        terms.kl.sum((-1, -2)) + terms.code_kl.sum(-1), (draws * one).expand(2, -1)
    )


def test_noise_that_drives_the_latent_has_no_kl():
    model, case, unrolled = made("rollout-autoencoding-sequence")
    code_kl, table = elbo(model, unrolled).code_kl, model.table_of(case.batch)
    torch.testing.assert_close(code_kl[0], table.kl_per_dim(type(table).standard(table.mean)))


@pytest.mark.parametrize("name", ["vrnn", "rollout-autoencoding-carried", "seq2seq-same"])
def test_free_bits_stop_the_gradient_below_them_and_change_nothing_above(name):
    model, case, unrolled = made(name)
    terms, observed = elbo(model, unrolled), case.batch.mask
    plain, high = (weighted(terms, observed, free_bits=b)[1] for b in (0.0, 1e6))
    steps = observed.sum(-1) * model.latent.dim + model.code_dim - model.noise_dim
    torch.testing.assert_close(high, (1e6 * steps).to(high).expand_as(high))
    gradients = torch.autograd.grad(high.sum(), list(model.parameters()), allow_unused=True)
    assert all(g is None or not g.any() for g in gradients)
    middle = torch.cat([terms.kl[:, observed].flatten(), terms.code_kl.flatten()]).median().item()
    clamped = torch.where(observed[..., None], terms.kl.clamp(min=middle), 0.0).sum((-1, -2))
    expected = clamped + terms.code_kl.clamp(min=middle).sum(-1)
    found = weighted(terms, observed, free_bits=middle)[1]
    torch.testing.assert_close(found, expected)
    assert bool((found >= plain).all()) and bool((found > plain).any())
    torch.testing.assert_close(weighted(terms, observed, free_bits=1e-300)[1], plain)


def test_weight_of_the_kl_leaves_the_likelihood_alone():
    model, case, unrolled = made("vrnn")
    terms = elbo(model, unrolled)
    (a, full), (b, half) = (weighted(terms, case.batch.mask, kl_weight=w) for w in (1.0, 0.5))
    assert torch.equal(a, b) and torch.equal(half, 0.5 * full)
    torch.testing.assert_close(-a - full, terms.bound)


def test_log_jacobian_counts_observed_entries():
    x = torch.zeros(1, 4, 2)
    x[0, 1, 0] = torch.nan
    batch = Batch.of(
        x, length=torch.tensor([3]), log_jacobian=torch.tensor([[2.0, 5.0]]), factorises=True
    )
    assert log_jacobian(batch).tolist() == [2 * 2.0 + 3 * 5.0]


# Defects read in published code


def test_certain_bernoulli_has_a_finite_loss_and_gradient():
    """log(1 - p - eps) gives NaN where p is rounded to 1."""
    model = make_model(vrnn.VRNNConfig(3, hidden=5, latent_dim=3, emission="bernoulli"))
    with torch.no_grad():
        model.head[-1].bias.copy_(torch.tensor([1e4, -1e4, 200.0]))
    batch = Batch.of(torch.tensor([[[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]]))
    bound = elbo(model, unroll(model, batch, draw_noise(model, 1, 1, 2, seeded(0)))).bound
    bound.sum().backward()
    assert bool(bound.isfinite()) and all(
        p.grad is None or bool(p.grad.isfinite().all()) for p in model.parameters()
    )


def test_noise_is_standard_normal():
    """Not uniform, as torch.rand in a reparameterisation is."""
    noise = draw_noise(make_model(CONFIGS["vrnn"]), 50, 50, 20, seeded(0))
    for values in (noise.latent.flatten(), noise.observation.flatten()):
        assert abs(float(values.mean())) < 0.01 and abs(float(values.var()) - 1) < 0.02
        assert abs(float(values.pow(4).mean()) - 3) < 0.1


def test_scales_of_latents_and_emissions_may_be_far_below_one():
    model = make_model(CONFIGS["vrnn"])
    with torch.no_grad():
        for head, width in (
            (model.head[-1], 2),
            (model.prior_head.net[-1], 3),
            (model.posterior_head.rest[-1][-1], 3),
        ):
            head.weight.zero_(), head.bias[width:].fill_(-9.0)
    unrolled = unroll(
        model, Batch.of(torch.zeros(1, 2, 2)), draw_noise(model, 1, 1, 2, seeded(0))
    )
    for scale in (unrolled.emission.scale, unrolled.prior.scale, unrolled.posterior.scale):
        assert 1e-3 < scale.max().item() < 2e-3


@torch.no_grad()
def test_draws_have_the_noise_of_the_emission():
    """Forecasts that hand out decoder means as samples are too narrow."""
    model = build(CONFIGS["rnn"])
    noise = draw_noise(model, 20000, 1, 1, seeded(0))
    empty = Batch.of(torch.zeros(1, 0, 2).double())
    drawn = rollout(model, condition(model, empty, noise), torch.zeros(1, 1, 0).double(), noise)
    law = model.emission(condition(model, empty, noise).state, torch.zeros(1, 0).double())
    torch.testing.assert_close(drawn.x[:, 0, 0].std(0), law.scale[0, 0], rtol=0.03, atol=0)
    centre = drawn.x[:, 0, 0].mean(0)
    assert bool(((centre - law.mean[0, 0]).abs() < 4 * law.scale[0, 0] / 20000**0.5).all())
