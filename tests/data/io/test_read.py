"""The format is found by extension and first line, in files and folders."""

import pytest
from tests.helpers.track_files import ETH, STORM

from vrnn.data.io import read_tracks
from vrnn.errors import DataError


def test_text_with_a_header_is_a_table(write):
    assert read_tracks(write("id\tt\tx\ty\na\t0\t1\t2\n", "a.txt")).ids == ["a"]


def test_folder(write, tmp_path):
    write(ETH, "b.txt")
    write("id,t,x,y\n1,0,1,2\n", "a.csv")
    write("not read", "notes.md")
    write("not read", ".hidden.csv")
    write("not read", "inner/c.csv")
    assert read_tracks(str(tmp_path)).ids == ["a/1", "b/1", "b/2"]
    write(ETH, "a.txt")
    assert read_tracks(tmp_path).ids == ["a.csv/1", "a.txt/1", "a.txt/2", "b/1", "b/2"]


def test_refuses_folders_and_paths(write, tmp_path):
    write(ETH, "inner/b.txt")
    with pytest.raises(
        DataError, match=r"found none; sub-folders are not searched, so name one, such as .*inner"
    ):
        read_tracks(tmp_path)
    write("id,t,x,y\n1,0,1,2\n", "inner/a.csv")
    write(STORM, "inner/c.txt")
    with pytest.raises(DataError, match="the files do not fit together: expected the same x_names"):
        read_tracks(tmp_path / "inner")
    with pytest.raises(
        DataError,
        match=r"a\.csv: expected a file or folder of tracks, but .*nowhere does not exist",
    ):
        read_tracks(tmp_path / "nowhere" / "a.csv")
    with pytest.raises(
        DataError,
        match=r"found the extension '\.xlsx'; if it is delimited text, rename it",
    ):
        read_tracks(write("", "a.xlsx"))
