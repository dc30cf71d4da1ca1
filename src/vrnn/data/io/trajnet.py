"""TrajNet++ ndjson: one JSON object a line, a row of a track or a scene."""

import json
from pathlib import Path

import numpy as np

from vrnn.data.io.table import Columns, Table, make_table
from vrnn.data.io.text_file import read_text
from vrnn.errors import DataError

FIELDS = {"id": "p", "t": "f", "x": "x", "y": "y"}
USUAL = Columns(id="id", t="t", x=("x", "y"))


def read_trajnet(path: Path) -> Table:
    """Return the rows `{"track": {"f": frame, "p": pedestrian, "x": metres, "y": metres}}`.

    Scenes (`{"scene": ...}`) only point at tracks and are skipped. Rows with a `prediction_number`
    are forecasts of some model and are skipped too. The format gives rows no order.

    Raises:
        DataError: a line that is not JSON, or a row of a track that lacks one of f, p, x, y.

    Source: Kothari et al. 2021, "Human Trajectory Forecasting in Crowds".

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.ndjson"
    >>> _ = path.write_text('{"track": {"f": 8, "p": 3, "x": 1.5, "y": 2.0}}')
    >>> read_trajnet(path).columns["x"].to_pylist()
    [1.5]
    """
    lines, rows = [], []
    for line, text in enumerate(read_text(path).splitlines(), 1):
        if not text.strip():
            continue
        try:
            entry = json.loads(text)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else error
            raise DataError(
                f"{path}, line {line}: expected one JSON object a line (TrajNet++ ndjson), "
                f"found {text[:40]!r}: {reason}; is the line cut off?"
            ) from error
        row = entry.get("track") if isinstance(entry, dict) else None
        if row is None:
            if isinstance(entry, dict) and "scene" in entry:
                continue
            raise DataError(
                f"{path}, line {line}: expected an object with 'track' or 'scene', "
                f"found {text[:40]!r}"
            )
        if not isinstance(row, dict) or not row.keys() >= set(FIELDS.values()):
            raise DataError(
                f"{path}, line {line}: expected a track with f, p, x and y, found {text[:60]!r}"
            )
        if row.get("prediction_number") is None:
            lines.append(line)
            rows.append([row[key] for key in FIELDS.values()])
    if not rows:
        raise DataError(f"{path}: expected observed track rows, found only scenes or predictions")
    columns = dict(zip(FIELDS, map(list, zip(*rows, strict=True)), strict=True))
    return make_table(str(path), columns, np.array(lines), USUAL)
