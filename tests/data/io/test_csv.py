"""Tables with a header: delimiters, line ends, and what is no table."""

import pytest
from tests.helpers.track_files import check_refused, values

from vrnn.data.io import Columns, read_tracks


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_delimiter_and_line_end(write, delimiter, end):
    text = (
        end.join(["id,t,x,y,wind", "b,0,1,2,5", "a 1,0,3,4,6", "", "b,1,5,6,7", "a 1,2,7,8,8"])
        + end
    )
    path = write("\ufeff" + text.replace(",", delimiter), "a.tsv" if delimiter == "\t" else "a.csv")
    tracks = read_tracks(path, Columns(u=("wind",)))
    assert tracks.ids == ["b", "a 1"]
    assert values(tracks) == [[[1, 2], [5, 6]], [[3, 4], [7, 8]]]
    assert [t.tolist() for t in tracks.times] == [[0, 1], [0, 2]]
    assert tracks.u[1].tolist() == [[6], [8]]
    assert (tracks.x_names, tracks.u_names) == (("x", "y"), ("wind",))


BAD_TABLES = {
    "ragged": (
        "id,t,x,y\n1,0,1,2\n\n1,1,3\n",
        "line 4: expected 4 fields as in the header, found 3",
    ),
    "wide": ("id,t,x,y\n1,0,1,2,3\n", "line 2: expected 4 fields as in the header, found 5"),
    "quote": ('id,t,x,y\n"1,0,1,2\n', "line 2: unexpected end of data; is a quotation mark"),
    "no rows": ("id,t,x,y\n", "expected rows below the header, found none"),
    "no header": (
        "1,0,1.5,2\n1,1,3,4\n",
        "line 1: expected a header that names the columns, found the numbers 1, 0",
    ),
    "twice": ("id,t,x,x\n1,0,1,2\n", "line 1: the header names the column 'x' twice"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_refuses(write, case):
    text, message = BAD_TABLES[case]
    check_refused(write(text), message)
