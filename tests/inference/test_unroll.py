"""The loop over time against the definition, in pieces, and over sequences of unequal length."""

import pytest
import torch
from tests.helpers.definition import plain_pass
from tests.helpers.few import few
from tests.helpers.widths import inputs_width
from tests.models.settings import CONFIGS, LENGTHS, TIME, alone, build, each, make_case, run

from vrnn.data.batch import Batch
from vrnn.distributions.tree import tensors_of
from vrnn.inference.embed import embed
from vrnn.inference.noise import draw_noise, no_noise
from vrnn.inference.random_numbers import seeded
from vrnn.inference.rollout import rollout
from vrnn.inference.traits import has_global_latent, has_posterior
from vrnn.inference.unroll import filter_prefix, unroll
from vrnn.models.registry import make_model
from vrnn.ops.backend import backend

ALL = pytest.mark.parametrize("name", each(CONFIGS))
BACKENDS = pytest.mark.parametrize("chosen", ["auto", "reference"])
GAPS = pytest.mark.parametrize("gaps", [True, False], ids=["gaps", "complete"])


def made(name: str, **more):
    model = build(CONFIGS[name])
    return model, make_case(model, CONFIGS[name], **more)


def assert_same(found, expected, what: str = "") -> None:
    """Compare the tensors of two trees to rounding in float64."""
    found, expected = tensors_of(found), tensors_of(expected)
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(
            a.expand(b.shape), b, rtol=1e-9, atol=1e-10, msg=lambda m: f"{what}: {m}"
        )


@ALL
@GAPS
@BACKENDS
@pytest.mark.parametrize("proposal", few(["posterior", "prior"]))
@torch.no_grad()
def test_every_sequence_is_what_the_definition_says(name, gaps, chosen, proposal):
    """In a batch of unequal lengths: densities, distributions, draws, and the belief after each."""
    model, case = made(name, gaps=gaps)
    with backend(chosen):
        found = run(model, case, proposal)
    for i in range(4):
        expected = plain_pass(model, alone(case, i), proposal)
        for t, step in enumerate(expected.steps):
            assert_same(found.log_prob[:, i, t], step.log_prob, "log_prob")
            assert_same(found.latent[:, i, t], step.latent, "latent")
            x = found.x if found.x.dim() == 4 else found.x.expand(2, -1, -1, -1)
            assert_same(x[:, i, t], step.x, "x")
            p, q, z = step.prior, step.posterior, step.latent
            if found.lists:  # the categories are in the density already
                p, q, z = p.rest, q.rest, z[..., : model.latent.rest.dim]
            ratio = p.log_prob(z) - q.log_prob(z)
            assert_same(found.log_ratio[:, i, t], ratio, "ratio")
            for mine, its in ((found.prior, step.prior), (found.posterior, step.posterior)):
                assert_same(mine.mean[:, i, t], its.mean, "mean of a latent")
                assert_same(mine.table[:, i, t], its.table, "table of a latent")
                assert_same(mine.probabilities[:, i, t], its.probabilities, "probabilities")
        assert not found.log_prob[:, i, int(LENGTHS[i]) :].any()
        assert not found.log_ratio[:, i, int(LENGTHS[i]) :].any()
        belief = found.belief.map(lambda part, i=i: part[:, i : i + 1])
        assert_same(belief, expected.belief, "belief")
        if expected.global_latent is not None:
            assert_same(found.once.z[:, i], expected.global_latent, "global latent")
            z, p, q = expected.global_latent, expected.global_prior, expected.global_posterior
            ratio = p.log_prob(z) - q.log_prob(z)
            assert_same(found.global_log_ratio[:, i], ratio, "global ratio")


@ALL
@BACKENDS
@pytest.mark.parametrize("cut", [1, 4, 7])
@torch.no_grad()
def test_pieces_from_a_belief_are_one_pass(name, chosen, cut):
    """Cut within a gap and elsewhere, where some sequences have ended already."""
    model, case = made(name)
    whole = run(model, case)
    embedded = embed(model, case.batch, case.prefix)
    first, rest = case.batch.split(cut)
    with backend(chosen):
        early = unroll(
            model, first, case.noise.steps(slice(cut)), embedded=embedded.steps(slice(cut))
        )
        late = unroll(
            model,
            rest,
            case.noise.steps(slice(cut, None)),
            embedded=embedded.after(cut),
            start=early.belief,
        )
    started = first.mask.any(-1) == case.batch.mask.any(-1)  # else z_0 is of the prior
    if not has_global_latent(model) or bool(started.all()):
        assert_same(early.global_log_ratio, whole.global_log_ratio)
        assert_same(torch.cat([early.log_prob, late.log_prob], -1), whole.log_prob)
        assert_same(torch.cat([early.log_ratio, late.log_ratio], -1), whole.log_ratio)
        assert_same(late.belief, whole.belief)
    assert late.once.z.shape[-1] == 0 and not late.global_log_ratio.any()


