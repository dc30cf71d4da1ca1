"""Which form of a recurrence runs: the fastest that fits, or the plain reference."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, get_args

from vrnn.errors import ConfigError

Backend = Literal["auto", "reference"]
_BACKEND: ContextVar[Backend] = ContextVar("backend", default="auto")


@contextmanager
def backend(name: Backend) -> Iterator[None]:
    """Run the code of a `with` block by one backend.

    "auto", the default, takes the fastest form that fits the model, its device and its data.
    "reference" takes the plain loop over time in PyTorch, which every other form is tested equal
    to. The choice holds for the current thread.

    Raises:
        ConfigError: a name that is neither.

    Example:
        >>> with backend("reference"):
        ...     is_reference()
        True
        >>> is_reference()
        False
    """
    if name not in get_args(Backend):
        raise ConfigError(f"backend: expected auto or reference, found {name!r}")
    token = _BACKEND.set(name)
    try:
        yield
    finally:
        _BACKEND.reset(token)


def is_reference() -> bool:
    """Return whether the plain reference was asked for."""
    return _BACKEND.get() == "reference"
