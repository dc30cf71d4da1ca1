"""Headers and names of columns that are given."""

import pytest

from vrnn.data.io import Columns, read_tracks
from vrnn.errors import DataError

NAMES = Columns(names=("id", "t", "x", "y"))


def test_names_of_columns_may_repeat_the_header(write):
    tracks = read_tracks(write("id,t,x,y\nanna,0,1,2\n"), NAMES)
    assert (tracks.ids, tracks.x[0].tolist()) == (["anna"], [[1, 2]])


def test_names_of_columns_other_than_the_header_are_refused(write):
    with pytest.raises(DataError, match=r"a file without a header .* found the header id, t, y, x"):
        read_tracks(write("id,t,y,x\nanna,0,1,2\n"), NAMES)
