"""Ways to go on from a command of the command line that has been refused."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

Fill = Callable[[str], list[str]]
"""Words of a text with the groups of a message, as in {1}, and with folders, as in {out}."""
Way = Callable[[list[str], Fill], list[list[str]]]
"""The command lines of a way out, made of the words of the first one."""


class Row(NamedTuple):
    """A command, the way out that it names, and what takes it.

    Attributes:
        line: the command.
        says: pattern of the way out in its message.
        ways: one or several ways to go on, each from this command.
        code: with which the command ends; 0 where it only notes something.
    """

    line: str
    says: str
    ways: tuple[Way, ...]
    code: int = 2


def row(line: str, says: str, *ways: Way, code: int = 2) -> Row:
    """Return a row."""
    return Row(line, says, ways, code)


def put(flags: str) -> Way:
    """Run the command again with these flags, in place of its own ones of the same names."""

    def way(words: list[str], fill: Fill) -> list[list[str]]:
        for group in _grouped(fill(flags)):
            words = [*without(words, group[0]), *group]
        return [words]

    return way


def leave_out(flag: str) -> Way:
    """Run the command again without a flag and its values."""

    def way(words: list[str], fill: Fill) -> list[list[str]]:
        name = fill(flag)[0]
        assert name in words
        return [without(words, name)]

    return way


def off(flag: str) -> Way:
    """Run the command again with a switch off."""
    return lambda words, fill: put(fill(flag)[0].replace("--", "--no-", 1))(words, fill)


def on(data: str) -> Way:
    """Run the command again on other data."""
    return lambda words, fill: [[words[0], *fill(data), *words[2:]]]


def renamed(name: str) -> Way:
    """Run the command again on the same data under another name."""

    def way(words: list[str], fill: Fill) -> list[list[str]]:
        [out], [new] = fill("{out}"), fill(name)
        shutil.copy(words[1], Path(out, new))
        return [[words[0], str(Path(out, new)), *words[2:]]]

    return way


def both(*ways: Way) -> Way:
    """Run the command again with several changes."""

    def way(words: list[str], fill: Fill) -> list[list[str]]:
        for one in ways:
            [words] = one(words, fill)
        return [words]

    return way


def command(line: str, **places: str) -> Way:
    """Run a command that the message names, with others words in place of its capitals."""

    def way(words: list[str], fill: Fill) -> list[list[str]]:
        program, *found = fill(line)
        assert program == "vrnn", "the message names no command"
        return [[part for word in found for part in fill(places.get(word, word))]]

    return way


def run(line: str) -> Way:
    """Run another command."""
    return lambda words, fill: [fill(line)]


def again(words: list[str], fill: Fill) -> list[list[str]]:
    """Run the command again as it was."""
    return [words]


def after(*ways: Way) -> Way:
    """Run the commands of several ways, one after the other."""
    return lambda words, fill: [line for way in ways for line in way(words, fill)]


def without(words: list[str], flag: str) -> list[str]:
    """Return words without a flag, also where it is off, and without its values."""
    names = (flag, flag.replace("--no-", "--", 1), flag.replace("--", "--no-", 1))
    kept = [group for group in _grouped(words) if group[0] not in names]
    before = next((i for i, word in enumerate(words) if word.startswith("--")), len(words))
    return words[:before] + [word for group in kept for word in group]


def _grouped(words: list[str]) -> Iterator[list[str]]:
    """Yield each flag with its values."""
    starts = [i for i, word in enumerate(words) if word.startswith("--")]
    for start, stop in zip(starts, [*starts, len(words)][1:], strict=True):
        yield words[start:stop]
