"""One run folder that is trained, killed, damaged, resumed and used in any order."""

import os
import shutil
import signal
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from safetensors.torch import load_file
from tests.helpers.fuzz import check_message, counting, effort, without_warnings
from tests.helpers.small_runs import CONFIG, SETTINGS, Killer, timeless, walks

import vrnn
from vrnn.errors import RunFolderError, VrnnError
from vrnn.training.resume import load_state
from vrnn.training.trackers import read_metrics

QUICK = replace(SETTINGS, steps=6, validate_every=2, energy_weight=0.0)
STATE = "training.safetensors"
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills copies of this process")


def train(out: Path, **more) -> None:
    vrnn.train(walks(), config=CONFIG, training=QUICK, out=out, quiet=True, **more)


def in_a_copy(work: Callable[[], None]) -> int:
    """Do something in a copy of this process, and return how that ended: 0, 2 for an error, or a signal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which wait here
        child = os.fork()
    if not child:
        try:
            work()
        except VrnnError:
            os._exit(2)
        except BaseException:
            os._exit(1)
        os._exit(0)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except BaseException:
        with suppress(OSError):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        raise


class OneRun(RuleBasedStateMachine):
    """What the folder may hold, and what each command must do with it.

    Attributes:
        whole: a run that nobody interrupted; in the end every other run equals it.
        place: a folder for the runs.
        tried: counts of what was done.
        damage: a file that was damaged, which must be named until it is deleted.
        finished: whether the run has come to its end since it began.
    """

    whole: Path
    place: Path
    tried: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.folder = self.place / "run"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.damage: Path | None = None
        self.finished = False

    @property
    def begun(self) -> bool:
        return (self.folder / "config.json").exists()

    def files(self) -> dict[Path, bytes]:
        """Return what is in the folder, without the lock and the parts of files of a killed run."""
        return {p: p.read_bytes() for p in self.folder.glob("[!.]*")}

    def refused(self, work: Callable[[], None], *names: str) -> None:
        """Check that something is refused in one line with these words, and changes nothing."""
        before = self.files()
        with pytest.raises(RunFolderError) as error:
            work()
        check_message(error.value)
        assert all(name in str(error.value) for name in names), str(error.value)
        assert self.files() == before

    def step(self, what: str) -> None:
        self.tried["steps of runs"] += 1
        self.tried[f"steps of runs: {what}"] += 1

    @rule(moment=st.sampled_from(["step", "before", "after"]), count=st.integers(1, 9))
    def train_and_kill(self, moment: str, count: int) -> None:
        """Begin or go on, and be killed where the count is reached."""
        self.step("kill")
        resume = self.begun
        if self.damage is not None:
            return
        code = in_a_copy(lambda: train(self.folder, resume=resume, tracker=Killer(moment, count)))
        assert code in (0, -signal.SIGKILL), code
        self.finished = self.finished or code == 0

    @rule()
    def finish(self) -> None:
        """Begin or go on to the end, which is that of a run that nobody interrupted."""
        self.step("finish")
        if self.damage is not None:
            self.refused(lambda: train(self.folder, resume=True), str(self.damage), "delete it")
            return
        train(self.folder, resume=self.begun)
        self.finished = True
        for name in ("model.safetensors", STATE):
            one, two = load_file(self.folder / name), load_file(self.whole / name)
            assert one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)
        assert load_state(self.folder).progress == load_state(self.whole).progress
        records = (read_metrics(run / "metrics.jsonl") for run in (self.folder, self.whole))
        assert timeless(next(records)) == timeless(next(records))

    @precondition(lambda self: self.begun)
    @rule()
    def begin_again(self) -> None:
        self.step("begin again")
        self.refused(lambda: train(self.folder), "holds a run already")

    @precondition(lambda self: not self.begun)
    @rule()
    def resume_nothing(self) -> None:
        self.step("resume nothing")
        self.refused(lambda: train(self.folder, resume=True), "nothing to resume")

    @precondition(lambda self: self.begun)
    @rule(data=st.booleans())
    def resume_with_something_else(self, data: bool) -> None:
        """Other settings and other tracks are refused."""
        self.step("resume with something else")
        tracks = walks(seed=1) if data else walks()
        settings = QUICK if data else replace(QUICK, learning_rate=0.5)
        other = lambda: vrnn.train(  # noqa: E731
            tracks, config=CONFIG, training=settings, out=self.folder, resume=True, quiet=True
        )
        self.refused(other, "the data is not" if data else "learning_rate")

    @rule()
    def score(self) -> None:
        """Whatever was validated last can be used."""
        self.step("score")
        work = lambda run: vrnn.score(walks(3), model=run, particles=3)  # noqa: E731
        if not (self.folder / "model.safetensors").exists():
            why = "no model.safetensors" if self.begun else "expected a run folder"
            self.refused(lambda: work(self.folder), why)
            return
        found, best = work(self.folder), work(self.whole)
        assert all(np.isfinite(a).any() for a in found.log_prob)
        if self.finished:
            for one, two in zip(found.log_prob, best.log_prob, strict=True):
                np.testing.assert_array_equal(one, two)

    @precondition(lambda self: (self.folder / STATE).exists() and self.damage is None)
    @rule(share=st.floats(0, 0.99))
    def cut_off(self, share: float) -> None:
        """Lose the end of the state of training, as on a disk that is full."""
        self.step("cut off")
        self.damage = self.folder / STATE
        os.truncate(self.damage, int(share * self.damage.stat().st_size))

    @precondition(lambda self: self.damage is not None)
    @rule()
    def delete_what_is_damaged(self) -> None:
        """As the message says; then the run starts again."""
        self.step("delete what is damaged")
        self.damage.unlink()
        self.damage = None

    @invariant()
    def no_file_is_half_written(self) -> None:
        """A kill leaves each file whole, or not there."""
        if self.begun:
            vrnn.training.run_folder.read_settings(self.folder)
        if self.damage is None and self.folder.exists():
            load_state(self.folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody interrupted."""
    out = tmp_path_factory.mktemp("whole") / "run"
    train(out)
    return out


@pytest.mark.parametrize("many", [False, pytest.param(True, marks=pytest.mark.fuzz)])
def test_one_run(many: bool, whole: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Train, kill, damage, resume and score in any order."""
    with counting(request) as tried, without_warnings():
        machine = type("OneRun", (OneRun,), {"whole": whole, "place": tmp_path, "tried": tried})
        run_state_machine_as_test(
            machine, settings=effort(many, share=0.02, few=2, steps=12 if many else 5)
        )
