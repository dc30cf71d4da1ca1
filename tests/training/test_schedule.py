"""Numbers that change from step to step."""

from dataclasses import replace
from itertools import pairwise

import pytest
from tests.helpers.small_runs import CONFIG, SETTINGS, walks

import vrnn
from vrnn.training.schedule import free_bits, kl_weight


def test_learning_rate_rises_and_falls():
    rates = [
        r["learning_rate"]
        for r in vrnn.train(walks(), config=CONFIG, training=SETTINGS, quiet=True).history
    ]
    assert rates[:4] == pytest.approx([1e-2 / 4, 2e-2 / 4, 3e-2 / 4, 1e-2])
    assert all(a > b for a, b in pairwise(rates[3:])) and rates[-1] < 1e-3
    constant = vrnn.train(
        walks(),
        config=CONFIG,
        training=replace(SETTINGS, schedule="constant", warmup=0),
        quiet=True,
    )
    assert {r["learning_rate"] for r in constant.history} == {1e-2}


def test_free_bits_fall_to_zero():
    config = vrnn.TrainConfig(steps=100, free_bits=0.5, free_bits_until=0.4)
    assert [free_bits(config, step) for step in (0, 10, 20, 40, 99)] == [0.5, 0.375, 0.25, 0.0, 0.0]
    assert free_bits(config, None) == 0.0  # validation minimises nothing
    assert free_bits(replace(config, free_bits_until=0.0), 0) == 0.0


def test_the_weight_of_the_kl_rises_to_one():
    config = vrnn.TrainConfig(steps=100, kl_warmup=4)
    assert [kl_weight(config, step) for step in (0, 1, 3, 4)] == [0.25, 0.5, 1.0, 1.0]
    assert kl_weight(config, None) == kl_weight(vrnn.TrainConfig(), 0) == 1.0
