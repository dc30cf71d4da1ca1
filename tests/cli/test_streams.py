"""Standard streams that are closed, full, or cannot show a text: no traceback, and nothing is lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
IDS = '東京,0,1,2\n東京,1,1,3\n"a\x1b[31m\nb",0,1,2\n'


def shell(line: str, *words: object, folder: Path, **variables: str) -> subprocess.CompletedProcess:
    """Run `vrnn WORDS` with redirections, as in `vrnn "$@" >&-`; streams keep their buffers."""
    script = f'vrnn() {{ "{sys.executable}" -m vrnn.cli.main "$@"; }}; {line}'
    return subprocess.run(
        ["bash", "-c", script, "bash", *map(str, words)],
        capture_output=True,
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "", **variables},
    )


TRAIN = ["train", "walks.csv", "--out", "run", "--arch", "rnn", "--hidden", "4", "--steps", "2"]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('vrnn "$@" 2>&-', marks=pytest.mark.slow),
        'vrnn "$@" >&- 2>&- <&-',
        pytest.param(
            'vrnn "$@" 2>/dev/full',
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full"),
            ],
        ),
    ],
)
def test_training_goes_on_without_standard_error(line, folder, tmp_path):
    (tmp_path / "walks.csv").write_bytes((folder / "walks.csv").read_bytes())
    done = shell(line, *TRAIN, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    files = {"config.json", "metrics.jsonl", "model.safetensors", "training.safetensors"}
    assert names == files | {"futures.png"}
    if ">&- 2" not in line:
        assert done.stdout.startswith(b"run            run\n"), "progress on standard output"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_standard_output_is_one_line_after_the_files_are_written(folder, runs, tmp_path):
    words = ["forecast", folder / "prefix.csv", "--model", runs["rnn"]]
    words += ["--horizon", "2", "--samples", "2", "--out", "f.csv", "--plot", "f.png"]
    done = shell('vrnn "$@" >/dev/full', *words, folder=tmp_path, PYTHONUNBUFFERED="1")
    assert done.returncode == 2
    assert done.stderr.decode() == (
        "vrnn forecast: standard output: No space left on device; "
        "files that were asked for are written\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.csv", "f.png"]


@pytest.mark.parametrize("close", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_leave_the_exit_code(close, folder, tmp_path):
    assert (
        shell(f'vrnn "$@" {close}', "doctor", folder / "walks.csv", folder=tmp_path).returncode == 0
    )
    done = shell(f'vrnn "$@" {close}', "doctor", "none.csv", folder=tmp_path)
    assert done.returncode == 2 and b"Traceback" not in done.stderr


def test_a_pipe_that_is_closed_early_is_quiet(folder, tmp_path):
    line = 'vrnn "$@" | head -1; exit "${PIPESTATUS[0]}"'
    done = shell(line, "doctor", folder / "walks.csv", folder=tmp_path, PYTHONUNBUFFERED="1")
    assert done.returncode in (0, 141)  # head may have read all
    assert done.stdout == b"tracks        24\n" and done.stderr == b""


def test_files_do_not_take_the_place_of_closed_streams(tmp_path):
    """What a C library writes to descriptor 2 must not stand in a file."""
    script = (
        "import os; from vrnn.console import open_streams; open_streams()\n"
        "file = open('data.txt', 'w'); assert file.fileno() > 2, file.fileno()\n"
        "os.write(2, b'a warning'); os.write(1, b'a result')"
    )
    line = f'"{sys.executable}" -c "$1" >&- 2>&- <&-'
    assert shell(line, script, folder=tmp_path).returncode == 0
    assert (tmp_path / "data.txt").read_bytes() == b""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_ids_are_shown_as_the_console_can_show_them(encoding, tmp_path):
    (tmp_path / "ids.csv").write_text(f"id,t,x,y\n{IDS}", encoding="utf-8")
    done = shell('vrnn "$@"', "doctor", "ids.csv", folder=tmp_path, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode(encoding)
    assert r"(a\x1b[31m\nb)" in text and "\x1b" not in text
    (tmp_path / "ids.csv").write_text(
        "id,t,x,y\n東京,0,1,2\n東京,0,1,3\n東京,0,1,4\n", encoding="utf-8"
    )
    done = shell('vrnn "$@"', "doctor", "ids.csv", folder=tmp_path, PYTHONIOENCODING=encoding)
    shown = "東京".encode(encoding, "backslashreplace")
    assert done.returncode == 2 and shown in done.stderr and done.stderr.count(b"\n") == 1
