"""What a command writes: JSON, and files that are checked before any work is done for them."""

import json
import math
import os
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from vrnn.data.io.compressed import kind_of
from vrnn.data.io.read import READERS, ROLLS, TEXT, files_of
from vrnn.data.io.write import check_ending, write_table
from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, DataError, require
from vrnn.files import check_writable
from vrnn.training.run_folder import FILES

PICTURES = (".png", ".pdf", ".svg", ".jpg", ".jpeg")
DATA_ENDINGS = {*TEXT, *READERS, *ROLLS}


def check_outputs(
    *tables: Path | None,
    plot: Path | None = None,
    run: Path | None = None,
    data: Sequence[Path | None] = (),
    runs: Sequence[Path | None] = (),
) -> None:
    """Refuse files that could not be written in the end, and files that are read.

    Reasons are an unknown ending, a folder in their place, a lack of permission, or that a file or
    run that is read would be replaced. Files are compared as the system knows them, whatever their
    names.

    Args:
        tables, plot: files to write.
        run: run folder to write.
        data: files and folders of tracks that are read.
        runs: run folders that are read, and names of models.

    Raises:
        DataError, ConfigError: which file and why.
        MissingExtraError: a picture without the extra `plot`, or Parquet without `frames`.
    """
    for table in filter(None, tables):
        check_ending(table)
    if plot is not None:
        if plot.suffix.lower() not in PICTURES:
            raise ConfigError(
                where=plot, expected=f"a picture ending in one of {', '.join(PICTURES)}"
            )
        require("matplotlib", "plot")
    files = [path for path in (*tables, plot) if path is not None]
    for path in files:
        check_writable(path)
    _check_apart(files, run)
    _check_inputs(files, run, data, runs)


def _check_apart(files: list[Path], run: Path | None) -> None:
    """Refuse two outputs of one name, and a file that would be a folder for another output."""
    outputs = files if run is None else [*files, run]
    for one, two in permutations(outputs, 2):
        a, b = (Path(os.path.realpath(path).casefold()) for path in (one, two))
        if a == b or (a in b.parents and one is not run):
            raise ConfigError(where=two, expected="a file of its own for each output", found=one)


def _check_inputs(
    files: list[Path],
    run: Path | None,
    data: Sequence[Path | None],
    runs: Sequence[Path | None],
) -> None:
    """Refuse outputs that are inputs."""
    read = [file for path in filter(None, data) for file in _data_files(path)]
    read += [path / name for path in filter(None, runs) for name in FILES]
    read = [path for path in read if path.exists()]
    folders = [path for path in filter(None, data) if path.is_dir()]
    outputs = [*files, *(run / name for name in FILES)] if run is not None else files
    for path in outputs:
        for one in read if path.exists() else ():
            if path.samefile(one):
                raise ConfigError(
                    "it is read by this command and would be replaced",
                    where=path,
                    hint="choose another place",
                )
    for folder in folders:
        if run is not None and run.exists() and run.samefile(folder):
            raise ConfigError(where=run, expected="a folder of its own for the run", found="DATA")
        for path in files:
            inside = path.parent.exists() and path.parent.samefile(folder)
            if inside and path.suffix.lower() in DATA_ENDINGS:
                raise ConfigError(
                    "a table in a folder of tracks is read as tracks by the next command",
                    where=path,
                    hint="write to another folder",
                )


def _data_files(path: Path) -> list[Path]:
    """Return the files that are read of a file, a folder or a pattern."""
    if path.is_dir():
        return [file for file in path.iterdir() if kind_of(file) in DATA_ENDINGS]
    try:
        return files_of(path)
    except DataError:
        return []  # refused with the reason when it is read


def save_tracks(tracks: Tracks, path: Path) -> Path:
    """Write tracks so that `vrnn.read_tracks` reads them back.

    A table has one row for each point. A .npz archive has one array x, with lengths.
    """
    ids, times = np.array(tracks.ids, dtype=object), np.concatenate(tracks.times)
    x = np.concatenate(tracks.x)
    if path.suffix == ".npz":
        inputs = {"u": np.concatenate(tracks.u)} if tracks.u_dim else {}
        return write_table({"id": ids, "length": tracks.lengths, "t": times, "x": x} | inputs, path)
    columns = {"id": np.repeat(ids, tracks.lengths), "t": times}
    inputs = dict(zip(tracks.u_names, np.concatenate(tracks.u).T, strict=True))
    return write_table(columns | dict(zip(tracks.x_names, x.T, strict=True)) | inputs, path)


def to_json(values: dict[str, Any]) -> str:
    """Return one JSON object; a number that JSON has no word for becomes null.

    >>> to_json({"a": {"b": math.inf, "c": [1.5, math.nan]}})
    '{"a": {"b": null, "c": [1.5, null]}}'
    """
    return json.dumps(_finite(values), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
