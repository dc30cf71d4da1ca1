"""Numbers that change from step to step."""

from dataclasses import replace
from itertools import pairwise

import pytest
from tests.training.runs import CONFIG, SETTINGS, walks

import vrnn


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
