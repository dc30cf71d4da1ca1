"""The check of settings: what the type of a field allows, and how a refusal reads."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pytest

from vrnn.errors import ConfigError
from vrnn.models.settings import (
    Fraction,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ProperFraction,
    Range,
    allows,
    check_settings,
    expected,
)

ALLOWED = [
    (
        PositiveInt,
        (1, 7, 2**63 - 1, np.int64(3)),
        (0, -1, 2**63, 1.0, True, "1", None, float("nan")),
    ),
    (NonNegativeInt, (0, 1), (-1, 0.5)),
    (PositiveFloat, (1, 0.1, np.float32(2.0)), (0, -1.0, float("nan"), float("inf"), "a", None)),
    (Fraction, (0, 1, 0.5), (-0.1, 1.1)),
    (ProperFraction, (0, 0.999), (1, 1.0, -0.1)),
    (PositiveInt | None, (None, 2), (0, 1.5)),
    (Literal["a", "b"], ("a", "b"), ("c", None)),
    (bool, (True, False), (0, 1, None)),
    (tuple[PositiveFloat, PositiveFloat], ((1.0, 2), [1, 2]), ((1.0,), (1, 2, 3), (0, 1), 3, "ab")),
    (tuple[PositiveFloat, ...], ((1.0,), (1, 2, 3)), ((), (1, 0))),
    (str, ("anything", ""), (3, None)),
]


@pytest.mark.parametrize(("hint", "good", "bad"), ALLOWED, ids=lambda value: str(value)[:40])
def test_a_type_allows_its_values_alone(hint, good, bad):
    assert all(allows(hint, value) for value in good)
    assert not any(allows(hint, value) for value in bad)


def test_a_range_in_words():
    assert expected(Annotated[int, Range(at_least=2)]) == "a whole number of at least 2"
    assert expected(Annotated[float, Range(above=0, below=1)]) == "a number above 0 and below 1"
    assert expected(Fraction | None) == "a number from 0 to 1 or None"


def test_a_refusal_names_the_setting_what_was_expected_and_what_was_found():
    @dataclass(frozen=True)
    class Config:
        depth: NonNegativeInt = 1
        task: Literal["a", "b"] = "a"
        hidden: int = 4
        other: int = 4

        def __post_init__(self) -> None:
            check_settings(self, prefix="part.")

    assert Config(depth=0, other=-3).other == -3
    for values, message in (
        ({"depth": -1}, "part.depth: expected a whole number of at least 0, found -1"),
        ({"task": "c"}, "part.task: expected one of a, b, found 'c'"),
        ({"hidden": 0}, "part.hidden: expected a whole number of at least 1, found 0"),
        ({"other": 2**63}, f"part.other: expected no number above {2**63 - 1}, found {2**63}"),
        ({"other": "4"}, "part.other: expected a whole number, found '4'"),
    ):
        with pytest.raises(ConfigError) as error:
            Config(**values)
        assert str(error.value) == message
