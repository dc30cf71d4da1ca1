"""Command lines of any flags and values end with code 0, or with code 2 and one line."""

import contextlib
import io
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from cyclopts import Parameter
from hypothesis import strategies as st
from tests.cli.test_bad_data import BAD
from tests.helpers.edited_runs import RUNS, train_run
from tests.helpers.fuzz import LONGEST, fuzz, in_memory

from vrnn.cli.commands import command
from vrnn.cli.flags import Flat, flag_of
from vrnn.cli.main import COMMANDS, main
from vrnn.cli.outputs import save_tracks
from vrnn.console import visible
from vrnn.models.registry import REGISTRY

MEMORY = 4 << 30
"""Bytes that a command may take before it must say that memory is short."""
NAMES = [name for name in COMMANDS if name != "demo"]
LIKELY = [*NAMES, "train", "train", "train"]
"""The commands, more often the one with most flags."""
WHOLE = ["0", "1", "2", "3", "5", "8", "-1", str(10**12), str(10**18), str(10**30), "9" * 400]
PARTS = [
    "0",
    "0.5",
    "1",
    "2",
    "0.001",
    "-1",
    "1e-30",
    "1e30",
    "1e308",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "1e-400",
]
TEXTS = [
    "", "None", "abc", "x", "y", "lat", "lon", "id", "t", "speed", "goal", "lat,lon", "id,t,x,y", "gaussian", "mixture(2)",
    "full_gaussian", "categorical(3)", "student_t", "bernoulli", "nade(3)", "2*categorical(3)", "gaussian+categorical(2)",
    "mixture(2):1+gaussian:1", "categorical(0)", "mixture(-1)", "mixture(99999999999)", "gaussian+", "km", "m", "train",
    "\x1b[31m", "é", "a b", "--", "-", "\u2028", "x" * 3000, "\ud800",
]  # fmt: skip
LIMITED = {
    "--steps": ["1", "2", "3", "0", "-1", "x", "1.5"],
    "--minutes": ["0.001", "0", "-1", "nan", "inf", "x"],
    "--duration": ["1"],
}
"""Flags for which a large number only asks for a long time."""
FILES = [
    "vrnn.csv", "supervised.csv", "rollout.csv", "none.csv", "folder", "empty", "a.parquet", "a.npz", "a.csv", "a.png", "a.pdf", "a.xyz",
    "", "/dev/null/a.csv", "runs/vrnn", "runs/rollout", "bad 1.csv", "bad 5.csv", "no/such/place/a.csv", "~nobody", "x" * 300 + ".csv", "\0.csv", "tracks-2d",
]  # fmt: skip
MODELS = [*(f"runs/{name}" for name in RUNS), "tracks-2d", "none", "vrnn.csv", ""]


def rarely(odd: st.SearchStrategy, usual: st.SearchStrategy) -> st.SearchStrategy:
    """Return the usual values, and in one of ten cases an odd one."""
    return st.integers(0, 9).flatmap(lambda i: odd if i == 9 else usual)


