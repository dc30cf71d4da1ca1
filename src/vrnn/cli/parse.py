"""From a command's function and the words after it to a call, through tyro; usage errors become one line."""

import functools
import io
import os
import re
import shlex
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from typing import Any

from vrnn.errors import VrnnError

FRAME = "╭╮╰╯─│+-| "  # the second three where the terminal has no others
WIDE = "4000"  # columns, so that tyro wraps nothing of what is read back from it


class UsageError(VrnnError):
    """Flags that a command does not have or values that it cannot read."""


def parse(function: Callable[..., Any], prog: str, words: Sequence[str]) -> Callable[[], Any]:
    """Read the flags of a command and give the call that they ask for, not yet made.

    Raises:
        UsageError: what is wrong and which help to read, in one line.
        SystemExit: after the help was printed.

    >>> def greet(name: str, times: int = 1): return ", ".join([f"hello {name}"] * times)
    >>> parse(greet, "greet", ["--name", "anna", "--times", "2"])()
    'hello anna, hello anna'
    >>> parse(greet, "greet", ["--name", "anna", "--time", "2"])
    Traceback (most recent call last):
    vrnn.cli.parse.UsageError: no such option: --time, 2; did you mean --times?; see: greet --help
    """
    import tyro

    deferred = functools.wraps(function)(
        lambda *args, **flags: functools.partial(function, *args, **flags)
    )
    said, width = io.StringIO(), os.environ.get("COLUMNS")
    asks_help = not {"-h", "--help"}.isdisjoint(words)
    try:
        if not asks_help:
            os.environ["COLUMNS"] = WIDE
        with redirect_stderr(said):
            return tyro.cli(
                deferred,
                prog=prog,
                args=list(words),
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.PositionalMetavarFromFieldName),
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        raise UsageError(f"{_condense(said.getvalue())}; see: {prog} --help") from None
    finally:
        if not asks_help:
            os.environ.pop("COLUMNS", None) if width is None else os.environ.update(COLUMNS=width)


def _condense(text: str) -> str:
    """Say in one line what the sections of the box that tyro draws say."""
    rows = [line.strip("│|").rstrip() for line in text.splitlines()[1:]]
    found = []
    for section in "\n".join(row if row.strip(FRAME) else "" for row in rows).split("\n\n"):
        if not section.strip():
            continue
        heading, *listed = section.strip("\n").splitlines()
        indent = " " * (
            4 + len(heading) - len(heading.lstrip())
        )  # of names; their help is further in
        names = ", ".join(row.split()[0] for row in listed if re.match(indent + r"\S", row))
        heading = heading.strip()
        if heading.startswith("Missing from"):
            found.append(f"missing {names}")
        elif heading.startswith("Unrecognized options"):
            found.append(f"no such option: {names or heading.partition(': ')[2]}")
        elif heading.startswith("Perhaps you meant"):
            found.append(f"did you mean {names}?")
        elif not found:
            found.append(_reword(heading))
    return "; ".join(found)


def _reword(text: str) -> str:
    """Say what a value should have been without the names of Python's types and exceptions."""
    for pattern, words in (
        (r"Error parsing ", ""),
        (r"invalid literal for int\(\) with base 10: ", "expected a whole number, found "),
        (r"could not convert string to float: ", "expected a number, found "),
        (r"no type matching (.*) could be instantiated from \[(.*)\]", r"expected \1, found \2"),
        (
            r"invalid choice (.*) for argument '(.*)'\. Expected one of \((.*)\)",
            r"\2: expected one of \3, found \1",
        ),
        (
            r"Missing value for argument '(.*)'\. Expected \d+ values?",
            r"\1: expected a value, found none",
        ),
    ):
        text = re.sub(pattern, words, text)
    return text.rstrip(".")


_IN_FLAGS = {
    "resume it, or choose": "go on with it (--resume), or choose",
    "set observe to its number of points": "give its number of points with --observe",
    "set observe (and window) in the training settings": "give --observe (and --window)",
    "set it, or map columns to y": "map columns with --y",
    "set x_dim or map the columns": "map the columns with --x",
    "lower clip": "lower --clip",
    "train without resume first": "train without --resume first",
    "expected samples of at least 2": "expected --samples of at least 2",
    "leave them 0": "leave it out",
    "resampling_term belongs to fivo, found objective": "--resampling-term belongs to --objective fivo, found",
    "give some, or set holdout": "give some (--val), or set --holdout",
    "set chunk to their rows": "set --chunk to their rows",
    "shorten observe or leave energy_weight 0": "shorten --observe or leave --energy-weight out",
    "choose one or leave energy_weight 0": "choose one or leave --energy-weight out",
    "leave temperature 1": "leave --temperature out",
    "expected states of at least 1": "expected --states of at least 1",
    "expected a temperature above 0": "expected --temperature above 0",
    "pass a step that divides all times": "in Python vrnn.regular takes a step that divides all times",
}


SETTINGS = (
    "batch_size", "free_bits", "energy_from", "energy_rows", "energy_samples", "energy_weight", "kl_warmup", "latent_dim",
    "learning_rate", "log_every", "position_input", "regulariser_weight", "resample_below", "resampling_term", "time_input",
    "validate_every", "weight_decay",
)  # fmt: skip
"""Settings of training and of models whose names no word of a sentence has, those with an underscore."""
_SETTING = re.compile(
    rf"(?:\b(?:training|model)\.|(?<![\w./\\'\"-]))({'|'.join(SETTINGS)})(?![\w./\\'\":-])"
)


def as_flags(text: str) -> str:
    """Turn advice that is worded for Python into flags.

    >>> as_flags("map it: Columns(id='track'), or Columns(id=None) if it is not")
    'map it: --id track, or --id None if it is not'
    >>> as_flags("Columns(x=('lon', 'the lat'))"), as_flags("choose one: read_tracks(path, group='test')")
    ("--x lon 'the lat'", 'choose one: --group test')
    >>> as_flags("expected energy_weight of at least 0, found -1.0")
    'expected --energy-weight of at least 0, found -1.0'
    """

    def flag(match: re.Match[str]) -> str:
        values = [a or b for a, b in re.findall(r"['\"](.*?)['\"]|(None)", match[2])]
        return " ".join([f"--{match[1]}", *(shlex.quote(v) for v in values)])

    text = re.sub(r"Columns\((\w+)=(\(.*?\)|.*?)\)", flag, text)
    text = re.sub(r"read_tracks\(path, (.*?)\)", r"\1", text)
    for words, flags in _IN_FLAGS.items():
        text = text.replace(words, flags)
    text = _SETTING.sub(lambda match: "--" + match[1].replace("_", "-"), text)
    text = re.sub(r"\baugment\.(speed|rates|transpose|share|until)\b", r"--\1", text)
    return re.sub(r"\b(task|group|inputs|format|prior)='([\w-]+)'", r"--\1 \2", text)
