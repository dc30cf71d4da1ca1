"""What a column may be, by its name and its values."""

import numpy as np
import pytest

from vrnn.data.io.recognise import _counts, is_index
from vrnn.data.io.table import make_table


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("id", True),
        ("track_id", True),
        ("row index", True),
        ("Unnamed: 0", True),
        ("id_of_place", False),
        ("width", False),
    ],
)
def test_an_index_is_known_by_its_last_word(name, expected):
    assert is_index(name) is expected


@pytest.mark.parametrize(
    ("numbers", "times", "expected"),
    [
        ([1, 2, 3], [0.0, 1.0, 2.0], True),
        ([1, 2, 3], [0.0, 0.0, 1.0], False),  # two at once: they are two tracks
        ([1, 2, 2], [0.0, 1.0, 2.0], False),
        ([1, 3, 2], [0.0, 1.0, 2.0], False),
        ([1], [0.0], False),
    ],
)
def test_a_column_that_counts_rows_rises_with_the_time(numbers, times, expected):
    table = make_table("a.csv", {"n": np.array(numbers), "t": np.array(times)}, range(3))
    assert _counts(table, "n", ["t"]) is expected
