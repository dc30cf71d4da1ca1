"""What the bounds share: the noise they draw themselves, embeddings, prefixes, and their settings."""

import dataclasses

import pytest
import torch
from tests.models.settings import CONFIGS, build, each, make_case

import vrnn
from vrnn.errors import ConfigError
from vrnn.inference.embed import embed
from vrnn.inference.noise import draw_noise
from vrnn.inference.random_numbers import seeded
from vrnn.inference.traits import looks_ahead
from vrnn.objectives import BOUNDS, BoundConfig
from vrnn.objectives.iwae import importance_bound

EVERY = pytest.mark.parametrize("bound_name", BOUNDS)
ALL = pytest.mark.parametrize("name", each(CONFIGS))


def made(name: str, **more):
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], **more)
    noise = draw_noise(model, 3, 4, 9, seeded(0, 3), resampling=True)
    return model, case._replace(noise=noise)


@ALL
@EVERY
def test_every_bound_of_every_model_is_finite_and_has_gradients(name, bound_name):
    model, case = made(name)
    found = BOUNDS[bound_name](model, case.batch, case.noise, prefix=case.prefix)
    assert found.bound.shape == found.nll.shape == found.penalty.shape == (4,)
    assert bool(found.bound.isfinite().all())
    (found.nll + found.penalty).sum().backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert grads and all(bool(g.isfinite().all()) for g in grads)


@ALL
@EVERY
@torch.no_grad()
def test_what_is_minimised_is_minus_the_bound_at_the_defaults(name, bound_name):
    model, case = made(name)
    found = BOUNDS[bound_name](model, case.batch, case.noise, prefix=case.prefix)
    torch.testing.assert_close(-(found.nll + found.penalty), found.bound)


@EVERY
@pytest.mark.parametrize("gaps", [True, False])
@torch.no_grad()
def test_a_bound_draws_its_own_noise(bound_name, gaps):
    """As many samples as asked for, from the generator given, and all that the pass needs."""
    model, case = made("vrnn", gaps=gaps)
    bound = BOUNDS[bound_name]
    one, two, other = (
        bound(model, case.batch, samples=5, generator=seeded(s)).bound for s in (1, 1, 2)
    )
    assert torch.equal(one, two) and not torch.equal(one, other)
    noise = draw_noise(
        model, 5, 4, 9, seeded(1), observations=gaps, resampling=bound_name == "fivo"
    )
    assert torch.equal(bound(model, case.batch, noise).bound, one)


@EVERY
@torch.no_grad()
def test_the_default_generator_is_that_of_torch(bound_name):
    """Each call draws anew; a seed for torch makes it the same again."""
    model, case = made("vrnn")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        one, other = (BOUNDS[bound_name](model, case.batch).bound for _ in range(2))
        torch.manual_seed(3)
        again = BOUNDS[bound_name](model, case.batch).bound
    assert torch.equal(one, again) and not torch.equal(one, other)


@pytest.mark.parametrize(("bound_name", "samples"), [("elbo", 1), ("iwae", 8), ("fivo", 8)])
@torch.no_grad()
def test_default_number_of_samples(bound_name, samples):
    model, case = made("vrnn")
    found = BOUNDS[bound_name](model, case.batch, generator=seeded(0))
    assert found.passed.latent.shape[0] == samples


@ALL
@EVERY
@torch.no_grad()
def test_features_may_be_given(name, bound_name):
    model, case = made(name)
    embedded = embed(model, case.batch, case.prefix)
    found = BOUNDS[bound_name](model, case.batch, case.noise, embedded=embedded)
    expected = BOUNDS[bound_name](model, case.batch, case.noise, prefix=case.prefix)
    torch.testing.assert_close(found.bound, expected.bound)


@EVERY
def test_a_model_that_reads_a_prefix_needs_it(bound_name):
    model, case = made("rollout-forecasting-carried")
    with pytest.raises(ConfigError, match="expected the prefix beside the batch, found none"):
        BOUNDS[bound_name](model, case.batch)


