"""Readers: one format a file, all through `read_tracks`."""

from vrnn.data.readers.read import read_tracks
from vrnn.data.readers.table import Columns

__all__ = ["Columns", "read_tracks"]
