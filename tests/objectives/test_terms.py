"""The terms of the bounds: which count, how often, and what training adds without calling it a bound."""

import math

import pytest
import torch
from tests.helpers.filters import filtered, particle_case
from tests.helpers.widths import inputs_width
from tests.models.settings import CONFIGS, build, each, make_case, run

from vrnn.data.batch import Batch
from vrnn.inference.particle_filter import FilterConfig
from vrnn.inference.traits import global_units, has_posterior
from vrnn.objectives.terms import elbo_terms, kl_terms, log_jacobian, loss_terms


def tied(name: str) -> bool:
    """Return whether the posterior of a setting's model is its prior."""
    return not has_posterior(build(CONFIGS[name]), inputs_width(CONFIGS[name]))


def has_latent(name: str) -> bool:
    model = build(CONFIGS[name])
    return bool(model.latent.dim or global_units(model))


NOT_TIED = [n for n in CONFIGS if not tied(n)]
LATENT = [n for n in CONFIGS if has_latent(n)]


def made(name: str, **more):
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], **more)
    return model, case, run(model, case)


def weighted(terms, observed, **more) -> tuple[torch.Tensor, torch.Tensor]:
    return loss_terms(
        terms, observed, **{"kl_weight": 1.0, "free_bits": 0.0, "regulariser_weight": 0.0, **more}
    )


@torch.no_grad()
@pytest.mark.parametrize("name", each(NOT_TIED))
def test_analytic_kl_is_the_mean_of_its_samples(name):
    model, _, unrolled = made(name, samples=4000)
    difference = elbo_terms(model, unrolled).bound - unrolled.log_weight
    error = difference.std(0) / math.sqrt(4000)
    assert bool((difference.mean(0).abs() <= 4.5 * error + 1e-9).all())


@pytest.mark.parametrize("name", each(NOT_TIED))
def test_kl_of_equal_distributions_is_zero_and_of_others_positive(name):
    model, _, unrolled = made(name)
    kl = elbo_terms(model, unrolled).kl
    assert all(bool((part >= -1e-12).all()) for part in (kl.kl, kl.global_kl, kl.listed))
    assert kl.kl.sum() + kl.global_kl.sum() + kl.listed.sum() > 0
    assert kl.regulariser.numel() == 0 or kl.kl.numel() == 0
    once = unrolled.once._replace(posterior=unrolled.once.prior)
    same = unrolled._replace(posterior=unrolled.prior, once=once)
    assert torch.equal(elbo_terms(model, same).bound, unrolled.log_prob.sum(-1))


@pytest.mark.parametrize("name", each(LATENT))
def test_missing_and_padded_steps_have_no_terms(name):
    model, case, unrolled = made(name)
    terms, away = elbo_terms(model, unrolled), ~case.batch.mask
    assert not terms.log_prob[:, away].any() and not terms.kl.kl[:, away].any()
    assert not terms.kl.regulariser[:, away].any()
    if model.latent.dim:
        own = unrolled.prior is not unrolled.posterior
        parts = (terms.kl.kl, terms.kl.listed, terms.kl.regulariser)
        there = torch.cat(parts, -1) if own else terms.kl.regulariser
        assert bool((there[:, case.batch.mask].sum(-1) > 0).all())


@pytest.mark.parametrize("name", each(LATENT))
def test_regulariser_of_a_tied_model_is_no_part_of_its_bound(name):
    model, _, unrolled = made(name)
    terms = elbo_terms(model, unrolled)
    kl = terms.kl
    if not tied(name):
        own = kl.kl.sum() + kl.global_kl.sum() + kl.listed.sum()
        assert own > 0 and not kl.global_regulariser.any()
        assert bool(kl.regulariser.any()) is (name == "seq2seq-next-both")  # see below
        return
    assert torch.equal(terms.bound, unrolled.log_prob.sum(-1))
    assert torch.equal(terms.bound, unrolled.log_weight)
    assert (kl.regulariser.sum() + kl.global_regulariser.sum()) > 0
    nll, penalty = weighted(terms, unrolled.mask)
    assert torch.equal(-nll, terms.bound) and not penalty.any()
    expected = 0.25 * (kl.regulariser.sum((-1, -2)) + kl.global_regulariser.sum(-1))
    expected = expected.expand_as(penalty)
    for more in ({}, {"free_bits": 3.0}):
        found = weighted(terms, unrolled.mask, regulariser_weight=0.25, **more)[1]
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(kl.regularisation, 4 * expected.mean(0))


