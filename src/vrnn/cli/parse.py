"""From a command's function and the words after it to a call; usage errors become one line.

The library that reads the words is cyclopts. It is well kept and makes flags from typed functions.
It raises one class of exception for each kind of mistake, and their fields hold the flag, the token
and the type. The others lack that:

- tyro 1.0 draws a box on standard error and exits. Its hook for mistakes is private and unstable.
  The hook gets a bad number as a sentence.
- typer takes no dataclass for a group of flags.

In click, which has such exceptions, each flag is declared by hand.
"""

import difflib
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from cyclopts import (
    App,
    ArgumentCollection,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from vrnn.cli.flags import Flat, flag_of
from vrnn.data.io.compressed import STDIN
from vrnn.errors import VrnnError

KINDS = {int: "a whole number", float: "a number", bool: "true or false"}


class UsageError(VrnnError):
    """Flags that a command does not have, or values that it cannot read."""


class Command:
    """A function that is called with the words of a command line.

    Args:
        function: its parameters become flags, as `Flat` says; the name of a positional one is
            shown in capitals.
        prog: what the help calls it.

    >>> def greet(name: str, /, *, times: int = 1): return ", ".join([f"hello {name}"] * times)
    >>> Command(greet, "greet").parse(["anna", "--times", "2"])()
    'hello anna, hello anna'
    >>> Command(greet, "greet").parse(["anna", "--time", "2"])
    Traceback (most recent call last):
    vrnn.cli.parse.UsageError: no such option: --time; did you mean --times?; see: greet --help
    """

    def __init__(self, function: Callable[..., Any], prog: str):
        self.function, self.prog = function, prog
        flat = Flat(function)

        def call(*args: Any, **values: Any) -> Any:
            return flat(*args, **values)

        call.__signature__ = flat.signature  # type: ignore (a function has one)
        call.__annotations__ = {n: p.annotation for n, p in flat.signature.parameters.items()}
        self._app = App(
            name=prog,
            help=flat.description,
            usage=f"{self._usage(flat)}\n",
            help_format="plaintext",
            help_flags=(),
            version_flags=(),
            exit_on_error=False,
            print_error=False,
        )
        self._app.default(call)

    def _usage(self, flat: Flat) -> str:
        """Return the first line of the help: DATA, then the flags that are required."""
        words = [self.prog]
        for parameter in flat.signature.parameters.values():
            kind, *said = get_args(parameter.annotation)
            if parameter.kind is parameter.POSITIONAL_ONLY:
                words.append(parameter.name.upper())
            elif parameter.default is parameter.empty:
                metavars = [m.metavar for m in said if getattr(m, "metavar", None)]
                words.append(f"{flag_of(parameter.name)} {(*metavars, kind.__name__.upper())[0]}")
        return " ".join(["Usage:", *words, "[OPTIONS]"])

    def parse(self, words: Sequence[str]) -> Callable[[], Any]:
        """Return the call that the words ask for, not yet made; for `--help`, one that prints it.

        Raises:
            UsageError: what is wrong and which help to read, in one line.
        """
        if not {"-h", "--help"}.isdisjoint(words):
            return functools.partial(self._app.help_print, [])
        if STDIN in words and "--" not in words:
            # cyclopts takes it for a flag, unless it stands after all flags
            words = [*(word for word in words if word != STDIN), "--", STDIN]
        try:
            function, bound, _ = self._app.parse_args(list(words))
        except CycloptsError as error:
            raise UsageError(self._explain(error, words), hint=f"see: {self.prog} --help") from None
        return functools.partial(function, *bound.args, **bound.kwargs)

    def _explain(self, error: CycloptsError, words: Sequence[str]) -> str:
        """Say what is wrong from the fields of an exception."""
        match error:
            case UnknownOptionError(token=token):
                name = (token.keyword or token.value).partition("=")[0]
                near = difflib.get_close_matches(name, ["--help", *self.flags], 1)
                return f"no such option: {name}" + _meant(near)
            case UnusedCliTokensError(unused_tokens=tokens):
                more = f"expected nothing more, found {' '.join(tokens or [])}"
                files = any(Path(token).exists() for token in tokens or [])
                return more + ("; name several files by a pattern in quotes" if files else "")
            case MissingArgumentError(keyword=str(flag), argument=argument, tokens_so_far=read):
                count = argument.token_count()[0] if argument else 1
                wanted = "a value" if count == 1 else f"{count} values"
                return f"{flag}: expected {wanted}, found {' '.join(read) or 'none'}"
            case MissingArgumentError(argument=argument):
                return "missing " + ", ".join(
                    self._missing(argument.name if argument else "", words)
                )
            case RepeatArgumentError(token=token):
                return f"{token.keyword}: expected once, found twice"
            case CoercionError(token=token, argument=argument, target_type=kind) if token:
                name = token.keyword or (argument.name if argument else "")
                near = difflib.get_close_matches(token.value, map(str, _choices(kind)), 1)
                return f"{name}: expected {_wanted(kind)}, found {token.value!r}" + _meant(near)
        error.verbose = False
        return str(error)

    def _arguments(self) -> ArgumentCollection:
        return self._app.assemble_argument_collection()

    @property
    def flags(self) -> list[str]:
        """All flags, those that switch something off too."""
        return [n for a in self._arguments() for n in a.names if n.startswith("--")]

    def _missing(self, first: str, words: Sequence[str]) -> list[str]:
        """Return what is required and not there, from the first one that was found missing."""
        given = {word.partition("=")[0] for word in words}
        required = [a.name for a in self._arguments() if a.required]
        later = required[required.index(first) :] if first in required else [first]
        return [name for name in later if name not in given]


def _meant(near: list[str]) -> str:
    return f"; did you mean {near[0]}?" if near else ""


def _choices(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) is Literal else ()


def _wanted(kind: Any) -> str:
    """Return what a value of a type looks like.

    >>> _wanted(int), _wanted(Literal["gru", "lstm"])
    ('a whole number', 'one of gru, lstm')
    """
    if choices := _choices(kind):
        return f"one of {', '.join(repr(c) if c == '' else str(c) for c in choices)}"
    return KINDS.get(kind, "a value of another kind")
