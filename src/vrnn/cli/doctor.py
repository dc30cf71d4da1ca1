"""`vrnn doctor`: what is in the data."""

from dataclasses import replace
from pathlib import Path

from vrnn.cli.data import ColumnFlags, read
from vrnn.cli.flags import CommandWords
from vrnn.data.describe import describe
from vrnn.data.describe.advice import advise
from vrnn.errors import write


def doctor(data: Path, /, *, columns: ColumnFlags = ColumnFlags()) -> None:  # noqa: B008 (frozen)
    """Describe a file or a folder: tracks, lengths, time steps, gaps, scale, and what to do.

    Args:
        data: tracks, a file or a folder of files.
        columns: of the data.
    """
    found = describe(read(data, columns))
    advice = tuple(write(text, CommandWords()) for text in advise(found))
    print(replace(found, advice=advice).to_text())
