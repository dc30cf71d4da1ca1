"""Rows grouped into tracks, and every check of columns, ids and times."""

import pytest
from tests.helpers.track_files import check_refused

from vrnn.data.io import Columns, read_tracks
from vrnn.errors import DataError


def test_mapped_columns_and_other_text_is_left_alone(write):
    path = write('mmsi,when,lon,lat,ship\n219,1.5,10,55,"Ane, ""A"""\n219,2.5,11,56,\n')
    tracks = read_tracks(path, Columns(id="mmsi", t="when", x=("lon", "lat"), y="lat"))
    assert (tracks.ids, tracks.times[0].tolist()) == (["219"], [1.5, 2.5])
    assert (tracks.x_names, tracks.y[0].ravel().tolist()) == (("lon", "lat"), [55, 56])


def test_without_id_one_track_and_without_t_the_rows_are_counted(write):
    tracks = read_tracks(write("x,y\n1,2\n3,4\n"))
    assert (len(tracks), tracks.times[0].tolist()) == (1, [0, 1])
    tracks = read_tracks(write("id,x,y\na,1,2\nb,3,4\na,5,6\n"))
    assert [t.tolist() for t in tracks.times] == [[0, 1], [0]]
    tracks = read_tracks(write("id,t,x,y\na,9,1,2\na,9,3,4\n"), Columns(id="id", t=None))
    assert tracks.times[0].tolist() == [0, 1]


def test_a_track_of_one_row_is_kept(write):
    assert read_tracks(write("id,t,x,y\na,0,1,2\n")).lengths.tolist() == [1]


def with_bad_cells(bad: range) -> str:
    """Return 400 tracks of one row, some with a bad cell."""
    rows = (f"t{i},0,{'far' if i in bad else '1'},2\n" for i in range(400))
    return "id,t,x,y\n" + "".join(rows)


@pytest.mark.parametrize(
    ("bad", "left_out"),
    [
        (range(3, 4), "1 track with a bad cell left out (t3)"),
        (range(3, 6), "3 tracks with a bad cell left out (t3, t4, t5)"),
        (range(3, 7), "4 tracks with a bad cell left out (t3, t4, t5, ...)"),
    ],
)
def test_a_few_tracks_with_a_bad_cell_are_left_out_and_named(write, bad, left_out):
    tracks = read_tracks(write(with_bad_cells(bad)))
    assert tracks.ids == [f"t{i}" for i in range(400) if i not in bad]
    assert tracks.origin.notes[0].startswith(f"{left_out}: ")


def test_more_than_one_track_in_a_hundred_is_not_a_few(write):
    check_refused(write(with_bad_cells(range(3, 8))), "line 5, column 'x': expected a number")


BAD_ROWS = {
    "no positions": (
        "id,t,size,speed,depth\n1,0,1,2,3\n",
        "expected columns of positions, such as x y or lat lon, .*COLUMN",
    ),
    "no positions in texts": (
        "id,t,a,b\n1,0,1,2\n1,1,2,x\n1,2,3,4\n",
        "expected columns of positions, such as x y or lat lon, ",
    ),
    "many duplicates": (
        "id,t,x,y\n1,0,1,2\n2,0,1,2\n1,0,3,4\n2,0,3,4\n",
        "line 4: track 1 has time 0 twice, first in line 2; 2 of 4 rows repeat",
    ),
    "infinite": (
        "id,t,x,y\n1,0,1,2\n1,1,inf,2\n",
        "line 3, column 'x': expected a finite number, found inf",
    ),
    "few times": (
        "id,t,x,y\n1,0,1,2\n1,,1,2\n1,,1,2\n",
        "line 3, column 't': expected a time in every row, found no time",
    ),
    "infinite time": (
        "id,t,x,y\n1,inf,1,2\n",
        "line 2, column 't': expected a time in every row, found inf",
    ),
    "few ids": (
        "id,t,x,y\n1,0,1,2\n,1,1,2\n,2,1,2\n",
        "line 3, column 'id': expected the id of a track, found an empty cell",
    ),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_refuses(write, case):
    text, message = BAD_ROWS[case]
    check_refused(write(text), message)


def test_refuses_a_mapped_column_that_is_not_there(write):
    path = write("id,t,x,y\n1,0,1,2\n")
    for role, columns in {
        "id": Columns(id="who"),
        "t": Columns(t="who"),
        "u": Columns(u=("who",)),
    }.items():
        with pytest.raises(
            DataError, match=f"expected a column 'who' for {role}, found id, t, x, y"
        ):
            read_tracks(path, columns)
