"""The ways out that messages name: where they stand in the source, and which of them tests take.

A claim names a message by its file and by words of it: `data/io/npz.py: one set of tracks`.
"""

import ast
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import vrnn

SOURCE = Path(vrnn.__file__).parent
RAISING = ("Error", "damaged", "unwritable")
"""Ends of the names of what makes an error."""
taken: set[str] = set()
"""Claims of all tests."""
heard: list[str] = []
"""Messages that the test in progress has provoked."""


class Site(NamedTuple):
    """A call that makes an error with a way out.

    Attributes:
        file: path below the package.
        line: of the call.
        text: all literal words of the call, also those of the constants that it names.
        way_out: the literal words of the way out.
    """

    file: str
    line: int
    text: str
    way_out: str

    @property
    def asks(self) -> bool:
        """Whether the way out is a question, such as "is it complete?"."""
        return self.way_out.rstrip().endswith("?")


def takes(*claims: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator of a test that provokes messages and takes their ways out.

    The test fails unless every claim was heard.
    """
    taken.update(claims)

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def checked(*args: object, **more: object) -> None:
            heard.clear()
            test(*args, **more)
            for claim in claims:
                check_heard(claim)

        return checked

    return decorate


def check_heard(claim: str) -> None:
    """Check that the words of a claim are in a message that was heard."""
    words = claim.partition(": ")[2]
    assert any(words in message for message in heard), f"{words!r} is in none of {heard}"


@functools.cache
def trees() -> dict[str, ast.Module]:
    """Return the syntax of every file of the package, by its path below it."""
    paths = sorted(SOURCE.rglob("*.py"))
    return {p.relative_to(SOURCE).as_posix(): ast.parse(p.read_text("utf-8")) for p in paths}


@functools.cache
def sites() -> list[Site]:
    """Return every call of the package that makes an error with a way out.

    The way out is the argument `hint`, or stands after the last semicolon of a text.
    """
    constants = {
        target.id: node.value
        for tree in trees().values()
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = []
    for file, tree in trees().items():
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and _name(call).endswith(RAISING):
                text = _words(call, constants)
                hint = next((k.value for k in call.keywords if k.arg == "hint"), None)
                own = _words(call, {})
                way_out = own.rpartition(";")[2] if hint is None else _words(hint, constants)
                if hint is not None or ";" in own:
                    found.append(Site(file, call.lineno, text, way_out))
    return found


def literals(file: str) -> list[str]:
    """Return all texts in a file of the package."""
    return list(_texts(trees()[file]))


def _name(call: ast.Call) -> str:
    return getattr(call.func, "attr", "") or getattr(call.func, "id", "")


def _words(node: ast.AST, constants: dict[str, ast.expr]) -> str:
    """Return the texts of an expression, with a gap where something else stands between them."""
    named = [
        constants[n.id] for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in constants
    ]
    return " ... ".join(text for part in (node, *named) for text in _texts(part))


def _texts(node: ast.AST) -> Iterator[str]:
    """Yield the texts of an expression in the order of the source."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from _texts(child)
