"""The share of a long test that the default suite runs; the rest is of the matrix."""

from collections.abc import Iterable
from typing import Any

import pytest


def few(values: Iterable[Any], count: int = 1) -> list:
    """Return the values of a parametrised test; all but the first ones are of the matrix."""
    marks = lambda i: () if i < count else pytest.mark.matrix  # noqa: E731
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=marks(i))
        for i, value in enumerate(values)
    ]