@pytest.mark.parametrize(
    "name, counts",
    [("rollout-autoencoding-step", "steps"), ("rollout-autoencoding-carried", "once")],
)
def test_kl_of_an_encoding_counts_once_per_draw(name, counts):
    """Drawn at every step it counts at every observed one; drawn once it counts once."""
    model, case, unrolled = made(name)
    kl = elbo_terms(model, unrolled).kl
    table = model.encode(case.batch, model.embed_inputs(case.batch.u))
    one = table.kl(model.kind.standard(table.mean)).sum(-1)
    draws = case.batch.mask.sum(-1) if counts == "steps" else 1
    total = kl.kl.sum((-1, -2)) + kl.global_kl.sum(-1)
    torch.testing.assert_close(total, (draws * one).expand_as(total))


def test_noise_that_drives_the_latent_has_no_kl():
    model, case, unrolled = made("rollout-autoencoding-sequence")
    kl = elbo_terms(model, unrolled).kl
    table = model.encode(case.batch, model.embed_inputs(case.batch.u))
    assert kl.global_kl.shape == (1, 4, 3)  # of z_0 alone, not of z'_0
    torch.testing.assert_close(kl.global_kl[0], table.kl(model.kind.standard(table.mean)))


@pytest.mark.parametrize("name", ["vrnn", "rollout-autoencoding-carried", "seq2seq-same"])
def test_free_bits_stop_the_gradient_below_them_and_change_nothing_above(name):
    model, case, unrolled = made(name)
    terms, observed = elbo_terms(model, unrolled), case.batch.mask
    kl, global_kl = terms.kl.kl, terms.kl.global_kl
    plain, high = (weighted(terms, observed, free_bits=b)[1] for b in (0.0, 1e6))
    units = observed.sum(-1) * kl.shape[-1] + global_kl.shape[-1]
    torch.testing.assert_close(high, (1e6 * units).to(high).expand_as(high))
    gradients = torch.autograd.grad(high.sum(), list(model.parameters()), allow_unused=True)
    assert all(g is None or not g.any() for g in gradients)
    middle = torch.cat([kl[:, observed].flatten(), global_kl.flatten()]).median().item()
    clamped = torch.where(observed[..., None], kl.clamp(min=middle), 0.0).sum((-1, -2))
    expected = clamped + global_kl.clamp(min=middle).sum(-1)
    found = weighted(terms, observed, free_bits=middle)[1]
    torch.testing.assert_close(found, expected)
    assert bool((found >= plain).all()) and bool((found > plain).any())
    torch.testing.assert_close(weighted(terms, observed, free_bits=1e-300)[1], plain)


def test_weight_of_the_kl_leaves_the_likelihood_alone():
    model, case, unrolled = made("vrnn")
    terms = elbo_terms(model, unrolled)
    (a, full), (b, half) = (weighted(terms, case.batch.mask, kl_weight=w) for w in (1.0, 0.5))
    assert torch.equal(a, b) and torch.equal(half, 0.5 * full)
    torch.testing.assert_close(-a - full, terms.bound)


@pytest.mark.parametrize("name", ["vrnn", "rnn", "seq2seq-next", "rollout-autoencoding-carried"])
@torch.no_grad()
def test_terms_of_a_filter_that_never_resamples_are_those_of_the_pass(name):
    model, case = particle_case(name)
    of_filter = kl_terms(model, filtered(model, case, FilterConfig(threshold=0.0)))
    for a, b in zip(of_filter, kl_terms(model, run(model, case)), strict=True):
        torch.testing.assert_close(a, b)


@torch.no_grad()
def test_terms_without_the_first_steps():
    """The KL and the regulariser may begin at different steps; what is drawn once stays."""
    for name in ("vrnn", "seq2seq-next", "rollout-autoencoding-step"):
        model, _, unrolled = made(name)
        whole = kl_terms(model, unrolled)
        later = whole.after(3, 1)
        assert torch.equal(later.kl, whole.kl[..., 1:, :])
        assert torch.equal(later.regulariser, whole.regulariser[..., 3:, :])
        assert later.global_kl is whole.global_kl


def test_log_jacobian_counts_observed_entries():
    x = torch.zeros(1, 4, 2)
    x[0, 1, 0] = torch.nan
    batch = Batch.of(
        x, length=torch.tensor([3]), log_jacobian=torch.tensor([[2.0, 5.0]]), factorises=True
    )
    assert log_jacobian(batch).tolist() == [2 * 2.0 + 3 * 5.0]


@torch.no_grad()
def test_a_rest_that_is_drawn_from_its_prior_is_regularised():
    """Its categories have an exact posterior; its Gaussian part has none of its own."""
    model, case, unrolled = made("seq2seq-next-both")
    kl = elbo_terms(model, unrolled).kl
    assert kl.kl.shape[-1] == 0 and kl.listed.shape[-1] == 1
    gaussian = unrolled.prior.rest
    expected = gaussian.kl(model.latent.rest.standard(unrolled.latent))
    expected = torch.where(case.batch.mask[..., None], expected, 0.0)
    torch.testing.assert_close(kl.regulariser, expected)
