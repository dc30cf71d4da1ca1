"""Validation: what it reports of the latents, while training runs and at its end."""

from dataclasses import replace

import pytest
import torch
from tests.helpers.small_runs import CONFIG, QUICK, RNN, walks

import vrnn
from vrnn.inference.noise import draw_noise
from vrnn.inference.random_numbers import Stream, seeded
from vrnn.inference.unroll import unroll
from vrnn.objectives.terms import elbo_terms
from vrnn.training.objective import make_objective
from vrnn.training.prepare import prepare
from vrnn.training.validation import Validator

CATEGORIES = replace(CONFIG, latent="gaussian+categorical(4)")


@torch.no_grad()
def test_nats_and_shares_are_those_of_one_pass_over_the_validation_tracks():
    """KL(q || p) over the observed rows, and the mean of the posterior probabilities there."""
    prepared = prepare(CATEGORIES, walks(), QUICK, walks(6, seed=1))
    trained, val = prepared.trained, prepared.val
    objective = make_objective(trained, prepared.settings)
    found = Validator(trained, objective, val)(0, draws_futures=False)
    batch, _ = trained.batch(val[val.lengths.argsort(kind="stable")])
    noise = draw_noise(
        trained.network, 1, *batch.x.shape[:2], seeded(QUICK.seed, Stream.VALIDATE, 0)
    )
    passed = unroll(trained.network, batch, noise)
    terms, rows = elbo_terms(trained.network, passed), float(batch.mask.sum())
    kl = torch.cat([terms.kl.kl, terms.kl.listed], -1).sum((0, 1, 2)) / rows
    assert found.use.nats_per_unit == pytest.approx(kl.tolist(), rel=1e-4)
    shares = passed.posterior.probabilities[0][batch.mask].mean(0)
    assert found.use.shares == pytest.approx(shares.tolist(), rel=1e-4)
    assert found.regulariser == 0 and found.use.loss is None and found.use.information is None
    bound = float(terms.bound.sum() + batch.log_jacobian_per_step.sum()) / rows
    assert found.bound == pytest.approx(bound, rel=1e-4)


def test_records_and_the_line_of_progress_say_what_latents_carry(capsys):
    run = vrnn.train(walks(), config=CATEGORIES, training=QUICK)
    record = run.history[-1]
    assert len(record["nats_per_unit"]) == 4
    assert record["val_latent_nats"] == pytest.approx(sum(record["nats_per_unit"]))
    assert record["val_latent_nats"] > 0
    assert 1 <= record["categories_used"] <= 4 and "val_regulariser" not in record
    said = f"latents {record['val_latent_nats']:.3f} nats/step, {record['categories_used']}"
    assert f"{said} categories in use" in capsys.readouterr().err
    gaussian = vrnn.train(walks(), config=CONFIG, training=QUICK).history[-1]
    assert "categories_used" not in gaussian
    assert f"latents {gaussian['val_latent_nats']:.3f} nats/step  " in capsys.readouterr().err
    assert not {"val_latent_nats", "nats_per_unit"} & set(
        vrnn.train(walks(), config=RNN, training=QUICK).history[-1]
    )
    assert "latents" not in capsys.readouterr().err


def test_where_the_posterior_is_the_prior_the_regulariser_is_reported():
    config = vrnn.Seq2SeqVAEConfig(2, hidden=8, latent_dim=3)
    run = vrnn.train(walks(), config=config, training=QUICK, quiet=True)
    record = run.history[-1]
    assert record["val_latent_nats"] == 0 and record["nats_per_unit"] == [0, 0, 0]
    assert record["val_regulariser"] > 0
    assert run.latent_use is not None and not run.latent_use.has_posterior
    assert run.latent_use.loss == 0


def test_a_run_ends_with_the_whole_report_of_the_weights_kept():
    run = vrnn.train(walks(), config=CATEGORIES, training=QUICK, val=walks(6, seed=1), quiet=True)
    use = run.latent_use
    assert use is not None and None not in use
    again = vrnn.latent_use(walks(6, seed=1), model=run.model, samples=20)
    assert use.nats == pytest.approx(again.nats, rel=0.2)
    assert use.shares == pytest.approx(again.shares, abs=0.1)
    assert vrnn.train(walks(), config=RNN, training=QUICK, quiet=True).latent_use is None


def test_the_whole_report_is_of_some_tracks_where_there_are_many(monkeypatch):
    prepared = prepare(CATEGORIES, walks(), QUICK, walks(40, seed=1))
    validator = Validator(
        prepared.trained, make_objective(prepared.trained, prepared.settings), prepared.val
    )
    whole = validator.measure_use()
    monkeypatch.setattr("vrnn.training.validation.USED_ROWS", 120)
    part = validator.measure_use()
    assert whole is not None and part is not None and part.nats != whole.nats
    assert part.nats == pytest.approx(whole.nats, rel=0.3)
    assert part.information_limit < whole.information_limit
