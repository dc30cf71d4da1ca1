"""Files that have no text, and the encoding they are in."""

import pytest
from tests.helpers.track_files import check_refused

BAD_FILES = {
    "empty": ("", "expected a table of tracks, found an empty file"),
    "blank": ("\n \n", "expected a table of tracks, found an empty file"),
    "latin-1": (
        "id,t,x,y\nJosé,0,1,2\n".encode("latin-1"),
        "line 2: expected UTF-8 text, found the byte 0xe9; "
        "probably WINDOWS-1252.*iconv -f WINDOWS-1252",
    ),
    "utf-16": (
        "id,t,x,y\n1,0,1,2\n".encode("utf-16"),
        "expected UTF-8 text.*probably UTF-16 from Excel",
    ),
    "zero byte": (b"id,t\0\n1,2\n", "expected text, found binary content"),
    "binary": (b"\x89PNG\0\xff\xfe", "expected UTF-8 text, found binary content"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_refuses(write, case):
    text, message = BAD_FILES[case]
    check_refused(write(text), message)
