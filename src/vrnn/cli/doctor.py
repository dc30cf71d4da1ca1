"""`vrnn doctor`: what is in the data."""

from pathlib import Path

from tyro.conf import Positional

from vrnn.cli.data import ColumnFlags, read
from vrnn.cli.parse import as_flags
from vrnn.data.describe import describe


def doctor(data: Positional[Path], columns: ColumnFlags = ColumnFlags()) -> None:  # noqa: B008 (frozen)
    """Say what is in a file or folder: tracks, lengths, time steps, gaps, scale, and what to do about them.

    Args:
        data: tracks, a file or a folder of files.
        columns: of the data.
    """
    print(as_flags(describe(read(data, columns)).to_text()))
