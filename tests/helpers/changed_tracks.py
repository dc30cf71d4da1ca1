"""Tracks with some of their values changed; tracks themselves are read-only."""

from dataclasses import replace
from typing import Any

import vrnn


def changed(tracks: vrnn.Tracks, role: str, *places: tuple[int, Any, float]) -> vrnn.Tracks:
    """Return tracks with other values of x, u or y: (track, index of the rows and columns, value)."""
    arrays = [a.copy() for a in getattr(tracks, role)]
    for track, index, value in places:
        arrays[track][index] = value
    return replace(tracks, **{role: arrays})
