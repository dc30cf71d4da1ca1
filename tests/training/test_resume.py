"""A run that is killed at any moment and resumed ends with the same bits; what does not fit is refused."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tests.helpers import small_runs
from tests.helpers.small_runs import CONFIG, QUICK, RNN, SETTINGS, small_run, timeless, walks

import vrnn
from vrnn.errors import RunFolderError
from vrnn.training.resume import load_state, optimiser_tensors, restore_optimiser
from vrnn.training.trackers import read_metrics

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The folder of a run that nobody interrupted."""
    out = tmp_path_factory.mktemp("whole") / "run"
    small_run(out)
    return out


@pytest.fixture
def folder(whole, tmp_path) -> Path:
    """A copy of it, to break."""
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("size", [0, 300, 5000])
def test_damaged_training_state_is_refused_when_resuming(folder, size):
    os.truncate(folder / "training.safetensors", size)
    with pytest.raises(
        RunFolderError, match=r"training.safetensors: damaged .*; delete it to start the run again"
    ):
        load_state(folder)


def test_training_state_of_another_program_is_refused(folder):
    save_file({"weight": torch.zeros(2)}, folder / "training.safetensors")
    with pytest.raises(RunFolderError, match="damaged"):
        load_state(folder)


def rewrite(path: Path, progress: str | None = None, **changed: torch.Tensor | None) -> None:
    """Change tensors of a training state, or take them out; and what it says of its progress."""
    with safe_open(path, "pt") as stored:
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        metadata = stored.metadata()
    tensors = {k: v for k, v in {**tensors, **changed}.items() if v is not None}
    save_file(tensors, path, {"progress": progress} if progress is not None else metadata)


PROGRESS = '{"step": 4, "best_value": 1.0, "best_step": 4, "waited": 0, "stopped": false}'
STATES = {
    "no weight": ({"model/h0": None}, r"model/h0: expected shape \(8,\), found none"),
    "another shape": ({"best/h0": torch.zeros(9)}, r"best/h0: expected shape \(8,\), found .*9"),
    "no average": ({"ema/h0": None}, "ema/h0: expected shape"),
    "a stray tensor": ({"model/more": torch.zeros(1)}, "model/more: expected none"),
    "a stray group": ({"other/h0": torch.zeros(8)}, "'other'"),
    "no group": ({"h0": torch.zeros(8)}, "not enough values"),
    "half an optimiser": ({"optimiser/0/exp_avg": None}, "optimiser/0/exp_avg: expected shape"),
    "an odd optimiser": ({"optimiser/x/step": torch.zeros(())}, "optimiser/x/step: expected none"),
    "a far optimiser": (
        {"optimiser/999/step": torch.zeros(())},
        "optimiser/999/step: expected none",
    ),
    "whole numbers": ({"model/h0": torch.zeros(8, dtype=torch.int64)}, "floating-point numbers"),
    "infinite weights": ({"model/h0": torch.full((8,), torch.inf)}, "h0 to hold finite numbers"),
    "progress of another kind": ({"progress": "[1]"}, "progress: expected an object"),
    "no progress": ({"progress": "{}"}, "absent settings: best_step"),
    "progress that is no JSON": ({"progress": "{"}, "damaged"),
    "a step that is a text": (
        {"progress": PROGRESS.replace("4", '"4"', 1)},
        "progress.step: expected",
    ),
    "a step below 0": (
        {"progress": PROGRESS.replace("4", "-4", 1)},
        "progress.step: expected at least 0",
    ),
    "a step past the end": ({"progress": PROGRESS.replace("4", "99", 1)}, "at most 12"),
    "a value that is none": ({"progress": PROGRESS.replace("1.0", "NaN", 1)}, "not finite"),
}


def test_a_state_without_its_average_is_refused(folder):
    path = folder / "training.safetensors"
    rewrite(path, **{name: None for name in load_file(path) if name.startswith("ema/")})
    with pytest.raises(RunFolderError, match=r"damaged \(ema/.*: expected shape .*, found none"):
        small_run(folder, resume=True)


@pytest.mark.parametrize("name", STATES)
def test_a_state_that_does_not_fit_is_one_line_and_nothing_is_written(folder, name):
    changes, message = STATES[name]
    rewrite(folder / "training.safetensors", **changes)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(RunFolderError, match=message) as error:
        small_run(folder, resume=True)
    text = str(error.value)
    assert text.startswith(f"{folder / 'training.safetensors'}: damaged (") and "\n" not in text
    assert text.endswith("; delete it to start the run again")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    "line",
    [
        '{"loss": 1}',
        '{"step": "one", "bound": 1.0}',
        '{"step": 1, "val_bound": [1.0]}',
        '{"step": 1, "val_bound": {"a": 1}}',
        '{"step": 1, "bound": 1' + "0" * 400 + "}",
        "[1]",
        "{",
        "\x1b[31m",
        "\ufffd",
    ],
)
def test_metrics_of_another_program_are_one_line(folder, line):
    path = folder / "metrics.jsonl"
    good = path.read_text()
    path.write_text(f"{good}{line}\n{good}")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(RunFolderError, match="line 13: expected a record of a training") as error:
        small_run(folder, resume=True)
    assert str(error.value).isprintable()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    path.write_bytes(f"{good}{line}".encode()[:-1] + b"\xff")  # a kill has cut the last line short
    assert len(read_metrics(path)) == 12


