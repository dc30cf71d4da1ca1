"""Values of a JSON file as the dataclasses that were written to it, or a refusal that names the entry."""

import json
import math
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from vrnn.errors import ConfigError

SHOWN = 60
"""Most characters of a value that a message shows."""
WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a finite number",
    bool: "true or false",
    str: "a text",
    NoneType: "null",
}


def read_json(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: no JSON, a number that is not finite, or values nested too deeply.
    """

    def refuse(word: str) -> None:
        raise ValueError(f"a number that is not finite: {word}")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise ValueError("values nested too deeply") from None


def revive(kind: Any, value: Any, name: str = "", *, complete: bool = False) -> Any:
    """Return what a JSON value stands for under a type: lists become tuples, objects dataclasses.

    Args:
        kind: a dataclass, a tuple, a union with None, a literal, or int, float, bool or str.
        value: the value.
        name: of the entry, for messages.
        complete: whether entries with a default must be there too.

    Raises:
        ConfigError: names the entry, what was expected and what was found.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Size:
    ...     width: int
    ...     parts: tuple[float, ...] = ()
    >>> revive(Size, {"width": 3, "parts": [0.5, 1]})
    Size(width=3, parts=(0.5, 1))
    >>> revive(Size, {"width": "3"}, "size")
    Traceback (most recent call last):
    vrnn.errors.ConfigError: size.width: expected a whole number, found '3'
    """
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return revive(parts[0], value, name, complete=complete)
    if origin in (Union, UnionType):
        (inner,) = [part for part in parts if part is not NoneType]
        return None if value is None else revive(inner, value, name, complete=complete)
    if is_dataclass(kind):
        return _dataclass(kind, value, name, complete)
    if origin is tuple:
        many = parts[-1] is ...
        if not isinstance(value, list | tuple) or not (many or len(value) == len(parts)):
            raise _refusal(name, "a list" if many else f"a list of {len(parts)}", value)
        return tuple(
            revive(parts[0], item, f"{name}[{i}]", complete=complete)
            for i, item in enumerate(value)
        )
    if not _fits(kind, value):
        expected = f"one of {', '.join(map(repr, parts))}" if origin is Literal else WORDS[kind]
        raise _refusal(name, expected, value)
    return value


def _dataclass(kind: Any, value: Any, name: str, complete: bool) -> Any:
    """Return the dataclass of an object."""
    if not isinstance(value, dict):
        raise _refusal(name, "an object of settings", value)
    types = get_type_hints(kind, include_extras=True)
    known = {f.name: f for f in fields(kind)}
    unknown = value.keys() - known.keys()
    absent = {
        f.name
        for f in known.values()
        if f.name not in value
        and (complete or (f.default is MISSING and f.default_factory is MISSING))
    }
    for what, names in (("unknown", unknown), ("absent", absent)):
        if names:
            raise ConfigError(f"{what} settings: {', '.join(sorted(names))}", where=name)
    dot = f"{name}." if name else ""
    return kind(
        **{n: revive(types[n], v, f"{dot}{n}", complete=complete) for n, v in value.items()}
    )


def _fits(kind: Any, value: Any) -> bool:
    """Return whether a plain value has a type."""
    if get_origin(kind) is Literal:
        return any(type(value) is type(choice) and value == choice for choice in get_args(kind))
    if kind in (int, float):
        if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
            return False
        return -(2**63) <= value < 2**63 if isinstance(value, int) else math.isfinite(value)
    return isinstance(value, kind)


def shown(value: Any) -> str:
    """Return a value as a message shows it.

    >>> shown("abc"), len(shown("a" * 1000))
    ("'abc'", 63)
    """
    return cut_off(repr(value))


def cut_off(text: str) -> str:
    """Return the beginning of a long text."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _refusal(name: str, expected: str, found: Any) -> ConfigError:
    """Return the error of a value of another type."""
    return ConfigError(where=name, expected=expected, found=shown(found))
