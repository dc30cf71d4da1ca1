"""Files that `make fuzz` has found to be read wrongly, and the like: what they hold, or why they are refused."""

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from tests.helpers.fuzz import check_message

import vrnn
from vrnn.errors import DataError

MANY = "".join(f"{i},{t},{i},{t}\n" for i in range(40) for t in range(2))
WALK = vrnn.Columns(id="walk")
IDS: dict[str, tuple[str, vrnn.Columns | None, list[str]]] = {
    "decimals in a column of any name": (
        "walk,t,x,y\n1.10,0,1,2\n1.1,0,3,4\n",
        WALK,
        ["1.10", "1.1"],
    ),
    "exponents in a column of any name": ("walk,t,x,y\n0E0,0,1,2\n0,1,3,4\n", WALK, ["0E0", "0"]),
    "decimals below many whole numbers": (
        f"id,t,x,y\n{MANY}1.10,0,1,2\n1.1,0,1,2\n",
        None,
        [*map(str, range(40)), "1.10", "1.1"],
    ),
    "hexadecimal numbers that look like powers below whole ones": (
        f"icao24,t,x,y\n{MANY}4e1,0,1,2\n40e0,0,1,2\n",
        None,
        [*map(str, range(40)), "4e1", "40e0"],
    ),
    "more digits than an integer holds": (
        "id,t,x,y\n18446744073709551617,0,1,2\n18446744073709551618,0,1,2\n",
        None,
        ["18446744073709551617", "18446744073709551618"],
    ),
    "whole numbers of several forms": ("id,t,x,y\n1.0,0,1,2\n1.00,0,1,2\n", None, ["1.0", "1.00"]),
    "truth values": ("id,t,x,y\nTrue,0,1,2\nFALSE,0,1,2\n", None, ["True", "FALSE"]),
    "signs": ("id,t,x,y\n-0,0,1,2\n-05,0,1,2\n0,0,1,2\n", None, ["-0", "-05", "0"]),
    "hexadecimal numbers": ("id,t,x,y\n0x1F,0,1,2\n31,0,1,2\n", None, ["0x1F", "31"]),
    "blanks before a padded number": ("id, t, x, y\n1, 0, 1, 2\n 007, 0, 1, 2\n", None, ["1", "007"]),
    "a padded number in the first row": (
        "007,0,1,2\n8,0,1,2\n",
        vrnn.Columns(names=("id", "t", "x", "y")),
        ["007", "8"],
    ),
    "decimal commas": ("id;t;x;y\n1,50;0;1,5;2\n1,5;0;1,5;2\n", None, ["1,50", "1,5"]),
    "decimal commas in rows with comments": (
        "id;t;x;y\n1,50;0;1,5;2\n# lost\n1,5;0;1,5;2\n",
        None,
        ["1,50", "1,5"],
    ),
    "a quoted # among comments": ('id,t,x,y\n"#1",0,1,2\n# lost\n2,0,1,2\n', None, ["#1", "2"]),
}  # fmt: skip


@pytest.mark.parametrize("name", IDS)
def test_ids_are_kept_as_they_are_written(name: str, write) -> None:
    text, columns, ids = IDS[name]
    assert vrnn.read_tracks(write(text), columns).ids == ids


VALUES: dict[str, tuple[str, str, list]] = {
    "decimal commas beside ids with points": ("a.csv", "id;t;x;y\n1.1;0;1,5;2\n", [[[1.5, 2]]]),
    "decimal commas and exponents": ("a.csv", "id;t;x;y\n1;0;1,5e+02;-2,5E-1\n", [[[150, -0.25]]]),
    "decimal commas beside words with points": (
        "a.tsv",
        "id\tt\tx\ty\tremark\n1\t0\t1,5\t2\t1.5\n1\t1\t2,5\t2\tat 7\n1\t2\t2,5\t2\tat 9\n",
        [[[1.5, 2], [2.5, 2], [2.5, 2]]],
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_values(name: str, write) -> None:
    file, text, values = VALUES[name]
    assert [x.tolist() for x in vrnn.read_tracks(write(text, file)).x] == values


REFUSED: dict[str, tuple[str, str | bytes, dict[str, Any], str]] = {
    "hexadecimal positions": (
        "a.csv",
        "id,t,x,y\na,0,0x1F,2\na,1,0x20,2\n",
        {"columns": vrnn.Columns(x=("x", "y"))},
        "line 2, column 'x': expected a number, found '0x1F'",
    ),
    "nothing but comments": (
        "a.csv",
        "id,t,x,y\n#1,0,1,2\n#2,0,1,2\n",
        {},
        "expected rows below the header, found none; lines that begin with # are comments",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, write) -> None:
    file, text, settings, message = REFUSED[name]
    with pytest.raises(DataError, match=message) as error:
        vrnn.read_tracks(write(text, file), **settings)
    check_message(error.value)


def test_rows_after_a_hash_are_counted(write) -> None:
    tracks = vrnn.read_tracks(write("id,t,x,y\na,0,1,2\n#b,0,1,2\n# a remark\na,1,2,3\n"))
    assert tracks.origin.notes == ("1 row after a # left out as comments, the first in line 3",)


def test_comments_far_below_the_header(write) -> None:
    rows = "".join(f"a,{t},1,2\n" for t in range(20_000))
    tracks = vrnn.read_tracks(write(f"id,t,x,y\n{rows}# lost\n#b,0,1,2\nc,0,1,2\n"))
    assert (tracks.ids, tracks.lengths.tolist()) == (["a", "c"], [20_000, 1])


def test_decimals_are_the_nearest_numbers(tmp_path) -> None:
    x = pa.array([Decimal("0.059"), Decimal("-12.301")], pa.decimal128(20, 3))
    pyarrow.parquet.write_table(
        pa.table({"id": [1, 1], "t": [0, 1], "x": x, "y": x}), tmp_path / "a.parquet"
    )
    assert vrnn.read_tracks(tmp_path / "a.parquet").x[0][:, 0].tolist() == [0.059, -12.301]
