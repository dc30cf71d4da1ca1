"""`vrnn doctor`: what is in the data."""

from pathlib import Path

from vrnn.cli.data import ColumnFlags, read
from vrnn.cli.flags import CommandWords
from vrnn.data.describe import describe


def doctor(data: Path, /, *, columns: ColumnFlags = ColumnFlags()) -> None:  # noqa: B008 (frozen)
    """Describe a file or a folder: tracks, lengths, time steps, gaps, scale, and what to do.

    Args:
        data: tracks, a file or a folder of files.
        columns: of the data.
    """
    print(describe(read(data, columns)).to_text(CommandWords()))