def values_of(kind: Any, flag: str) -> st.SearchStrategy[list[str]]:
    """Return the words after a flag whose value has some type; a few are of another type."""
    if flag in LIMITED:
        return st.sampled_from(LIMITED[flag]).map(lambda word: [word])
    if get_origin(kind) in (Union, UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
    if get_origin(kind) is tuple:
        part = values_of(get_args(kind)[0], "")
        return st.lists(part, max_size=3).map(lambda lists: [word for one in lists for word in one])
    if kind is bool:
        return st.just([])
    known = {int: WHOLE, float: PARTS, str: TEXTS, Path: FILES}.get(kind, [])
    if get_origin(kind) is Literal:
        known = [str(choice) for choice in get_args(kind)]
    odd = st.sampled_from([*WHOLE, *PARTS, *TEXTS, *FILES])
    return rarely(odd, st.sampled_from(known)).map(lambda word: [word])


def flags_of(name: str, words: list[str]) -> dict[str, st.SearchStrategy[list[str]]]:
    """Return the flags of a command with what may come after them."""
    found = {}
    for parameter in Flat(command(name, words).function).signature.parameters.values():
        kind, *said = get_args(parameter.annotation)
        if parameter.kind is not parameter.POSITIONAL_ONLY:
            names = [n for p in said if isinstance(p, Parameter) for n in (p.name or ()) if n]
            flag = names[-1] if names else flag_of(parameter.name)
            found[flag] = values_of(kind, flag)
    with_no = [flag for flag in command(name, words).flags if flag.startswith("--no-")]
    return found | dict.fromkeys(with_no, st.just([]))


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """Return the words of a command line, most of which make sense."""
    name = draw(st.sampled_from(LIKELY))
    run = draw(st.sampled_from(sorted(RUNS)))
    arch = draw(rarely(st.sampled_from([*TEXTS, ""]), st.sampled_from([*REGISTRY])))
    words = [name]
    if name != "generate":
        words.append(draw(rarely(st.sampled_from(FILES), st.just(f"{run}.csv"))))
    flags = flags_of(name, ["--arch", arch])
    given: dict[str, list[str]] = {}
    if "--model" in flags:
        given["--model"] = [draw(rarely(st.sampled_from(MODELS), st.just(f"runs/{run}")))]
    if "--out" in flags:
        usual = ["new"] if name == "train" else ["new.csv", "new.npz", "new.parquet"]
        given["--out"] = [draw(rarely(st.sampled_from(FILES), st.sampled_from(usual)))]
    small = {"--samples": "3", "--particles": "4", "--horizon": "2", "--count": "3"}
    if name == "train":
        small = {"--arch": arch, "--hidden": "4", "--steps": "2"}
        if run == "supervised" and draw(st.booleans()):
            given |= {"--u": ["speed"], "--y": ["goal"]}
    if name == "modes":
        small |= {"--steps": "2", "--hidden": "4", "--observe": "4"}
    given |= {flag: [value] for flag, value in small.items() if flag in flags}
    for flag in draw(st.lists(st.sampled_from(sorted(flags)), max_size=4)):
        given[flag] = draw(flags[flag])
    for flag, value in given.items():
        joined = len(value) == 1 and draw(st.integers(0, 9)) == 0
        words += [f"{flag}={value[0]}"] if joined else [flag, *value]
    if draw(st.integers(0, 9)) == 9:  # a word is lost, repeated, or odd
        at = draw(st.integers(0, len(words)))
        odd = st.sampled_from([*TEXTS, *sorted(flags), *NAMES, "--help", "-h", "--version"])
        words[at : at + draw(st.integers(0, 1))] = draw(st.lists(odd, max_size=1))
    return words


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of runs, of good and of bad data, in which the commands run."""
    yield from working_folder(tmp_path_factory.mktemp("lines"))


def working_folder(folder: Path) -> Iterator[Path]:
    """Fill a folder, and make it the one in which commands run."""
    for name, (tracks, _, _) in RUNS.items():
        train_run(name, folder / "runs" / name)
        save_tracks(tracks, folder / f"{name}.csv")
    for i, (content, _) in enumerate(BAD.values()):
        raw = content if isinstance(content, bytes) else content.encode()
        (folder / f"bad {i}.csv").write_bytes(raw)
    (folder / "empty").mkdir()
    (folder / "folder").mkdir()
    shutil.copy(folder / "rollout.csv", folder / "folder")
    before = os.getcwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


def state(folder: Path) -> dict[Path, bytes | None]:
    """Return all files and folders with what is in them."""
    return {p: p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def restore(folder: Path, before: dict[Path, bytes | None]) -> list[Path]:
    """Bring a folder back to a state, and return what had changed."""
    now = state(folder)
    changed = [
        path for path in now.keys() | before.keys() if now.get(path, b"") != before.get(path, b"")
    ]
    changed += [path for path in now.keys() ^ before.keys() if path not in changed]
    for path in sorted(changed, reverse=True):
        if path not in before:
            path.rmdir() if path.is_dir() else path.unlink()
    for path in sorted(changed):
        if (content := before.get(path)) is not None:
            path.write_bytes(content)
    return changed


@fuzz(words=lines(), seconds=30.0, share=0.2, few=5)
def test_command_lines(words: list[str], place: Path, tried: Counter[str]) -> None:
    """Flags of all commands with values good and bad, on data and runs good and bad."""
    before = state(place)
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), in_memory(MEMORY):
            code = main(words)
        tried["command lines"] += 1
        tried[f"command lines that end with code {code}"] += 1
        said = err.getvalue()
        assert code in (0, 2), code
        assert "Traceback" not in said
        assert visible(said, keep="\n\r") == said, said
        if code:
            *notes, last = said.splitlines()
            assert last.startswith("vrnn"), said
            assert all(
                note.startswith("note: ") for note in notes if words[0] not in ("train", "modes")
            ), said
            assert len(last) <= LONGEST, last
            assert out.getvalue() == "", out.getvalue()
    finally:
        changed = restore(place, before)
    if code and words[0] != "train":
        assert not changed, changed
