"""Building, caching and loading the C++, and what it agrees upon with Python."""

import ctypes
import os
import subprocess
import sys

import pytest
import torch
from tests.helpers.fast_paths import CONFIGS, make_case, needs_compiler, run
from tests.models.settings import build

from vrnn.ops import backend, category_scan, vrnn_rollout, vrnn_scan
from vrnn.ops import build as building
from vrnn.ops.build import compiled, packed_size, runs_on

TINY = 'extern "C" int answer() { return 42; }\n'


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A source that compiles in no time, in place of those of the recurrences."""
    source = tmp_path / "tiny.cpp"
    source.write_text(TINY)
    monkeypatch.setattr(building, "SOURCES", [source])
    return source


@needs_compiler
def test_is_built_once_and_whole(tiny, tmp_path):
    cache = tmp_path / "cache"
    path = building.build(cache)
    made = path.stat().st_ino
    assert building.build(cache) == path and path.stat().st_ino == made
    assert [p.name for p in cache.iterdir()] == [path.name]
    assert ctypes.CDLL(str(path)).answer() == 42


@needs_compiler
def test_another_source_is_another_library(tiny, tmp_path):
    first = building.build(tmp_path / "cache")
    tiny.write_text(TINY.replace("42", "43"))
    second = building.build(tmp_path / "cache")
    assert first != second and first.exists()
    assert ctypes.CDLL(str(second)).answer() == 43


@needs_compiler
def test_another_compiler_is_another_library(tiny, tmp_path, monkeypatch):
    usual = building.build(tmp_path / "cache")
    monkeypatch.setenv("CXX", "c++ -DOTHER")
    assert building.build(tmp_path / "cache") != usual


@needs_compiler
def test_the_oldest_of_many_libraries_are_removed(tiny, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    for age in range(10):
        old = cache / f"ops-{age}.so"
        old.touch()
        os.utime(old, (1e9 - age, 1e9 - age))
    path = building.build(cache)
    left = {p.name for p in cache.iterdir()}
    assert left == {path.name, *(f"ops-{age}.so" for age in range(building.KEPT - 1))}


def spoil(path, how):
    """Cut a library, empty it, change one byte, put another in its place, or open it to others."""
    content = path.read_bytes()
    match how:
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "empty":
            path.write_bytes(b"")
        case "a byte":
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "foreign":
            path.write_bytes(b"\x7fELF" + content[4:][::-1])
        case "open to others":
            path.chmod(0o777)


@needs_compiler
@pytest.mark.parametrize("how", ["cut", "empty", "a byte", "foreign", "open to others"])
def test_a_library_of_other_bytes_is_built_again_and_it_is_said_once(tiny, tmp_path, caplog, how):
    path = building.build(tmp_path / "cache")
    content = path.read_bytes()
    spoil(path, how)
    again = building.build(tmp_path / "cache")
    assert again == path and path.read_bytes() == content and building.is_private(path)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{path}: damaged, or not what was built here; building")
    building.build(tmp_path / "cache")
    assert len(caplog.records) == 1 and list((tmp_path / "cache").iterdir()) == [path]


@needs_compiler
def test_a_library_under_another_name_is_never_taken(tiny, tmp_path):
    """Neither without the digest of its bytes, as older versions kept them, nor with another."""
    path = building.build(tmp_path / "cache")
    name, _, _ = path.stem.rpartition("-")
    content = path.read_bytes()
    for wrong in (f"{name}.so", f"{name}-.so", f"{name}-{'0' * 64}.so"):
        path.rename(path.with_name(wrong))
        assert building.build(tmp_path / "cache") == path and path.read_bytes() == content


@needs_compiler
@pytest.mark.skipif(sys.platform == "win32", reason="permissions are of POSIX")
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o720, 0o702])
def test_a_cache_that_others_can_write_to_is_not_used(tiny, tmp_path, monkeypatch, caplog, mode):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = building.cache_folder()
    path = building.build()
    cache.chmod(mode)
    before = path.stat().st_mtime_ns
    with pytest.raises(PermissionError, match="vrnn: expected a folder of yours that nobody else"):
        building.build()
    building.library.cache_clear()
    try:
        assert building.library() is None and building.library() is None
    finally:
        building.library.cache_clear()
    (record,) = caplog.records
    assert f"{cache}: expected a folder of yours" in record.getMessage()
    assert path.stat().st_mtime_ns == before


def test_a_cache_of_another_user_is_not_used(tiny, tmp_path, monkeypatch):
    if not hasattr(os, "geteuid"):
        pytest.skip("users are of POSIX")
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    monkeypatch.setattr(building, "_macros", lambda command: "")
    monkeypatch.setenv("CXX", "c++")
    with pytest.raises(PermissionError, match="expected a folder of yours"):
        building.build(tmp_path)


@needs_compiler
def test_a_new_cache_is_closed_to_others_whatever_the_umask(tiny, tmp_path):
    umask = os.umask(0)
    try:
        path = building.build(tmp_path / "cache")
    finally:
        os.umask(umask)
    assert building.is_private(path.parent) and building.is_private(path)


@needs_compiler
def test_a_build_that_is_killed_leaves_nothing_that_is_trusted(tiny, tmp_path, monkeypatch):
    """First the compiler, in the middle of its output; then the whole process."""
    cache, compiler = tmp_path / "cache", tmp_path / "c++"
    compiler.write_text(
        "#!/bin/sh\n"
        'case "$*" in *-dM*) exec c++ "$@";; esac\n'
        'while [ "$1" != -o ]; do shift; done; printf half > "$2"; kill -9 $KILLED\n'
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    script = compiler.read_text()
    compiler.write_text(script.replace("$KILLED", "$$"))
    with pytest.raises(subprocess.CalledProcessError):
        building.build(cache)
    assert list(cache.iterdir()) == []
    compiler.write_text(script.replace("$KILLED", "$PPID"))
    code = (
        "import sys; from pathlib import Path; from vrnn.ops import build as building\n"
        "building.SOURCES = [Path(sys.argv[1])]; building.build(Path(sys.argv[2]))"
    )
    done = subprocess.run([sys.executable, "-c", code, tiny, cache])
    assert done.returncode == -9
    (left,) = cache.iterdir()
    assert left.name.startswith(building.BUILDING)
    monkeypatch.delenv("CXX")
    path = building.build(cache)
    assert ctypes.CDLL(str(path)).answer() == 42 and set(cache.iterdir()) == {left, path}
    os.utime(left, (1e9, 1e9))
    path.unlink()
    assert building.build(cache) == path and list(cache.iterdir()) == [path]


@needs_compiler
def test_two_processes_build_at_once(tiny, tmp_path):
    code = (
        "import sys; from pathlib import Path; from vrnn.ops import build as building\n"
        "building.SOURCES = [Path(sys.argv[1])]; print(building.build(Path(sys.argv[2])))"
    )
    words = [sys.executable, "-c", code, tiny, tmp_path / "cache"]
    started = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    paths = {process.communicate()[0].strip() for process in started}
    assert all(process.returncode == 0 for process in started)
    assert all(ctypes.CDLL(path).answer() == 42 for path in paths)
    assert {str(path) for path in (tmp_path / "cache").iterdir()} == paths


@needs_compiler
def test_a_compiler_that_refuses_leaves_nothing(tiny, tmp_path):
    tiny.write_text("this is not C++")
    with pytest.raises(subprocess.CalledProcessError):
        building.build(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_cache_is_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert building.cache_folder() == tmp_path / "vrnn"
    monkeypatch.setenv("HOME", str(tmp_path))
    for unset in ("", "relative/cache"):  # a relative one would be of wherever a program starts
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert building.cache_folder() == tmp_path / ".cache" / "vrnn"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert building.cache_folder() == tmp_path / ".cache" / "vrnn"


def test_no_compiler_at_all_is_said(monkeypatch, tmp_path):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no C\\+\\+ compiler found"):
        building.build(tmp_path / "cache")


@pytest.mark.parametrize("name", ["vrnn", "srnn", "storn"])
def test_without_a_compiler_the_reference_serves_and_it_is_said_once(
    name, monkeypatch, caplog, tmp_path
):
    monkeypatch.setenv("CXX", f"{tmp_path / 'none'} -std=c++17")
    building.library.cache_clear()
    try:
        model = build(CONFIGS[name])
        case = make_case(model, CONFIGS[name], "unequal")
        found = [run(model, case).log_prob for _ in range(2)]
        assert len(caplog.records) == 1 and "run in PyTorch" in caplog.text
    finally:
        building.library.cache_clear()
    with backend("reference"):
        expected = run(model, case).log_prob
    torch.testing.assert_close(found, [expected, expected], rtol=1e-10, atol=1e-10)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other threads")
def test_the_pool_of_torch_is_found():
    assert building.torch_pool().value


@needs_compiler
def test_which_tensors_a_compiled_recurrence_works_on():
    wide, single = torch.zeros(2).double(), torch.zeros(2)
    assert runs_on(wide, wide) and runs_on(single)
    assert not runs_on(wide, single)
    assert not runs_on(single.half()) and not runs_on(single.to("meta")) and not runs_on()
    with torch.autocast("cpu", torch.bfloat16):
        assert not runs_on(single)
    with backend("reference"):
        assert not runs_on(single)


@needs_compiler
def test_tensors_of_several_types_are_refused_by_name():
    with pytest.raises(RuntimeError, match="all in float32 or all in float64 on the CPU") as error:
        compiled("forward", [torch.zeros(1), torch.zeros(1).double()])
    assert "torch.float32 on cpu, torch.float64 on cpu" in str(error.value)


@needs_compiler
def test_running_out_of_memory_is_an_error(monkeypatch):
    monkeypatch.setattr(building, "function", lambda name, dtype: lambda *given: 1)
    with pytest.raises(RuntimeError, match="out of memory"):
        compiled("forward", [torch.zeros(1)])()


@needs_compiler
def test_packed_weights_take_at_least_their_own_number():
    hidden, latent, dim, size = 5, 3, 2, 4
    least = hidden * (5 * hidden + 2 * latent + latent + 4 * hidden + size + dim + 3 * hidden)
    assert least <= packed_size(torch.float64, hidden, latent, dim, size) < 10 * least


@pytest.mark.parametrize(
    ("source", "record", "mirror"),
    [
        ("vrnn_scan.cpp", "VrnnScan", vrnn_scan.Struct),
        ("vrnn_rollout.cpp", "RolloutStep", vrnn_rollout._Struct),
        ("category_scan.cpp", "CategoryScan", category_scan.Struct),
        ("gru_scan.cpp", "GruScan", sys.modules["vrnn.ops.gru_scan"]._Struct),
        ("latent_scan.cpp", "LatentScan", sys.modules["vrnn.ops.latent_scan"]._Struct),
    ],
)
def test_the_layout_of_both_sides_is_one(source, record, mirror):
    """The fields of the C++ record, read from its source, are those that Python hands over."""
    text = (building.CSRC / source).read_text("utf-8")
    body = text[text.index(f"struct {record} {{") :]
    body = body[body.index("{") + 1 : body.index("};")]
    code = " ".join(line.split("//")[0] for line in body.splitlines())
    names = []
    for statement in filter(str.strip, code.split(";")):
        kind = ctypes.c_int64 if "int64_t" in statement else ctypes.c_void_p
        kind = ctypes.c_double if "double" in statement else kind
        for word in ("const T", "const Index", "Index", "std::int64_t", "double", "T *", "T*", "*"):
            statement = statement.replace(word, "")
        names += [(name.strip(), kind) for name in statement.split(",")]
    assert names == list(mirror._fields_)
