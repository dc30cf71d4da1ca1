"""The training loop: what a step does, what it reports, and which weights are kept."""

from dataclasses import replace

import pytest
import torch
from tests.training.runs import CONFIG, QUICK, RNN, SETTINGS, timeless, walks
from torch.optim.optimizer import register_optimizer_step_pre_hook

import vrnn
from vrnn.training.resume import load_state
from vrnn.training.trackers import best_record


def test_gradient_is_clipped_before_the_step():
    norms = []

    def look(optimiser, args, kwargs) -> None:
        gradients = [p.grad for group in optimiser.param_groups for p in group["params"]]
        norms.append(float(torch.linalg.vector_norm(torch.stack([g.norm() for g in gradients]))))

    hook = register_optimizer_step_pre_hook(look)
    try:
        run = vrnn.train(walks(), config=RNN, training=replace(QUICK, grad_clip=1e-3), quiet=True)
    finally:
        hook.remove()
    assert len(norms) == 4 and max(norms) <= 1e-3 * (1 + 1e-4)
    assert min(r["gradient_norm"] for r in run.history) > 1e-2  # reported as it was before


def test_loss_is_per_observed_row_and_adds_up():
    run = vrnn.train(walks(), config=CONFIG, training=replace(SETTINGS, free_bits=0.1), quiet=True)
    for record in run.history:
        future = SETTINGS.energy_weight * record.get("score", 0.0)
        assert record["loss"] == pytest.approx(record["nll"] + record["penalty"] + future, rel=1e-5)
    assert ["score" in record for record in run.history] == [
        record["step"] > 4 for record in run.history
    ]
    assert [r["kl_weight"] for r in run.history[:7]] == pytest.approx(
        [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1, 1]
    )


def test_fivo_claims_no_bound_while_the_kl_is_raised():
    settings = replace(SETTINGS, objective="fivo", samples=2, steps=6, kl_warmup=4, log_every=1)
    found = [
        r["bound"] is None
        for r in vrnn.train(walks(), config=CONFIG, training=settings, quiet=True).history
    ]
    assert found == [True] * 3 + [False] * 3


def test_augmentation_ends_where_told():
    """With `until` 0 nothing is changed; with a half, the first half of the steps are those of an augmented run."""
    half, whole, none, never = (
        timeless(
            vrnn.train(
                walks(), config=CONFIG, training=replace(SETTINGS, augment=augment), quiet=True
            ).history
        )
        for augment in (
            replace(SETTINGS.augment, until=0.5),
            SETTINGS.augment,
            replace(SETTINGS.augment, until=0.0),
            vrnn.AugmentConfig(),
        )
    )
    middle = SETTINGS.steps // 2
    assert none == never and half[:middle] == whole[:middle] and half[middle:] != whole[middle:]


def test_validation_begins_anew_when_futures_are_drawn(tmp_path):
    """A bound alone and a bound with a score are two quantities, of which only the second is compared from then on."""
    settings = replace(SETTINGS, validate_every=2, energy_weight=50.0)
    run = vrnn.train(walks(), config=CONFIG, training=settings, out=tmp_path / "run", quiet=True)
    validated = [r for r in run.history if "val_bound" in r]
    assert ["val_score" in r for r in validated] == [r["step"] > 4 for r in validated]
    best = best_record(run.history, 50.0)
    assert (
        best["val_bound"] - 50 * best["val_score"] < validated[0]["val_bound"]
    )  # which would have stayed the best
    assert load_state(tmp_path / "run").progress.best_step == best["step"] > 4


def test_training_does_not_stop_before_futures_are_drawn():
    settings = replace(
        SETTINGS, steps=40, validate_every=1, patience=1, learning_rate=0.3, warmup=0
    )
    stopped = vrnn.train(
        walks(), config=CONFIG, training=replace(settings, energy_weight=0.0), quiet=True
    ).history
    assert stopped[-1]["step"] < settings.first_future
    history = vrnn.train(walks(), config=CONFIG, training=settings, quiet=True).history
    assert settings.first_future < history[-1]["step"] < 40


def test_best_weights_are_those_of_the_best_step_and_no_alias():
    train, val = walks(8, seed=1), walks(40, seed=2)
    settings = vrnn.TrainConfig(
        steps=120,
        batch_size=8,
        learning_rate=0.02,
        schedule="constant",
        warmup=0,
        validate_every=10,
    )
    config = vrnn.RNNConfig(2, hidden=32)
    run = vrnn.train(train, config=config, training=settings, val=val, quiet=True)
    values = {r["step"]: r["val_bound"] for r in run.history if "val_bound" in r}
    best = max(values, key=values.__getitem__)
    assert best < 120 and values[120] < values[best] - 0.1  # it overfits
    short = vrnn.train(
        train, config=config, training=replace(settings, steps=best), val=val, quiet=True
    )
    assert short.history[-1]["val_bound"] == values[best]
    for name, value in short.model.network.state_dict().items():
        assert torch.equal(value, run.model.network.state_dict()[name]), name


def test_early_stopping():
    settings = replace(QUICK, steps=100, patience=3, learning_rate=1e-30)  # weights that never move
    run = vrnn.train(walks(), config=RNN, training=settings, quiet=True)
    assert run.history[-1]["step"] == 2 * (1 + 3)
