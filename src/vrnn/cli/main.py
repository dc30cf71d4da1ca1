"""The entry point: find the command, read its flags, run it, and turn a failure into one line."""

import difflib
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from typing import Any

from vrnn import __version__
from vrnn.console import Console, open_streams, say, settle_errors
from vrnn.errors import PYTHON, VrnnError, VrnnWarning, Words, write

# Nothing heavy is imported before a command is chosen.
COMMANDS = {
    "demo": "train on built-in tracks, print the table, draw the futures",
    "doctor": "describe a file: ids, lengths, time steps, gaps, scale, advice",
    "train": "train a model on your tracks",
    "forecast": "sample joint futures of tracks",
    "evaluate": "score forecasts against what happened, beside baselines",
    "reliability": "check whether predictive regions hold the share that they should",
    "modes": "train a mode set: k futures that cover what may happen",
    "generate": "sample new tracks",
    "score": "measure how unusual tracks are, with p-values and a threshold",
    "impute": "fill missing points, given everything before and after them",
    "likelihood": "estimate the log-likelihood of tracks by a bound",
    "encode": "write what the model knows of its latents given the data, as a table",
}


def main(words: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    The code is 0, 2 for bad usage or bad data, 130 after an interrupt, or 141 after a closed pipe.
    """
    words = list(sys.argv[1:] if words is None else words)
    open_streams()
    with redirect_stdout(Console(sys.stdout)) as output:
        code = _call(words)
        output.flush()
    settle_errors()
    if output.failure is None:
        return code
    output.give_up()
    if code or isinstance(output.failure, BrokenPipeError):  # as in vrnn doctor DATA | head
        return code or 141
    reason = getattr(output.failure, "strerror", None) or output.failure
    say(f"vrnn {words[0]}: standard output: {reason}; files that were asked for are written")
    return 2


def _call(words: list[str]) -> int:
    """Run a command line, and say in one line why it failed."""
    name, wording = "vrnn", PYTHON
    try:
        if words[:1] == ["--version"]:
            print(f"vrnn {__version__}")
        elif words[:1] in (["-h"], ["--help"]):
            print(_listing())
        else:
            name = f"vrnn {_choose(words)}"
            wording = import_module("vrnn.cli.flags").CommandWords()
            command = import_module("vrnn.cli.commands").command(words[0], words[1:])
            with _notes(wording):
                command.parse(words[1:])()
        return 0
    except KeyboardInterrupt:
        return 130
    except VrnnError as error:
        message = error.write(wording)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "allocate memory" not in str(error):
            raise
        message = "out of memory: ask for fewer samples, a shorter horizon or a smaller batch"
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    say(f"{name}: {' '.join(message.split())}")
    return 2


@contextmanager
def _notes(wording: Words) -> Iterator[None]:
    """Show what the library warns of as notes, one line each."""

    def show(message: Any, *where: Any) -> None:
        if isinstance(message, VrnnWarning):
            say(f"note: {write(message.text, wording)}")
        else:
            usual(message, *where)

    with warnings.catch_warnings():
        usual = warnings.showwarning
        warnings.simplefilter("always", VrnnWarning)
        warnings.showwarning = show  # pyrefly: ignore[bad-assignment] (it takes any arguments)
        yield


def _choose(words: Sequence[str]) -> str:
    """Return the command that the first word names."""
    known = ", ".join(COMMANDS)
    if not words:
        raise VrnnError(f"expected a command: {known}", hint="see: vrnn --help")
    if words[0] not in COMMANDS:
        near = difflib.get_close_matches(words[0], COMMANDS, 1)
        hint = f"did you mean {near[0]}?" if near else "see: vrnn --help"
        raise VrnnError(expected=f"a command ({known})", found=repr(words[0]), hint=hint)
    return words[0]


def _listing() -> str:
    """Return the help that lists the commands."""
    width = max(map(len, COMMANDS))
    rows = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    more = ["vrnn COMMAND --help lists the flags of one.", "vrnn --version prints the version."]
    return "\n".join(["Usage: vrnn COMMAND [OPTIONS]", "", *rows, "", *more])


if __name__ == "__main__":
    sys.exit(main())
