"""The entry point: find the command, parse its flags, run it, and turn every failure into one line and an exit code."""

import difflib
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from vrnn import __version__
from vrnn.cli.parse import UsageError, as_flags, parse
from vrnn.errors import VrnnError

# Nothing heavy is imported before a command is chosen.
COMMANDS = {
    "demo": "train on built-in tracks, print the table, draw the futures",
    "doctor": "what is in a file: ids, lengths, time steps, gaps, scale, advice",
    "train": "train a model on your tracks",
    "forecast": "sample joint futures of tracks",
    "generate": "sample new tracks",
    "evaluate": "score forecasts against what happened, constant velocity beside",
    "modes": "teach a run k futures that cover what may happen",
    "reliability": "whether predictive regions hold what they should",
    "score": "how unusual tracks are, with p-values and a threshold",
    "impute": "fill missing points, given everything before and after them",
    "likelihood": "log-likelihood of tracks, by a bound that says what it is",
    "encode": "means and scales of every latent dimension, as a table",
}
MODELS = {
    "rnn": "recurrent network with a probabilistic head, the control",
    "seq2seq": "encoder RNN, latent and decoder RNN at every step",
    "rollout": "a trajectory encoded once, then the decoder alone",
    "vrnn": "the variational RNN of Chung et al. 2015; start here",
    "dmm": "the deep Markov model of Krishnan et al. 2017: latents alone carry the past",
    "srnn": "the stochastic RNN of Fraccaro et al. 2016: a chain of latents on top of an RNN",
    "storn": "the stochastic RNN of Bayer & Osendorfer 2014: an RNN that reads noise",
}


def main(words: Sequence[str] | None = None) -> int:
    """Run a command line and give its exit code: 0, 2 for bad usage or bad data, 130 when interrupted."""
    words = list(sys.argv[1:] if words is None else words)
    name = "vrnn"
    try:
        prog, function, rest = _command(words)
        if function is None:
            print(prog)
            return 0
        name = prog
        parse(function, prog, rest)()
        sys.stdout.flush()
        return 0
    except SystemExit as stop:  # tyro, after printing a help text
        return stop.code if isinstance(stop.code, int) else 0
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # as in vrnn doctor DATA | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except VrnnError as error:
        message = as_flags(str(error))
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "allocate memory" not in str(error):
            raise
        message = "out of memory: ask for fewer samples, a shorter horizon or a smaller batch"
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    print(f"{name}: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _command(words: list[str]) -> tuple[str, Callable[..., Any] | None, list[str]]:
    """Give (name, function, rest of the words), or (text to print, None, []) for a help text or the version."""
    if words[:1] == ["--version"]:
        return f"vrnn {__version__}", None, []
    if words[:1] in (["-h"], ["--help"]):
        return _listing("vrnn", "COMMAND", COMMANDS), None, []
    command = _choose(words, COMMANDS, "vrnn", "a command")
    if command != "train":
        return f"vrnn {command}", getattr(import_module(f"vrnn.cli.{command}"), command), words[1:]
    if words[1:2] in (["-h"], ["--help"]):
        return _listing("vrnn train", "MODEL", MODELS), None, []
    kind = _choose(words[1:], MODELS, "vrnn train", "a model")
    return f"vrnn train {kind}", import_module("vrnn.cli.train").train_command(kind), words[2:]


def _choose(words: list[str], known: dict[str, str], prog: str, what: str) -> str:
    if not words:
        raise UsageError(f"expected {what}: {', '.join(known)}; see: {prog} --help")
    if words[0] not in known:
        near = difflib.get_close_matches(words[0], known, 1)
        hint = f"did you mean {near[0]}?" if near else f"see: {prog} --help"
        raise UsageError(f"expected {what} ({', '.join(known)}), found {words[0]!r}; {hint}")
    return words[0]


def _listing(prog: str, what: str, known: dict[str, str]) -> str:
    width = max(10, *map(len, known))
    rows = [f"  {name:<{width}} {text}" for name, text in known.items()]
    more = f"{prog} {what} --help says more about one of them."
    version = ["vrnn --version prints the version."] if prog == "vrnn" else []
    return "\n".join([f"usage: {prog} {what} [OPTIONS]", "", *rows, "", more, *version])


if __name__ == "__main__":
    sys.exit(main())
