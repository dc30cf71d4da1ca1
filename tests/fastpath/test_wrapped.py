"""Plans of models around another one: equal to the loop, where all particles saw the same moves."""

import pytest
from tests.helpers.fast_paths import (
    KINDS,
    WRAPPED,
    Kind,
    compare,
    count_plan_calls,
    make_case,
    run,
)
from tests.models.settings import build

LEFT_TO_THE_LOOP = ("position-vrnn-lstm-u", "position-rssm")
TAKEN: dict[Kind, list[bool]] = {  # of the complete segments, with two samples
    "even": [True],
    "unequal": [True],
    "gaps": [True, False],  # each sample draws its own way through the gap
    "start": [False],  # samples that came from elsewhere
    "start in a gap": [False],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", WRAPPED)
def test_it_equals_the_loop(name: str, kind: Kind):
    model = build(WRAPPED[name])
    compare(model, make_case(model, WRAPPED[name], kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", WRAPPED)
def test_it_runs_where_all_samples_saw_the_same(name: str, kind: Kind, monkeypatch):
    model, fits = build(WRAPPED[name]), name not in LEFT_TO_THE_LOOP
    calls = count_plan_calls(monkeypatch, model)
    run(model, make_case(model, WRAPPED[name], kind))
    assert calls == [taken and fits for taken in TAKEN[kind]]
    calls.clear()
    run(model, make_case(model, WRAPPED[name], kind, samples=1))
    assert calls == [fits] * len(TAKEN[kind])