def test_optimiser_comes_back_whole():
    def steps(optimiser, parameter, count):
        for i in range(count):
            optimiser.zero_grad()
            (parameter * (i + 1)).square().sum().backward()
            optimiser.step()

    a = torch.nn.Parameter(torch.ones(3))
    first = torch.optim.AdamW([a], lr=0.1)
    steps(first, a, 3)
    b = torch.nn.Parameter(a.detach().clone())
    second = torch.optim.AdamW([b], lr=0.1)
    restore_optimiser(second, optimiser_tensors(first))
    steps(first, a, 2)
    steps(second, b, 2)
    assert torch.equal(a, b)


def assert_same_run(found: Path, expected: Path) -> None:
    """Equal weights, best weights, optimiser and progress to the bit, and metrics without a break."""
    for name in ("model.safetensors", "training.safetensors"):
        a, b = load_file(found / name), load_file(expected / name)
        assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a), name
    assert load_state(found).progress == load_state(expected).progress
    records = read_metrics(found / "metrics.jsonl")
    assert timeless(records) == timeless(read_metrics(expected / "metrics.jsonl"))
    assert [r["step"] for r in records] == list(range(1, SETTINGS.steps + 1))


def kill_at(out: Path, moment: str, count: int) -> None:
    done = subprocess.run(
        [sys.executable, small_runs.__file__, out, moment, str(count)],
        capture_output=True,
        cwd=CHECKOUT,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def test_killed_run_resumes_to_the_same_bits(whole, tmp_path):
    out = tmp_path / "run"
    kill_at(out, "step", 7)
    assert load_state(out).progress.step == 4 and len(read_metrics(out / "metrics.jsonl")) == 7
    small_run(out, resume=True)
    assert_same_run(out, whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment, count",
    [
        ("step", 1),
        ("step", 4),
        ("step", 12),
        *((m, c) for c in range(2, 9) for m in ("before", "after")),
    ],
)
def test_run_killed_at_any_moment_resumes_to_the_same_bits(whole, tmp_path, moment, count):
    """Files take their names in this order: config, metrics, then weights and state of each of three validations."""
    out = tmp_path / "run"
    kill_at(out, moment, count)
    small_run(out, resume=True)
    assert_same_run(out, whole)


@pytest.mark.slow
def test_run_killed_again_and_again_ends_with_the_same_bits(whole, tmp_path):
    out, kills = tmp_path / "run", 0
    script = "import sys, torch; torch.set_num_threads(1)\n" + (
        "from pathlib import Path; from tests.helpers.small_runs import small_run; import time\n"
        "class Slow:\n    def log(self, record): time.sleep(0.1)\n"
        "small_run(Path(sys.argv[1]), resume=Path(sys.argv[1], 'config.json').exists(), tracker=Slow())"
    )
    for wait in np.random.default_rng(0).uniform(0.0, 0.6, 6):
        running = subprocess.Popen([sys.executable, "-c", script, out], cwd=CHECKOUT)
        metrics = out / "metrics.jsonl"
        before = metrics.stat().st_mtime_ns if metrics.exists() else None
        while running.poll() is None and (
            not metrics.exists() or metrics.stat().st_mtime_ns == before
        ):
            time.sleep(0.01)
        time.sleep(wait)
        kills += running.poll() is None
        running.kill()
        running.wait()
    assert kills > 3
    small_run(out, resume=True)
    assert_same_run(out, whole)


@pytest.mark.slow
def test_run_killed_before_it_had_a_config_starts_again(whole, tmp_path):
    out = tmp_path / "run"
    kill_at(out, "before", 1)
    with pytest.raises(RunFolderError, match="nothing to resume"):
        small_run(out, resume=True)
    small_run(out)
    assert_same_run(out, whole)


def test_interrupt_from_the_keyboard_resumes_too(whole, tmp_path):
    class Interrupt:
        def log(self, record) -> None:
            if record["step"] == 6:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small_run(tmp_path / "run", tracker=Interrupt())
    small_run(tmp_path / "run", resume=True)
    assert_same_run(tmp_path / "run", whole)


def test_finished_run_resumes_to_itself(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "run")
    run = small_run(tmp_path / "run", resume=True)
    assert_same_run(tmp_path / "run", whole)
    for name, value in vrnn.load(whole).network.state_dict().items():
        assert torch.equal(run.model.network.state_dict()[name], value)


def test_stopped_run_stays_stopped(tmp_path):
    settings = replace(QUICK, steps=100, patience=1, learning_rate=1e-30)
    vrnn.train(walks(), config=RNN, training=settings, out=tmp_path / "a", quiet=True)
    again = vrnn.train(
        walks(), config=RNN, training=settings, out=tmp_path / "a", resume=True, quiet=True
    )
    assert not again.history and read_metrics(tmp_path / "a" / "metrics.jsonl")[-1]["step"] == 4


def test_refusals_of_run_folders(whole, tmp_path):
    with pytest.raises(
        RunFolderError, match="holds a run already; resume it with resume=True, or choose another"
    ):
        small_run(whole)
    with pytest.raises(RunFolderError, match=r"nothing to resume, it has no config\.json"):
        small_run(tmp_path / "none", resume=True)
    with pytest.raises(RunFolderError, match="name its folder with out"):
        vrnn.train(walks(), config=CONFIG, training=SETTINGS, resume=True)
    with pytest.raises(RunFolderError, match="the data is not what the run was trained on"):
        vrnn.train(walks(seed=1), config=CONFIG, training=SETTINGS, out=whole, resume=True)
    with pytest.raises(
        RunFolderError, match=r"began with: model\.hidden=8 training\.learning_rate=0\.01;"
    ):
        vrnn.train(
            walks(),
            config=replace(CONFIG, hidden=9),
            training=replace(SETTINGS, learning_rate=0.5),
            out=whole,
            resume=True,
        )
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="expected a folder for the run, found a file"):
        small_run(tmp_path / "file")