@ALL
@GAPS
@BACKENDS
@torch.no_grad()
def test_belief_without_the_terms_of_a_bound_is_the_same(name, gaps, chosen):
    model, case = made(name, gaps=gaps)
    with backend(chosen):
        embedded = embed(model, case.batch, case.prefix)
        found = filter_prefix(model, case.batch, case.noise, embedded=embedded)
    assert_same(found, run(model, case).belief)


@ALL
@GAPS
@torch.no_grad()
def test_a_belief_goes_on_as_the_sequence_alone_would(name, gaps):
    """A rollout after sequences of unequal length is that after each of them alone."""
    model, case = made(name, gaps=gaps)
    ahead = draw_noise(model, 2, 4, 3, seeded(5))
    u = torch.randn(4, 3, case.batch.u.shape[-1], generator=seeded(6)).double()
    together = rollout(model, run(model, case).belief, u, ahead).x
    for i in range(4):
        one = slice(i, i + 1)
        belief = run(model, alone(case, i)).belief
        assert_same(rollout(model, belief, u[one], ahead.sequences(one)).x, together[:, one])


@ALL
def test_posterior_is_the_prior_itself_where_the_model_has_none(name):
    model, case = made(name)
    found = run(model, case)
    own = has_posterior(model, inputs_width(CONFIGS[name]))
    tied = found.prior is found.posterior and found.once.prior is found.once.posterior
    assert tied is not own
    if tied:
        assert not found.log_ratio.any() and not found.global_log_ratio.any()
        assert torch.equal(found.log_weight, found.log_prob.sum(-1))


@ALL
@BACKENDS
@torch.no_grad()
def test_no_time_steps(name, chosen):
    """A piece without time steps leaves the belief that it began from."""
    model, case = made(name)
    start = run(model, case).belief
    nothing, noise = case.batch.split(0)[0], case.noise.steps(slice(0))
    embedded = embed(model, case.batch, case.prefix).steps(slice(0))
    with backend(chosen):
        found = unroll(model, nothing, noise, embedded=embedded, start=start)
    assert found.log_prob.shape == (2, 4, 0) and not found.log_weight.any()
    assert_same(found.belief, start)


@torch.no_grad()
def test_missing_values_are_never_read():
    """Whatever lies in x where it is missing, every number is the same."""
    for name in ("vrnn", "dmm", "srnn", "seq2seq-same", "rnn-mixed-columns"):
        model, case = made(name)
        spoilt = case.batch._replace(x=case.batch.x.where(case.batch.present, torch.nan))
        assert_same(run(model, case._replace(batch=spoilt)).log_weight, run(model, case).log_weight)


@torch.no_grad()
def test_a_step_with_missing_points_draws_given_those_present():
    """Entries that are there stay as they are; the others are the emission's own draws."""
    model, case = made("rnn")
    found = run(model, case)
    there = case.batch.present
    drawn = found.emission.sample(case.noise.observation)
    inside = case.batch.in_sequence[..., None] & ~there
    assert_same(found.x[:, inside], drawn[:, inside])
    first = there & (torch.arange(TIME)[:, None] == 0)
    assert_same(found.x[:, first], case.batch.x[first].expand(2, -1))


@torch.no_grad()
def test_an_increment_after_a_gap_is_what_remains_of_it():
    """What was drawn in the gap and what remains add up to the observed sum."""
    model = build(CONFIGS["vrnn"])
    x = torch.randn(1, 7, 2, generator=seeded(0)).double()
    x[0, 2:4] = torch.nan
    batch = Batch.of(x, is_increment=torch.tensor([True, False]))
    found = unroll(model, batch, draw_noise(model, 3, 1, 7, seeded(1)))
    torch.testing.assert_close(found.x[:, 0, 2:5, 0].sum(-1), batch.x[0, 4, 0].expand(3))
    torch.testing.assert_close(found.x[:, 0, 4, 1], batch.x[0, 4, 1].expand(3))
    assert not found.belief.pending.any()
    early = unroll(model, batch.split(4)[0], draw_noise(model, 3, 1, 4, seeded(1)))
    torch.testing.assert_close(early.belief.pending[:, 0, 0], early.x[:, 0, 2:4, 0].sum(-1))
    assert not early.belief.pending[..., 1].any()


def test_scales_of_latents_and_emissions_may_be_far_below_one():
    model = make_model(CONFIGS["vrnn"])
    with torch.no_grad():
        for head, width in (
            (model.head[-1], 2),
            (model.prior_head.net[-1], 3),
            (model.posterior_head.rest[-1][-1], 3),
        ):
            head.weight.zero_(), head.bias[width:].fill_(-9.0)
    found = unroll(model, Batch.of(torch.zeros(1, 2, 2)), no_noise(model, 1, 2))
    for scale in (found.emission.scale, found.prior.scale, found.posterior.scale):
        assert 1e-3 < scale.max().item() < 2e-3
