"""Files that a command is to write, looked at before any work is done for them."""

import os
from pathlib import Path

import numpy as np

from vrnn.data.tracks import Tracks
from vrnn.data.writers import check_ending, write_table
from vrnn.errors import ConfigError, DataError, require

PICTURES = (".png", ".pdf", ".svg", ".jpg", ".jpeg")


def check_outputs(out: Path | None, plot: Path | None = None) -> None:
    """Refuse files that could not be written in the end: an unknown ending, a folder in their place, no permission.

    Raises:
        DataError, ConfigError: which file and why.
        MissingExtraError: a picture without the extra `plot`, or Parquet without `frames`.
    """
    if out is not None:
        check_ending(out)
        if out.suffix == ".parquet":
            require("pyarrow", "frames")
        _check_place(out)
    if plot is not None:
        if plot.suffix.lower() not in PICTURES:
            raise ConfigError(f"{plot}: expected a picture ending in one of {', '.join(PICTURES)}")
        require("matplotlib", "plot")
        _check_place(plot)
    if out is not None and plot is not None and out.absolute() == plot.absolute():
        raise ConfigError(f"{out}: expected two different files for the table and the picture")


def _check_place(path: Path) -> None:
    if path.is_dir():
        raise DataError(f"{path}: expected a file to write, found a folder")
    parent = next(p for p in path.absolute().parents if p.exists())
    if not parent.is_dir():
        raise DataError(f"{path}: cannot be written: {parent} is not a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise DataError(f"{path}: cannot be written: no permission to write in {parent}")


def save_tracks(tracks: Tracks, path: Path) -> Path:
    """Write tracks so that `vrnn.read_tracks` reads them back: a row a point, or in .npz one array x with lengths."""
    ids, times = np.array(tracks.ids, dtype=object), np.concatenate(tracks.times)
    x = np.concatenate(tracks.x)
    if path.suffix == ".npz":
        return write_table({"id": ids, "length": tracks.lengths, "t": times, "x": x}, path)
    columns = {"id": np.repeat(ids, tracks.lengths), "t": times}
    return write_table(columns | dict(zip(tracks.x_names, x.T, strict=True)), path)
