"""Steps that fit into a time."""

from dataclasses import replace

import numpy as np

import vrnn
from vrnn.training import budget

TRACKS = vrnn.Tracks(list(np.random.default_rng(0).normal(size=(20, 12, 2)).cumsum(1)))


def timed(monkeypatch, seconds):
    """Let a training take some seconds to begin and `seconds(i)` for step i."""

    def train(tracks, *, training, tracker, **_):
        now = 5.0
        for i in range(training.steps):
            now += seconds(i)
            tracker.log({"seconds": now})

    monkeypatch.setattr(budget, "train", train)


def test_steps_are_the_time_over_that_of_a_step(monkeypatch):
    timed(monkeypatch, lambda i: 0.05 if i != 20 else 1.0)  # one pause
    settings = vrnn.TrainConfig(steps=5000)
    within = lambda minutes, given=settings: budget.steps_within(  # noqa: E731
        minutes, TRACKS, vrnn.RNNConfig(2), given
    )
    assert within(5.0) == 4200  # 0.7 * 300 s / 0.05 s
    assert within(0.01) == budget.FEWEST_STEPS
    assert within(500.0) == 5000
    assert within(5.0, replace(settings, steps=30)) == 30


def test_slow_steps_are_measured_for_seconds_alone(monkeypatch):
    taken = []
    timed(monkeypatch, lambda i: taken.append(i) or 2.0)
    settings = vrnn.TrainConfig(steps=2000)
    found = budget.steps_within(10.0, TRACKS, vrnn.RNNConfig(2), settings)
    assert found == 200 and len(taken) < 5


def test_it_measures_this_machine():
    config = vrnn.RNNConfig(2, hidden=4)
    found = budget.steps_within(0.05, TRACKS, config, vrnn.TrainConfig(steps=10**6))
    assert budget.FEWEST_STEPS <= found < 10**6