@EVERY
@pytest.mark.parametrize("name", ["vrnn", "dmm", "rollout-autoencoding-carried", "seq2seq-next"])
@torch.no_grad()
def test_first_steps_that_do_not_count(name, bound_name):
    """Their densities are none of the bound; a posterior that looks ahead pays its KL all the same."""
    model, case = made(name)
    config = BoundConfig(first_scored=3, resample_below=0.0)
    found = BOUNDS[bound_name](model, case.batch, case.noise, config)
    passed = BOUNDS["elbo"](model, case.batch, case.noise).passed
    ahead = looks_ahead(model, case.batch.u.shape[-1])
    log_prob = passed.log_prob[..., 3:].sum(-1)
    ratio = passed.log_ratio[..., 0 if ahead else 3 :].sum(-1) + passed.global_log_ratio
    if bound_name == "elbo":
        kl = passed.posterior.kl(passed.prior).sum(-1).where(passed.mask, 0.0)
        once = passed.once.posterior.kl(passed.once.prior).sum(-1)
        expected = (log_prob - kl[..., 0 if ahead else 3 :].sum(-1) - once).mean(0)
    else:
        expected = (log_prob + ratio).logsumexp(0) - torch.tensor(3.0).double().log()
    torch.testing.assert_close(found.bound, expected)


@EVERY
@pytest.mark.parametrize(
    "name", ["vrnn", "srnn", "rnn", "seq2seq-same", "storn-lstm-u", "rollout-autoencoding-carried"]
)
@torch.no_grad()
def test_chunks_add_up_to_the_whole(name, bound_name):
    """From the belief that a chunk leaves, with its part of the features and of the noise.

    The importance weights of an IWAE do not add up; those of each sample do.
    """
    model, case = made(name, gaps=False)
    bound, config = BOUNDS[bound_name], BoundConfig(resample_below=0.9)
    whole = bound(model, case.batch, case.noise, config)
    embedded, belief, parts = embed(model, case.batch), None, []
    for begin in range(0, 9, 4):
        index = slice(begin, begin + 4)
        piece = case.batch.time_steps(begin, begin + 4)
        found = bound(
            model,
            piece,
            case.noise.steps(index),
            config,
            embedded=embedded.steps(index),
            start=belief,
        )
        belief = found.passed.belief
        parts.append(found)
    total = sum(part.bound for part in parts)
    if bound_name == "iwae":
        total = importance_bound(sum(part.passed.log_weight for part in parts))
    torch.testing.assert_close(total, whole.bound)
    kl = torch.cat([part.kl.kl for part in parts], 2)
    torch.testing.assert_close(kl, whole.kl.kl)
    assert all(part.kl.global_kl.numel() == 0 for part in parts[1:])


@EVERY
@pytest.mark.parametrize("name", ["seq2seq-next", "rollout-forecasting-carried"])
@torch.no_grad()
def test_regulariser_is_minimised_and_no_part_of_the_bound(name, bound_name):
    model, case = made(name)
    bound = BOUNDS[bound_name]
    plain = bound(model, case.batch, case.noise, prefix=case.prefix)
    config = BoundConfig(regulariser_weight=0.5, kl_weight=0.4)
    found = bound(model, case.batch, case.noise, config, prefix=case.prefix)
    torch.testing.assert_close(found.bound, plain.bound)
    torch.testing.assert_close(found.nll, plain.nll)
    torch.testing.assert_close(found.penalty, 0.4 * 0.5 * found.kl.regularisation)
    assert bool((found.penalty > 0).all())


def test_settings_are_frozen_and_their_defaults_change_nothing():
    config = BoundConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.kl_weight = 0.5
    assert (config.kl_weight, config.free_bits, config.regulariser_weight) == (1.0, 0.0, 0.0)
    assert not config.resampling_term and config.first_scored == 0


def test_bounds_have_public_names():
    assert {name: getattr(vrnn, name) for name in BOUNDS} == BOUNDS
    assert vrnn.BoundConfig is BoundConfig
