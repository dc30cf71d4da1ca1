"""The commands by their names; importing one imports what it needs."""

from collections.abc import Sequence
from importlib import import_module

from vrnn.cli.parse import Command


def command(name: str, words: Sequence[str] = ()) -> Command:
    """Return a command.

    Args:
        name: one of `vrnn.cli.main.COMMANDS`; it is a function in the module of that name.
        words: what follows the name. The flags of `vrnn train` depend on its `--arch`.
    """
    module = import_module(f"vrnn.cli.{name}")
    if name == "train":
        return Command(module.train_command(module.chosen_arch(words), words), "vrnn train")
    return Command(getattr(module, name), f"vrnn {name}")
