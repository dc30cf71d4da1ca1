"""Files that have no text, and the encoding they are in."""

import pytest
from tests.helpers.track_files import check_refused

from vrnn.data.io import read_tracks

BAD_FILES = {
    "empty": ("", "expected a table of tracks, found an empty file"),
    "blank": ("\n \n", "expected a table of tracks, found an empty file"),
    "latin-1": (
        "id,t,x,y\nJosé,0,1,2\n".encode("latin-1"),
        "line 2: expected UTF-8 text, found the byte 0xe9; "
        "probably WINDOWS-1252.*iconv -f WINDOWS-1252",
    ),
    "zero byte": (b"id,t\0\n1,2\n", "expected text, found binary content"),
    "binary": (b"\x89PNG\0\xff\xfe", "expected UTF-8 text, found binary content"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_refuses(write, case):
    text, message = BAD_FILES[case]
    check_refused(write(text), message)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_text_with_a_byte_order_mark(write, encoding):
    assert read_tracks(write("id,t,x,y\nJosé,0,1,2\n".encode(encoding))).ids == ["José"]


def test_two_byte_order_marks(write):
    text = "\ufeff\ufeffid,t,x,y\na,0,1,2\nb,1,50,60\n"
    assert read_tracks(write(text)).ids == ["a", "b"]


def test_a_long_file_of_utf_16(write):
    rows = "".join(f"a,{t},1,2\n" for t in range(20_000))
    assert vrnn_rows(write(f"id,t,x,y\n{rows}".encode("utf-16"))) == 20_000


def vrnn_rows(path):
    return int(read_tracks(path).lengths.sum())
