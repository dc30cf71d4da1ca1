"""What the fields of a config may hold: declared in their types, checked by one function."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from vrnn.errors import LARGEST, ConfigError


@dataclass(frozen=True)
class Range:
    """The numbers that a setting may hold, as metadata of an `Annotated` type.

    Args:
        at_least: smallest number allowed.
        above: every number allowed is larger than this one.
        at_most: largest number allowed.
        below: every number allowed is smaller than this one.
    """

    at_least: int | float | None = None
    above: int | float | None = None
    at_most: int | float | None = None
    below: int | float | None = None

    def __contains__(self, value: Any) -> bool:
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        if self.at_least is not None and self.at_most is not None:
            return f"from {self.at_least:g} to {self.at_most:g}"
        parts = ("of at least", self.at_least), ("above", self.above), ("below", self.below)
        return " and ".join(f"{words} {bound:g}" for words, bound in parts if bound is not None)


PositiveInt = Annotated[int, Range(at_least=1)]
NonNegativeInt = Annotated[int, Range(at_least=0)]
PositiveFloat = Annotated[float, Range(above=0)]
NonNegativeFloat = Annotated[float, Range(at_least=0)]
Fraction = Annotated[float, Range(at_least=0, at_most=1)]
ProperFraction = Annotated[float, Range(at_least=0, below=1)]

SHARED = {
    "x_dim": PositiveInt,
    "u_dim": NonNegativeInt,
    "y_dim": NonNegativeInt,
    "hidden": PositiveInt,
    "latent_dim": PositiveInt,
    "depth": NonNegativeInt,
}
"""What the settings that several models share may hold, where their type is a plain `int`."""


def check_settings(config: Any, prefix: str = "") -> None:
    """Refuse every value that the type of its field does not allow.

    Args:
        config: a dataclass whose fields have types such as `PositiveInt`, `Literal` or `bool`.
        prefix: what a message writes before the name of a field, such as "augment.".

    Raises:
        ConfigError: names the setting, what was expected and what was found.

    >>> from vrnn.models.rnn import RNNConfig
    >>> RNNConfig(x_dim=2, cell="tanh")
    Traceback (most recent call last):
    vrnn.errors.ConfigError: cell: expected one of gru, lstm, found 'tanh'
    """
    hints = get_type_hints(type(config), include_extras=True)
    for field in fields(config):
        value, hint = getattr(config, field.name), hints[field.name]
        hint = SHARED.get(field.name, hint) if hint is int else hint
        if not allows(hint, value):
            what = f"no number above {LARGEST}" if too_large(value) else expected(hint)
            raise ConfigError(setting=f"{prefix}{field.name}", expected=what, found=repr(value))


def allows(hint: Any, value: Any) -> bool:
    """Return whether a type allows a value; types that say nothing about values allow all.

    >>> allows(PositiveInt | None, None), allows(PositiveInt | None, 0), allows(Fraction, 1)
    (True, False, True)
    >>> allows(tuple[PositiveFloat, ...], (1.0, 0.5)), allows(tuple[PositiveFloat, ...], ())
    (True, False)
    """
    kind, parts = get_origin(hint), get_args(hint)
    if kind is Annotated:
        ranges = [part for part in parts[1:] if isinstance(part, Range)]
        return allows(parts[0], value) and all(value in allowed for allowed in ranges)
    if kind is Literal:
        return value in parts
    if kind in (Union, UnionType):
        return any(allows(part, value) for part in parts)
    if kind is tuple:
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            return False
        return (parts[-1] is ... or len(value) == len(parts)) and all(
            allows(parts[0], item) for item in value
        )
    if hint in (int, float):
        number = Integral if hint is int else Real
        is_number = isinstance(value, number) and not isinstance(value, bool)
        return is_number and value == value and not too_large(value)
    return isinstance(value, hint) if hint in (bool, str, NoneType) else True


def too_large(value: Any) -> bool:
    """Return whether a number, or one of several, is larger than any that a tensor takes.

    >>> too_large(2**63), too_large(float("inf")), too_large((1.0, 2.0)), too_large("a")
    (True, True, False, False)
    """
    if isinstance(value, tuple | list):
        return any(map(too_large, value))
    if isinstance(value, Integral):
        return abs(int(value)) > LARGEST
    return isinstance(value, Real) and math.isinf(value)


def expected(hint: Any) -> str:
    """Return in words what a type allows.

    >>> expected(PositiveInt | None), expected(ProperFraction)
    ('a whole number of at least 1 or None', 'a number of at least 0 and below 1')
    >>> expected(tuple[PositiveFloat, ...]), expected(tuple[PositiveFloat, PositiveFloat])
    ('one or more numbers, each above 0', '2 numbers, each above 0')
    """
    kind, parts = get_origin(hint), get_args(hint)
    if kind is Annotated:
        ranges = [str(part) for part in parts[1:] if isinstance(part, Range)]
        return " ".join([expected(parts[0]), *ranges])
    if kind is Literal:
        return f"one of {', '.join(map(str, parts))}"
    if kind in (Union, UnionType):
        return " or ".join(expected(part) for part in parts)
    if kind is tuple:
        count = "one or more" if parts[-1] is ... else len(parts)
        return f"{count} {expected(parts[0]).removeprefix('a ').replace('number', 'numbers, each')}"
    words: dict[Any, str] = {int: "a whole number", float: "a number", bool: "True or False"}
    words |= {str: "a text", NoneType: "None"}
    return words.get(hint, str(hint))
