"""TrajNet++ ndjson: one JSON object a line, a track row or a scene."""

import json
from pathlib import Path

import numpy as np

from vrnn.data.io.table import Table
from vrnn.data.io.text import read_text
from vrnn.errors import DataError

FIELDS = {"id": "p", "t": "f", "x": "x", "y": "y"}


def read_trajnet(path: Path) -> Table:
    """Read rows `{"track": {"f": frame, "p": pedestrian, "x": metres, "y": metres}}`.

    Scenes (`{"scene": ...}`) only point at tracks and are passed over, as are rows with a
    `prediction_number`, which are some model's forecasts. The format gives rows no order, so they are sorted
    by frame.

    P. Kothari et al., Human Trajectory Forecasting in Crowds (2021).

    Raises:
        DataError: a line that is not JSON, or a track row that lacks one of f, p, x, y.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.ndjson"
    >>> _ = path.write_text('{"track": {"f": 8, "p": 3, "x": 1.5, "y": 2.0}}')
    >>> read_trajnet(path).columns["x"]
    array([1.5], dtype=object)
    """
    lines, rows = [], []
    for line, text in enumerate(read_text(path).splitlines(), 1):
        if not text.strip():
            continue
        try:
            entry = json.loads(text)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{path}, line {line}: expected one JSON object a line (TrajNet++ ndjson), found "
                f"{text[:40]!r}: {error.msg}"
            ) from error
        row = entry.get("track") if isinstance(entry, dict) else None
        if row is None:
            if isinstance(entry, dict) and "scene" in entry:
                continue
            raise DataError(
                f"{path}, line {line}: expected an object with 'track' or 'scene', found {text[:40]!r}"
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
    table = Table(
        str(path), dict(zip(FIELDS, np.array(rows, dtype=object).T, strict=True)), np.array(lines)
    )
    try:
        order = np.argsort(table.columns["t"].astype(np.float64), kind="stable")
    except (TypeError, ValueError):
        return table  # the check of the time column names the line
    return table._replace(
        columns={k: v[order] for k, v in table.columns.items()}, lines=table.lines[order]
    )
