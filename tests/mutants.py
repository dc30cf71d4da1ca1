"""Change one operator or number of the source at a time, and see whether the folder's tests notice.

Run it with `make mutants`, or on a folder, a file or a line of `src/vrnn`:

    python -m tests.mutants tasks metrics/scores.py data/windows.py:88 --sample 50 --seed 1

Each mutant is written into a copy of the checkout. First run the tests that mirror its file and the
examples in its docstrings, then the other tests of its folder, the fastest files first. Files of
tests that do not enter the function of the change are left out; a first run on the clean source
tells which they are. With `--mirror` only the tests that mirror a file run, which is quick.

A process that has imported torch and pytest, but not vrnn, is forked for every mutant: that saves
seconds. A run that takes more than three times as long as before counts as killed.
`equivalent_mutants.toml` lists the changes that no test can notice, and why.

It stands beside the tests because it judges them, and `test_mutants.py` tests it.
"""

import argparse
import ast
import importlib
import json
import math
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import tomllib
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from coverage import Coverage, CoverageData

CHECKOUT = Path(__file__).resolve().parents[1]
SOURCE = CHECKOUT / "src" / "vrnn"
LIST = CHECKOUT / "tests" / "equivalent_mutants.toml"
FOLDERS = ["data", "distributions", "inference", "metrics", "objectives", "tasks"]
PRELOADED = ["torch", "numpy", "pandas", "pyarrow", "scipy.stats", "hypothesis", "pytest"]
OPERATORS = {  # what is written, and what is written in its place
    **{ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*")},
    **{ast.FloorDiv: ("//", "/"), ast.Mod: ("%", "*"), ast.Pow: ("**", "*")},
    **{
        ast.BitAnd: ("&", "|"),
        ast.BitOr: ("|", "&"),
        ast.And: ("and", "or"),
        ast.Or: ("or", "and"),
    },
    **{ast.Lt: ("<", "<=", ">="), ast.LtE: ("<=", "<", ">")},
    **{ast.Gt: (">", ">=", "<="), ast.GtE: (">=", ">", "<")},
    **{ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not")},
    **{ast.IsNot: ("is not", "is"), ast.In: ("in", "not in"), ast.NotIn: ("not in", "in")},
    **{ast.USub: ("-", ""), ast.Not: ("not ", ""), ast.Invert: ("~", "")},
}
PAIRS = [("min", "max"), ("minimum", "maximum"), ("argmin", "argmax"), ("any", "all")]
NAMES = {**dict(PAIRS), **{b: a for a, b in PAIRS}}
UNREAD = {"annotation", "returns", "decorator_list"}  # fields that compute nothing


class Mutant(NamedTuple):
    """One change of a file below `src/vrnn`: its line, before and after, and the file after it."""

    file: str
    line: int
    before: str
    after: str
    text: str
    function: range
    """The lines of the function that it is in, or of the file."""

    @property
    def folder(self) -> str:
        return self.file.split("/")[0]


def mutants(file: str, source: str) -> Iterator[Mutant]:
    """Yield every mutant of a file."""
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def offset(line: int, column: int) -> int:  # columns of ast are bytes
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

    for node, function in _computing(ast.parse(source), range(1, len(lines) + 1)):
        for first, last, written, replacement in _changes(node):
            begin, end = offset(*first), offset(*last)
            written = written or source[begin:end]
            begin += re.sub("#.*", lambda found: " " * len(found[0]), source[begin:end]).index(
                written
            )
            text = source[:begin] + replacement + source[begin + len(written) :]
            row = source.count("\n", 0, begin)
            before, after = (t.splitlines()[row].strip() for t in (source, text))
            yield Mutant(file, row + 1, before, after, text, function)


def _computing(node: ast.AST, function: range) -> Iterator[tuple[ast.AST, range]]:
    """Yield the nodes that compute, and the lines of the innermost function that they are in.

    Annotations, decorators, messages, assertions and `strict=` compute nothing.
    """
    yield node, function
    if isinstance(node, ast.FunctionDef):
        function = range(node.body[0].lineno, node.end_lineno + 1)
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            left_out = isinstance(child, ast.Raise | ast.Assert | ast.JoinedStr) or name in UNREAD
            left_out |= getattr(child, "name", None) in ("__repr__", "__str__")
            left_out |= isinstance(child, ast.keyword) and child.arg in ("strict", "stacklevel")
            if isinstance(child, ast.AST) and not left_out:
                yield from _computing(child, function)


def _changes(node: ast.AST) -> Iterator[tuple]:
    """Yield the start and end of a text, as ast gives them, the text, and what replaces it.

    An empty text is all from start to end.
    """
    gaps = []  # an operator between two nodes
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            texts = any(isinstance(getattr(side, "value", None), str) for side in (left, right))
            gaps = [] if texts or isinstance(left, ast.JoinedStr) else [(op, left, right)]
        case ast.AugAssign(target=target, op=op, value=value):
            gaps = [(op, target, value)]
        case ast.BoolOp(op=op, values=values):
            gaps = [(op, *pair) for pair in pairwise(values)]
        case ast.Compare(left=left, ops=ops, comparators=others):
            gaps = list(zip(ops, [left, *others], others, strict=False))
        case ast.UnaryOp(op=op) if type(op) in OPERATORS:
            yield _start(node), _end(node), *OPERATORS[type(op)]
        case ast.Constant(value=bool() as value):
            yield _start(node), _end(node), "", str(not value)
        case ast.Constant(value=(int() | float()) as value):
            for other in (value + 1, value - 1):
                yield _start(node), _end(node), "", f"({other})" if other < 0 else f"{other}"
        case ast.Name(id=name) | ast.keyword(arg=name) if name in NAMES:
            yield _start(node), _end(node), name, NAMES[name]
        case ast.Attribute(value=value, attr=name) if name in NAMES:
            yield _end(value), _end(node), name, NAMES[name]
    for op, left, right in gaps:
        written, *replacements = OPERATORS.get(type(op), ("",))
        for replacement in replacements:
            yield _end(left), _start(right), written, replacement


def _start(node: ast.AST) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _end(node: ast.AST) -> tuple[int, int]:
    return node.end_lineno, node.end_col_offset


def all_mutants(paths: list[str]) -> list[Mutant]:
    """Return the mutants of folders, files and lines of `src/vrnn`, as `tasks/score.py:88`."""
    found = []
    for path in paths:
        name, _, line = path.partition(":")
        place = SOURCE / name
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            made = mutants(file.relative_to(SOURCE).as_posix(), file.read_text("utf-8"))
            found += [mutant for mutant in made if not line or mutant.line == int(line)]
    return found


def equivalent() -> list[dict]:
    """Return the entries of the list: file, line, the lines that may replace it, and why."""
    return tomllib.loads(LIST.read_text("utf-8")).get("mutant", [])


def mirror(file: str) -> list[str]:
    """Return the files whose tests are of one source file: examples in docstrings, and its tests.

    A file without tests of its own may share those that bear the name of its folder.
    """
    path = Path(file)
    own = Path("tests", path.parent, f"test_{path.name}")
    shared = Path("tests", path.parent.parent, f"test_{path.parent.name}.py")
    found = [test.as_posix() for test in (own, shared) if (CHECKOUT / test).exists()]
    return [f"src/vrnn/{file}", *found[:1]]


class Observer:
    """A plugin of pytest that adds up the seconds of every file of tests, and sees what it enters.

    Attributes:
        seconds: of every file of tests.
        coverage: the lines that each file of tests runs, or None where they are not wanted.
    """

    def __init__(self, coverage: Coverage | None) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.coverage = coverage

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self.coverage:
            self.coverage.switch_context(nodeid.split("::")[0])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid.split("::")[0]] += report.duration


def start(copy: Path, targets: list[str], *, is_clean: bool) -> int:
    """Fork a process that runs tests in a copy of the checkout, and return its id.

    Its exit status is that of pytest. A run on the clean source writes `seconds.json`, and what each
    file of tests runs to `.coverage`.
    """
    pid = os.fork()
    if pid:
        return pid
    os.setsid()  # so that a run can be ended together with the processes that it has started
    os.chdir(copy)
    os.environ["PYTHONPATH"] = source = str(copy / "src")
    sys.path.insert(0, source)
    sys.dont_write_bytecode = True
    with open("output.txt", "w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    status = 70
    try:
        coverage = Coverage(".coverage", source=[source], config_file=False) if is_clean else None
        observer = Observer(coverage)
        options = ["-x", "--tb=short", "-p", "no:cacheprovider", "-p", "no:xdist"]
        options += ["-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"]
        with coverage.collect() if coverage else nullcontext():
            status = int(pytest.main([*options, *targets], plugins=[observer]))
        if coverage:
            coverage.save()
            Path("seconds.json").write_text(json.dumps(observer.seconds))
            if not sys.modules["vrnn"].__file__.startswith(source):
                status = 71
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)  # without waiting for threads that a change has left


class Runner:
    """Run tests in copies of the checkout, one copy for each process.

    Attributes:
        seconds: of every file of tests on the clean source.
        entered: for each file below `src/vrnn`, the files of tests that run each of its lines.
    """

    def __init__(self, folder: Path, processes: int, *, mirror_only: bool = False) -> None:
        self.mirror_only = mirror_only
        os.environ["OMP_NUM_THREADS"] = "1"
        for name in PRELOADED:
            importlib.import_module(name)
        self.seconds: dict[str, float] = {}
        self.entered: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        self.copies = [folder / str(number) for number in range(processes)]
        for copy in self.copies:
            shutil.copytree(
                CHECKOUT, copy, ignore=shutil.ignore_patterns(".*", "_build", "results")
            )

    def measure(self, files: set[str]) -> None:
        """Run tests of the folders of files on the clean source, and see what they run."""
        targets = defaultdict(set)
        for file in files:
            folder = file.split("/")[0]
            whole = (f"tests/{folder}", f"src/vrnn/{folder}")
            targets[folder].update(mirror(file) if self.mirror_only else whole)
        jobs = [(folder, [sorted(targets[folder])]) for folder in sorted(targets)]
        for folder, copy, status in self.run(jobs):
            if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
                raise SystemExit(f"{folder}: the tests fail\n{(copy / 'output.txt').read_text()}")
            self.seconds |= json.loads((copy / "seconds.json").read_text())
            data = CoverageData(copy / ".coverage")
            data.read()
            for path in data.measured_files():
                lines = self.entered[Path(path).relative_to(copy / "src" / "vrnn").as_posix()]
                for line, files in data.contexts_by_lineno(path).items():
                    lines[line].update(files)

    def judge(self, sample: list[Mutant]) -> Iterator[tuple[Mutant, str]]:
        """Yield mutants as they are judged: killed, survived, or too slow, which counts as killed."""
        jobs = [(mutant, self.stages(mutant)) for mutant in sample]
        yield from ((mutant, "survived") for mutant, stages in jobs if not stages)
        for mutant, copy, status in self.run([job for job in jobs if job[1]]):
            shutil.copy2(SOURCE / mutant.file, copy / "src" / "vrnn" / mutant.file)
            yield mutant, {0: "survived", -signal.SIGKILL: "too slow"}.get(status, "killed")

    def stages(self, mutant: Mutant) -> list[list[str]]:
        """Return the files of tests that mirror a mutant's file, and then the others of its folder.

        Those that do not enter its function are left out; of a change outside of functions, those
        that enter none of the file. Where the file has no function, none is left out.
        """
        own = mirror(mutant.file)
        heads = tuple(f"{top}/{mutant.folder}/" for top in ("tests", "src/vrnn"))
        lines = self.entered[mutant.file]
        entered = set().union(*(lines[line] for line in mutant.function if line in lines))
        if mutant.function.start == 1 and entered <= {""}:  # the context of an import
            entered = set(self.seconds)
        files = sorted(entered & self.seconds.keys(), key=self.seconds.get)
        files = [file for file in files if file.startswith(heads)]
        stages = [f for f in files if f in own], [f for f in files if f not in own]
        return [stage for stage in stages[: 1 if self.mirror_only else 2] if stage]

    def run(self, jobs: list[tuple[Any, list[list[str]]]]) -> Iterator[tuple[Any, Path, int]]:
        """Run the stages of each job until one fails; yield the job, its copy and the exit status.

        A job that is a mutant is written into the copy first.
        """
        jobs, free, running = jobs[::-1], list(self.copies), {}

        def begin(job: Any, copy: Path, stages: list[list[str]]) -> None:
            limit = 60 + 3 * sum(self.seconds.get(file, math.inf) for file in stages[0])
            pid = start(copy, stages[0], is_clean=not isinstance(job, Mutant))
            running[pid] = (time.monotonic() + limit, job, copy, stages[1:])

        try:
            while jobs or running:
                while jobs and free:
                    (job, stages), copy = jobs.pop(), free.pop()
                    if isinstance(job, Mutant):
                        changed = copy / "src" / "vrnn" / job.file
                        changed.write_text(job.text, "utf-8")
                        os.utime(changed, (0, 0))  # no bytecode of the source has this time
                    begin(job, copy, stages)
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    time.sleep(0.02)
                    for late in [
                        pid for pid, (end, *_) in running.items() if end < time.monotonic()
                    ]:
                        os.killpg(late, signal.SIGKILL)
                    continue
                _, job, copy, stages = running.pop(pid)
                status = os.waitstatus_to_exitcode(status)
                if status == 0 and stages:
                    begin(job, copy, stages)
                else:
                    yield job, copy, status
                    free.append(copy)
        finally:
            for pid in running:
                os.killpg(pid, signal.SIGKILL)


def main() -> int:
    """Judge a sample of mutants, print each, then a table; return 1 where one has survived."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "paths", nargs="*", default=FOLDERS, help="below src/vrnn; default: %(default)s"
    )
    parser.add_argument("--sample", type=int, default=500, help="how many mutants (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (%(default)s)")
    parser.add_argument(
        "--mirror", action="store_true", help="run no tests but those that mirror a file"
    )
    parser.add_argument("--processes", type=int, default=2, help="(%(default)s)")
    given = parser.parse_args()
    listed = {
        (entry["file"], entry["line"], after) for entry in equivalent() for after in entry["after"]
    }
    found = [m for m in all_mutants(given.paths) if (m.file, m.before, m.after) not in listed]
    sample = random.Random(given.seed).sample(found, min(given.sample, len(found)))
    counts: dict[str, Counter] = defaultdict(Counter)
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as folder:
            runner = Runner(Path(folder), given.processes, mirror_only=given.mirror)
            runner.measure({mutant.file for mutant in sample})
            for mutant, result in runner.judge(sample):
                counts[mutant.folder][result] += 1
                print(f"{result:8s} {mutant.file}:{mutant.line}")
                print(f"  - {mutant.before}\n  + {mutant.after}", flush=True)
    except KeyboardInterrupt:
        print("stopped")
    seconds = time.monotonic() - began
    judged = sum(count.total() for count in counts.values())
    print(f"\n{judged} of {len(found)} mutants, {len(listed)} listed, {seconds:.0f} seconds")
    results = ("killed", "too slow", "survived")
    print("folder".ljust(15) + "".join(result.rjust(10) for result in (*results, "score")))
    for folder, count in sorted(counts.items()):
        score = 1 - count["survived"] / count.total()
        print(folder.ljust(15) + "".join(f"{count[r]:10d}" for r in results) + f"{score:10.1%}")
    return int(any(count["survived"] for count in counts.values()))


if __name__ == "__main__":
    sys.exit(main())
