"""One training at a time in a run folder."""

import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.helpers.small_runs import QUICK, RNN, walks

import vrnn
from vrnn.errors import RunFolderError
from vrnn.training import lock
from vrnn.training.lock import locked

CHECKOUT = Path(__file__).parents[2]
HOLDER = """
import sys, time
from pathlib import Path
from vrnn.training.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def train(out: Path, **more):
    return vrnn.train(walks(), config=RNN, training=QUICK, out=out, quiet=True, **more)


def hold(folder: Path) -> subprocess.Popen:
    """Start a process that holds a folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, folder], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"held\n"
    return process


def test_a_folder_that_another_process_trains_into_is_refused_and_free_after_a_kill(tmp_path):
    out = tmp_path / "run"
    train(out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    modes = vrnn.ModesConfig(count=2, horizon=2, steps=1)
    holder = hold(out)
    try:
        for attempt in (
            lambda: train(out, resume=True),
            lambda: vrnn.fit_modes(walks(), model=out, config=modes, out=out, quiet=True),
        ):
            with pytest.raises(
                RunFolderError, match="run: another training writes to it now; wait"
            ):
                attempt()
        assert {p.name: p.read_bytes() for p in out.iterdir()} == {**before, lock.LOCK: b""}
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    assert (out / lock.LOCK).exists()
    train(out, resume=True)
    assert {path.name for path in out.iterdir()} == before.keys()


def test_the_second_of_two_new_runs_is_refused(tmp_path):
    out = tmp_path / "run"
    holder = hold(out)
    try:
        with pytest.raises(RunFolderError, match="another training writes to it now"):
            train(out)
        assert [path.name for path in out.iterdir()] == [lock.LOCK]
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_threads_of_one_process_are_kept_apart_too(tmp_path):
    out, found = tmp_path / "run", []

    class Second:
        def log(self, record) -> None:
            def attempt() -> None:
                try:
                    train(out, resume=True)
                except RunFolderError as error:
                    found.append(str(error))

            thread = threading.Thread(target=attempt)
            thread.start()
            thread.join()

    train(out, tracker=Second())
    assert len(found) == QUICK.steps and all("another training writes" in line for line in found)


def test_a_run_that_came_to_its_end_meanwhile_is_not_trained_over(tmp_path, monkeypatch):
    """Between the first look at a folder and its lock another training may begin and end."""
    out, finished = tmp_path / "run", tmp_path / "finished"
    train(finished)
    take = lock._acquire

    def late(path):
        shutil.copytree(finished, out, dirs_exist_ok=True)
        return take(path)

    monkeypatch.setattr(lock, "_acquire", late)
    with pytest.raises(RunFolderError, match="holds a run already"):
        train(out)
    for name in ("config.json", "model.safetensors", "metrics.jsonl"):
        assert (out / name).read_bytes() == (finished / name).read_bytes()


def test_a_lock_whose_file_was_removed_is_taken_again(tmp_path, monkeypatch):
    """Who waits for a file that its holder removes must not hold a file without a name."""
    real, removed = lock._lock, []

    def remove_first(handle):
        real(handle)
        if not removed:
            removed.append(handle)
            (tmp_path / lock.LOCK).unlink()

    monkeypatch.setattr(lock, "_lock", remove_first)
    with locked(tmp_path):
        assert removed and (tmp_path / lock.LOCK).exists()


def test_failures_before_training_leave_no_folder(tmp_path):
    with pytest.raises(vrnn.errors.ConfigError):
        vrnn.train(walks(), config=vrnn.RNNConfig(3), out=tmp_path / "new" / "run", quiet=True)
    assert not list(tmp_path.iterdir())


def test_what_a_killed_training_left_half_written_is_removed(tmp_path):
    train(tmp_path)
    left = [tmp_path / f".vrnn-0{end}" for end in (".safetensors", ".jsonl", ".csv")]
    for path in left:
        path.touch()
    train(tmp_path, resume=True)
    assert [path.exists() for path in left] == [False, False, True]  # a table may be on its way


def test_without_locks_training_goes_on_and_says_so(tmp_path, monkeypatch, caplog):
    fcntl = pytest.importorskip("fcntl")

    def refuse(handle, how):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    train(tmp_path / "run")
    assert "the file system has no locks" in caplog.text and len(caplog.records) == 1


def test_a_disk_that_fills_up_leaves_a_run_that_resumes(tmp_path):
    """The same bits come out as without the interruption."""
    resource = pytest.importorskip("resource")
    whole, out = tmp_path / "whole", tmp_path / "run"
    train(whole)
    size = (whole / "training.safetensors").stat().st_size
    script = (
        "import resource, sys, signal; from pathlib import Path; import vrnn\n"
        "from tests.training.test_lock import train\n"
        "class Fill:\n"
        "    def log(self, record):\n"
        "        if record['step'] == 3:\n"
        "            resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)\n"
        "try: train(Path(sys.argv[1]), tracker=Fill())\n"
        "except vrnn.errors.VrnnError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, out, str(size - 1)],
        capture_output=True, text=True, cwd=CHECKOUT,
    )  # fmt: skip
    assert resource and done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{out / 'training.safetensors'}: cannot be written (")
    assert "(File too large); make room, then go on with resume=True\n" in done.stdout
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    train(out, resume=True)
    for name in ("model.safetensors", "training.safetensors"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
