"""What a command writes: JSON, and files that are checked before any work is done for them."""

import json
import math
import os
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from vrnn.data.io.write import check_ending, write_table
from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, DataError, require

PICTURES = (".png", ".pdf", ".svg", ".jpg", ".jpeg")


def check_outputs(out: Path | None, plot: Path | None = None, more: Path | None = None) -> None:
    """Refuse files that could not be written in the end.

    Reasons are an unknown ending, a folder in their place and a lack of permission.

    Args:
        out, more: tables.
        plot: picture.

    Raises:
        DataError, ConfigError: which file and why.
        MissingExtraError: a picture without the extra `plot`, or Parquet without `frames`.
    """
    for table in (out, more):
        if table is None:
            continue
        check_ending(table)
        _check_place(table)
    if plot is not None:
        if plot.suffix.lower() not in PICTURES:
            raise ConfigError(
                where=plot, expected=f"a picture ending in one of {', '.join(PICTURES)}"
            )
        require("matplotlib", "plot")
        _check_place(plot)
    for one, two in combinations([p.absolute() for p in (out, more, plot) if p is not None], 2):
        if one == two:
            raise ConfigError(where=one, expected="a file of its own for each table and picture")


def _check_place(path: Path) -> None:
    if path.is_dir():
        raise DataError(where=path, expected="a file to write", found="a folder")
    parent = next(p for p in path.absolute().parents if p.exists())
    if not parent.is_dir():
        raise DataError("cannot be written", where=path, cause=f"{parent} is not a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise DataError(
            "cannot be written", where=path, cause=f"no permission to write in {parent}"
        )


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
