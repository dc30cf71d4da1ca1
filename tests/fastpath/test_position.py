"""The plan of a model that knows its position: equal to the loop, where particles are at one place."""

import pytest
from tests.helpers.fast_paths import (
    KINDS,
    POSITIONED,
    Kind,
    compare,
    count_plan_calls,
    make_case,
    run,
)
from tests.models.settings import build

LEFT_TO_THE_LOOP = ("position-vrnn-lstm-u", "position-rssm")  # as the models inside are
TAKEN: dict[Kind, list[bool]] = {  # of the complete segments, with two samples
    "even": [True],
    "unequal": [True],
    "gaps": [True, False],  # each sample draws its own way through the gap
    "start": [False],  # samples that came from elsewhere
    "start in a gap": [False],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", POSITIONED)
def test_it_equals_the_loop(name: str, kind: Kind):
    model = build(POSITIONED[name])
    compare(model, make_case(model, POSITIONED[name], kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", POSITIONED)
def test_it_runs_where_all_samples_are_at_one_place(name: str, kind: Kind, monkeypatch):
    model, fits = build(POSITIONED[name]), name not in LEFT_TO_THE_LOOP
    calls = count_plan_calls(monkeypatch, model)
    run(model, make_case(model, POSITIONED[name], kind))
    assert calls == [taken and fits for taken in TAKEN[kind]]
    calls.clear()
    run(model, make_case(model, POSITIONED[name], kind, samples=1))
    assert calls == [fits] * len(TAKEN[kind])
