"""Files appear whole or not at all."""

import json
import os

import pytest

from vrnn.errors import DataError
from vrnn.files import user_path, whole_file, write_json


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


def test_a_tilde_is_the_home_folder_at_the_start_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("~/a") == tmp_path / "a" and user_path("a/~") == user_path("a") / "~"
    with whole_file("~/new/a.txt") as temporary:
        temporary.write_text("all of it")
    assert (tmp_path / "new" / "a.txt").read_text() == "all of it"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError("odd")])
def test_a_disk_that_fills_up_is_named_with_the_file(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(DataError) as raised, whole_file(path) as temporary:
        temporary.write_text("half")
        raise error
    assert str(raised.value) == f"{path}: cannot be written ({error.strerror or 'odd'})"
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    link, real = tmp_path / "a.txt", tmp_path / "real" / "b.txt"
    link.symlink_to(real)
    for text in ("first", "second"):
        with whole_file(link) as temporary:
            temporary.write_text(text)
        assert link.is_symlink() and real.read_text() == text
    assert [p.name for p in real.parent.iterdir()] == ["b.txt"]


def test_permissions_are_those_of_the_old_file_or_of_a_new_one(tmp_path):
    plain, path = tmp_path / "plain.txt", tmp_path / "a.txt"
    plain.touch()
    for expected in (plain.stat().st_mode, 0o100600):
        with whole_file(path) as temporary:
            temporary.write_text("all of it")
        assert path.stat().st_mode == expected
        path.chmod(0o600)


def test_the_longest_name_that_a_file_may_have_is_written(tmp_path):
    path = tmp_path / f"{'a' * (os.pathconf(tmp_path, 'PC_NAME_MAX') - 4)}.txt"
    with whole_file(path) as temporary:
        temporary.write_text("all of it")
    assert path.read_text() == "all of it"
