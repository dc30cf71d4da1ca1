"""Files appear whole or not at all."""

import json

import pytest

from vrnn.errors import DataError
from vrnn.files import whole_file, write_json


def test_a_file_takes_its_place_when_all_is_written(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with whole_file(path) as temporary:
        temporary.write_text("all of it")
        assert not path.exists() and temporary.suffix == ".txt"
    assert path.read_text() == "all of it" and list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_no_scrap(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="stop"), whole_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("stop")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(DataError, match=r"file/a\.txt: cannot be written \(.*\); choose"),
        whole_file(tmp_path / "file" / "a.txt"),
    ):
        pass


def test_json(tmp_path):
    write_json(tmp_path / "a.json", {"steps": [1, 2]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"steps": [1, 2]}
