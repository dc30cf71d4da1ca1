"""The moving average of weights: its recursion, and that training validates and keeps it."""

from dataclasses import replace

import torch
from tests.training.runs import CONFIG, SETTINGS, walks

import vrnn
from vrnn.models import make_model
from vrnn.training.ema import EMA
from vrnn.training.weights import copy_weights


def test_average_is_the_recursion():
    model = make_model(CONFIG)
    ema, expected = EMA(model, 0.5), copy_weights(model)
    for step in range(8):
        with torch.no_grad():
            for p in model.parameters():
                p += torch.randn_like(p)
        ema.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = {k: decay * expected[k] + (1 - decay) * v for k, v in model.state_dict().items()}
    now = copy_weights(model)
    with ema.applied():
        for name, value in model.state_dict().items():
            torch.testing.assert_close(value, expected[name])
    assert all(torch.equal(v, now[k]) for k, v in model.state_dict().items())


def test_without_decay_nothing_is_kept():
    model = make_model(CONFIG)
    ema = EMA(model, 0.0)
    ema.update(0)
    before = copy_weights(model)
    with ema.applied():
        assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert not ema.weights


def test_training_keeps_the_average():
    settings = replace(SETTINGS, validate_every=SETTINGS.steps)
    kept, last = (
        vrnn.train(
            walks(), config=CONFIG, training=replace(settings, ema_decay=decay), quiet=True
        ).model.network.state_dict()
        for decay in (0.9, 0.0)
    )
    assert any(not torch.equal(kept[k], last[k]) for k in last)
