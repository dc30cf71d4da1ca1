"""The changes that `make mutants` tries, and the list of those that no test can notice."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests import mutants
from tests.mutants import Runner, all_mutants, equivalent


def changed(source: str) -> set[str]:
    return {mutant.after for mutant in mutants.mutants("tasks/some.py", source)}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a + b * c", {"a - b * c", "a + b / c"}),
        ("a -= b", {"a += b"}),
        ("a < b >= c", {"a <= b >= c", "a >= b >= c", "a < b > c", "a < b < c"}),
        ("a is not b", {"a is b"}),
        ("a and b or not c", {"a or b or not c", "a and b and not c", "a and b or c"}),
        ("x[-1]", {"x[1]", "x[-2]", "x[-0]"}),
        ("f(0.5, True)", {"f(1.5, True)", "f((-0.5), True)", "f(0.5, False)"}),
        ("x.min(max(a))", {"x.max(max(a))", "x.min(min(a))"}),
        ("clamp(min=a)", {"clamp(max=a)"}),
        ("(a)/(b)", {"(a)*(b)"}),
        ("é + b", {"é - b"}),  # two bytes, one column
    ],
)
def test_each_operator_and_number_is_changed_alone(source, expected):
    assert changed(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "def f(x: Literal[3]) -> Literal[4]: ...",
        "@cached(size=3)\ndef f(): ...",
        "raise Bad(1 + a)",
        "assert a < 1",
        "f'{a + 1}'",
        "'a' + b",
        "zip(a, b, strict=True)",
        "class A:\n    def __repr__(self): return 3",
        '"""At 3 + 4."""',
    ],
)
def test_what_computes_nothing_is_left_alone(source):
    assert changed(source) == set()


def test_an_operator_after_a_comment_is_the_one_that_changes():
    (found,) = mutants.mutants("tasks/some.py", "x = (\n    a  # a + b\n    + b\n)\n")
    assert (found.line, found.before, found.after) == (3, "+ b", "- b")


def test_every_mutant_is_python():
    for mutant in all_mutants(["metrics", "tasks/score.py"]):
        ast.parse(mutant.text)


def test_a_line_can_be_named():
    found = all_mutants(["metrics/scores.py"])
    line = found[0].line
    assert all_mutants([f"metrics/scores.py:{line}"]) == [m for m in found if m.line == line]


def test_tests_that_mirror_the_file_come_first_then_the_fast_ones_of_its_folder():
    runner = Runner.__new__(Runner)
    runner.mirror_only = False
    runner.seconds = {
        "tests/data/test_batch.py": 9.0,
        "tests/data/test_tracks.py": 2.0,
        "tests/data/io/test_csv.py": 1.0,
        "src/vrnn/data/batch.py": 0.5,
        "tests/tasks/test_batch.py": 0.1,
        "tests/data/synthetic/test_motion.py": 3.0,
    }
    every = set(runner.seconds) | {""}
    some = every - {"tests/data/io/test_csv.py"}
    runner.entered = {
        "data/batch.py": {1: {""}, 3: every, 8: some},
        "data/synthetic/motion/kinds.py": {4: every},
        "data/io/names.py": {1: {""}},
    }

    def stages(file: str, *lines: int) -> list[list[str]]:
        return runner.stages(mutants.Mutant(file, 9, "", "", "", range(*lines)))

    first = ["src/vrnn/data/batch.py", "tests/data/test_batch.py"]
    motion = "tests/data/synthetic/test_motion.py"
    others = ["tests/data/io/test_csv.py", "tests/data/test_tracks.py", motion]
    assert stages("data/batch.py", 2, 5) == stages("data/batch.py", 1, 9) == [first, others]
    assert stages("data/batch.py", 7, 9) == [first, others[1:]]
    assert stages("data/batch.py", 5, 7) == []
    assert stages("data/synthetic/motion/kinds.py", 2, 9)[0] == [motion]
    assert sum(len(stage) for stage in stages("data/io/names.py", 1, 5)) == 5
    runner.mirror_only = True
    assert stages("data/batch.py", 2, 5) == [first]


def test_a_change_knows_its_innermost_function():
    source = "a = 1\ndef f(x=2):\n    def g():\n        return 3\n    return 4\n"
    found = {m.line: m.function for m in mutants.mutants("tasks/some.py", source)}
    assert found == {1: range(1, 6), 2: range(3, 6), 4: range(4, 5), 5: range(3, 6)}


@pytest.mark.parametrize(
    "entry", equivalent(), ids=lambda entry: f"{entry['file']}: {entry['line']}"
)
def test_the_list_names_changes_that_are_possible(entry):
    """A line that has changed since no longer is what the reason speaks of."""
    assert set(entry) == {"file", "line", "after", "why"}
    found = {m.after for m in all_mutants([entry["file"]]) if m.before == entry["line"]}
    assert found >= set(entry["after"])
    assert entry["after"]


@pytest.mark.slow  # imports torch, and runs pytest six times
def test_a_change_that_a_test_notices_is_killed(tmp_path):
    for name, text in {
        "pyproject.toml": "[tool.pytest.ini_options]\naddopts='--import-mode=importlib'",
        "src/vrnn/__init__.py": "",
        "src/vrnn/tasks/area.py": "def area(a, b):\n    return a * b if a > 0 else b",
        "tests/tasks/test_area.py": (
            "from vrnn.tasks.area import area\ndef test_area(): assert area(2, 3) == 6"
        ),
        "tests/equivalent_mutants.toml": (
            '[[mutant]]\nfile = "tasks/area.py"\nline = "return a * b if a > 0 else b"\n'
            'after = ["return a * b if a >= 0 else b"]\nwhy = "to see it left out"'
        ),
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", "utf-8")
    shutil.copy(Path(mutants.__file__), tmp_path / "tests" / "mutants.py")
    command = [sys.executable, "-m", "tests.mutants", "tasks"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    results = [line for line in done.stdout.splitlines() if "return" in line and "+" in line[:5]]
    names = [line.split()[0] for line in done.stdout.splitlines() if ".py:2" in line]
    assert dict(zip((line.strip("+ ") for line in results), names, strict=True)) == {
        "return a / b if a > 0 else b": "killed",
        "return a * b if a <= 0 else b": "killed",
        "return a * b if a > 1 else b": "survived",
        "return a * b if a > (-1) else b": "survived",
    }
    assert (tmp_path / "src/vrnn/tasks/area.py").read_text("utf-8").count("a * b if a > 0") == 1
