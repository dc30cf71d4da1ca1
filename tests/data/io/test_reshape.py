"""Tracks that stand side by side."""

import numpy as np

from vrnn.data.io.reshape import one_below_the_other
from vrnn.data.io.table import make_table


def test_tracks_side_by_side_take_the_likeliest_time():
    """A row without a position is left out, and each keeps its line."""
    columns = {"frame": np.array([5, 6]), "Time [s]": np.array([0.2, 0.4])}
    for i, name in enumerate("abcd"):
        columns |= {f"{name}_x": np.array([i, i + 0.5]), f"{name}_y": np.array([10.0 * i, 7])}
    columns["b_y"] = np.array([np.nan, 7])
    table, roles = one_below_the_other(make_table("a.csv", columns, [2, 3]), "")
    assert (roles.id, roles.t, roles.x) == ("id", "Time [s]", ("x", "y"))
    found = {name: column.to_pylist() for name, column in table.columns.items()}
    assert found["id"] == ["a", "a", "b", "c", "c", "d", "d"]
    assert found["Time [s]"] == [0.2, 0.4, 0.4, 0.2, 0.4, 0.2, 0.4]
    assert found["x"] == [0, 0.5, 1.5, 2, 2.5, 3, 3.5]
    assert found["y"] == [0, 7, 7, 20, 7, 30, 7]
    assert [table.locate(row) for row in range(7)] == [2, 3, 3, 2, 3, 2, 3]
