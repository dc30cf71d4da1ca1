"""Files and DataFrames: one module for each format; `read_tracks` finds the right one.

A format module returns a `Table`, rows with named columns. `tracks_from_table` turns it into
tracks. `write_table` writes results.
"""

from vrnn.data.io.read import read_tracks
from vrnn.data.io.table import Columns

__all__ = ["Columns", "read_tracks"]
