"""Properties that hypothesis tries on many examples under `make fuzz`, and on a few at every test."""

import inspect
import os
import signal
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from vrnn.console import visible
from vrnn.errors import VrnnError, VrnnWarning

FEW = 20
"""Examples of a property in the ordinary tests; they are the same each time."""
MANY = int(os.environ.get("VRNN_FUZZ_EXAMPLES", "2000"))
"""Examples of a quick property under `make fuzz`; they are new each time."""
LONGEST = 1000
"""Most characters of a message."""
TRIED = "tried"
"""The property of a test's report that holds what was tried."""


class HangError(AssertionError):
    """An example that did not end in time."""


def fuzz(
    *, share: float = 1.0, few: int = FEW, seconds: float = 10.0, **strategies: st.SearchStrategy
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a property into two tests: one of a few examples, and one of many marked `fuzz`.

    An example fails if it raises, warns of anything but `VrnnWarning`, or takes too long.

    Args:
        share: examples of the test of many, as a share of `MANY`; the slower, the fewer.
        few: examples of the test of a few.
        seconds: the longest that an example may take.
        strategies: arguments of the property that are drawn. `tried` is a counter, and the others
            are fixtures.
    """

    def decorate(check: Callable[..., None]) -> Callable[..., None]:
        fixtures = [n for n in inspect.signature(check).parameters if n not in strategies]
        fixtures.remove("tried")

        @pytest.mark.parametrize("many", [False, pytest.param(True, marks=pytest.mark.fuzz)])
        def test(many: bool, request: pytest.FixtureRequest) -> None:
            values = {name: request.getfixturevalue(name) for name in fixtures}

            @effort(many, share=share, few=few)
            @given(st.fixed_dictionaries(strategies))
            def try_example(drawn: dict[str, Any]) -> None:
                tried["examples"] += 1
                with in_time(seconds), without_warnings():
                    check(**values, **drawn, tried=tried)

            with counting(request) as tried:
                try_example()

        test.__doc__ = check.__doc__
        return test

    return decorate


def effort(many: bool, *, share: float = 1.0, few: int = FEW, steps: int = 50) -> settings:
    """Return how long to try a property.

    Args:
        many: whether to try many examples, which are new each time.
        share: examples as a share of `MANY`.
        few: examples otherwise.
        steps: the most steps of a state machine.
    """
    return settings(
        max_examples=max(few, int(MANY * share)) if many else few,
        stateful_step_count=steps,
        derandomize=not many,
        database=settings().database if many else None,
        deadline=None,
        phases=[phase for phase in Phase if phase is not Phase.explain],
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def counting(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """Return a counter, in a `with` block, that the report of the test holds in the end."""
    tried: Counter[str] = Counter()
    try:
        yield tried
    finally:
        request.node.user_properties.append((TRIED, dict(tried)))


@contextmanager
def in_time(seconds: float) -> Iterator[None]:
    """Fail where the block takes longer; where the system has alarms, the block is also stopped."""

    def stop(*_: Any) -> None:
        raise HangError(f"no end after {seconds} seconds")

    alarm = hasattr(signal, "setitimer")
    if alarm:
        before = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, seconds)
    started = time.perf_counter()
    try:
        yield
        if time.perf_counter() - started > seconds:
            stop()
    finally:
        if alarm:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


@contextmanager
def in_memory(more: int) -> Iterator[None]:
    """Fail where the block takes more bytes of memory than that, on systems that can limit it."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextmanager
def without_warnings() -> Iterator[None]:
    """Fail where the block warns of anything but `VrnnWarning`."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", VrnnWarning)
        yield


def check_message(error: VrnnError) -> None:
    """Check that an error is one short line that any console can show."""
    text = str(error)
    assert text.strip() and len(text.splitlines()) == 1, repr(text)
    assert text == visible(text), repr(text)
    assert len(text) <= LONGEST, (len(text), text)
