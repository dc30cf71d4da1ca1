"""Steps that fit into a time."""

from dataclasses import replace

import numpy as np

import vrnn
from vrnn.training import budget

TRACKS = vrnn.Tracks(list(np.random.default_rng(0).normal(size=(20, 12, 2)).cumsum(1)))


def test_steps_are_the_time_over_that_of_a_step(monkeypatch):
    now = [0.0]

    def train(tracks, *, training, **_):
        now[0] += 5.0 + 0.5 * training.steps

    monkeypatch.setattr(budget, "train", train)
    monkeypatch.setattr(budget.time, "perf_counter", lambda: now[0])
    settings = vrnn.TrainConfig(steps=2000)
    found = budget.steps_within(5.0, TRACKS, vrnn.RNNConfig(2), settings)
    assert found == 400  # 0.7 * 300 s / 0.5 s, to 50 steps
    assert budget.steps_within(0.01, TRACKS, vrnn.RNNConfig(2), settings) == budget.FEWEST_STEPS
    assert budget.steps_within(500.0, TRACKS, vrnn.RNNConfig(2), settings) == 2000
    few = replace(settings, steps=30)
    assert budget.steps_within(5.0, TRACKS, vrnn.RNNConfig(2), few) == 30


def test_it_measures_this_machine():
    config = vrnn.RNNConfig(2, hidden=4)
    found = budget.steps_within(0.05, TRACKS, config, vrnn.TrainConfig(steps=10**6))
    assert budget.FEWEST_STEPS <= found < 10**6
