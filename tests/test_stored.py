"""Values of JSON files become the dataclasses that were written, or are refused by name."""

import json
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

import pytest

from vrnn.errors import ConfigError
from vrnn.stored import SHOWN, read_json, revive, shown


@dataclass(frozen=True)
class Part:
    size: Annotated[int, "a range"]
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Whole:
    name: str
    scale: float
    on: bool
    pair: tuple[float, float]
    many: tuple[Part, ...] = ()
    part: Part | None = None


WHOLE = Whole("n", 0.5, True, (1.0, 2), (Part(1), Part(2, "b")), Part(3))


def test_what_was_written_comes_back():
    for whole in (WHOLE, Whole("", 1, False, (0.0, 0.0))):
        assert revive(Whole, json.loads(json.dumps(asdict(whole))), complete=True) == whole
        assert revive(Whole, asdict(whole)) == whole


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 3}, "w.name: expected a text, found 3"),
        ({"scale": "1"}, "w.scale: expected a finite number, found '1'"),
        ({"scale": True}, "w.scale: expected a finite number, found True"),
        ({"scale": float("inf")}, "w.scale: expected a finite number, found inf"),
        ({"scale": 10**400}, "w.scale: expected a finite number"),
        ({"on": 1}, "w.on: expected true or false, found 1"),
        ({"pair": [1.0]}, r"w.pair: expected a list of 2, found \[1.0\]"),
        ({"pair": 1.0}, "w.pair: expected a list of 2, found 1.0"),
        ({"pair": [1.0, None]}, r"w.pair\[1\]: expected a finite number, found None"),
        ({"many": {}}, "w.many: expected a list, found {}"),
        ({"many": [{"size": 1.0}]}, r"w.many\[0\].size: expected a whole number, found 1.0"),
        ({"many": [{}]}, r"w.many\[0\]: absent settings: size"),
        ({"part": {"size": 2**63}}, "w.part.size: expected a whole number"),
        ({"part": {"size": 1, "kind": "c"}}, "w.part.kind: expected one of 'a', 'b', found 'c'"),
        ({"part": {"size": 1, "kind": []}}, "w.part.kind: expected one of"),
        ({"part": []}, r"w.part: expected an object of settings, found \[\]"),
        ({"other": 1}, "w: unknown settings: other"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        revive(Whole, {**asdict(WHOLE), **change}, "w")


def test_entries_with_a_default_may_be_absent_unless_all_are_asked_for():
    values = {k: v for k, v in asdict(WHOLE).items() if k not in ("many", "part")}
    assert revive(Whole, values).part is None
    with pytest.raises(ConfigError, match="absent settings: many, part"):
        revive(Whole, values, complete=True)


@pytest.mark.parametrize("text", ["NaN", "[-Infinity]", "[" * 100_000, "{", "", "9" * 5000])
def test_json_that_is_none_is_a_value_error(text):
    with pytest.raises(ValueError):
        read_json(text)


def test_long_values_are_cut_off():
    assert len(shown(list(range(1000)))) == SHOWN + 3 and shown([1]) == "[1]"
