"""`vrnn doctor`: what is in the data."""

import shlex
from dataclasses import replace
from pathlib import Path

from vrnn.cli.data import ColumnFlags, read
from vrnn.cli.flags import CommandWords
from vrnn.data.describe import Description, describe
from vrnn.data.describe.advice import advise
from vrnn.data.tracks import Tracks
from vrnn.errors import write


def doctor(data: Path, /, *, columns: ColumnFlags = ColumnFlags()) -> None:  # noqa: B008 (frozen)
    """Describe a file or a folder: tracks, lengths, time steps, gaps, scale, and what to do.

    Args:
        data: tracks, a file or a folder of files.
        columns: of the data.
    """
    tracks = read(data, columns)
    found = describe(tracks)
    advice = tuple(write(text, CommandWords()) for text in advise(found))
    print(replace(found, advice=advice).to_text())
    print("next", *_next(found, tracks, data, columns), sep="\n  ")


def _next(found: Description, tracks: Tracks, data: Path, columns: ColumnFlags) -> list[str]:
    """Return commands to go on with, which work on this data."""
    source = f"{shlex.quote(str(data))}{columns.all_words()}"
    train = f"vrnn train {source} --out run"
    plain = tracks.x_dim == 2 and not (tracks.u_dim or tracks.y_dim or found.binary)
    return [f"vrnn forecast {source}", train] if plain else [train]
