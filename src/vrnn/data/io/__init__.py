"""Readers: one format a file, all through `read_tracks`."""

from vrnn.data.io.read import read_tracks
from vrnn.data.io.table import Columns

__all__ = ["Columns", "read_tracks"]
