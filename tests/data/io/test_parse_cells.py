"""Numbers, dates and missing values, and the cells that are none."""

import numpy as np
import pytest
from tests.helpers.track_files import check_refused

from vrnn.data.io import read_tracks


@pytest.mark.parametrize("empty", ["", " ", "NaN", "NA", "nan", "null"])
def test_missing_values(write, empty):
    tracks = read_tracks(write(f"id,t,x,y\na,0,{empty},2\na,1,3,4\n"))
    np.testing.assert_array_equal(tracks.x[0], [[np.nan, 2], [3, 4]])


BAD_CELLS = {
    "text": (
        "id,t,x,y\n1,0,1,2\n1,1,3,far\n",
        "a.csv, line 3, column 'y': expected a number, found 'far'; map",
    ),
    "text time": (
        "id,t,x,y\n1,noon,1,2\n",
        "a.csv, line 2, column 't': expected a time, which is a number or a date, found 'noon'",
    ),
    "underscore": (
        "id,t,x,y\n1,0,1_5,2\n",
        "line 2, column 'x': expected a number, found '1_5'; write numbers without underscores",
    ),
    "digits of another script": (
        "id,t,x,y\n1,0,١٢,2\n",
        "line 2, column 'x': expected a number, found '١٢'",
    ),
    "comma": (
        'id,t,x,y\n1,0,"1,5",2\n',
        "line 2, column 'x'.*found '1,5'; write decimals with a point",
    ),
}


@pytest.mark.parametrize("case", BAD_CELLS)
def test_refuses(write, case):
    text, message = BAD_CELLS[case]
    check_refused(write(text), message)
