"""Build the C++ of `csrc` with the machine's own compiler, once, and load it.

The library is plain C at its edges: it needs no header of torch, compiles in seconds and fits any torch. It is kept in the
user's cache and written whole or not at all. Its name is made of the source, the compiler and the processor's features, and
of a digest of its own bytes. A library is loaded only if its bytes have that digest, and from a folder that nobody else can
write to.
"""

import ctypes
import hashlib
import logging
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vrnn.console import visible
from vrnn.ops.backend import is_reference

CSRC = Path(__file__).with_name("csrc")
SOURCES = [
    CSRC / f"{name}.cpp"
    for name in ("vrnn_scan", "vrnn_rollout", "category_scan", "gru_scan", "latent_scan", "philox")
]
HEADERS = [CSRC / name for name in ("common.hpp", "density.hpp")]
FLAGS = [
    "-O3",
    "-std=c++17",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fPIC",
    "-shared",
    "-pthread",
]
BUILDING, ABANDONED = "building-", 3600.0  # folders of builds, seconds after which one is left over
KEPT = 8  # libraries in the cache: of other versions, compilers and environments
log = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """Return the compiled functions, built on the first call.

    It is None where they cannot be had. The log says so once.
    """
    try:
        functions = ctypes.CDLL(str(build()))
        functions.vrnn_use_pool(torch_pool())
    except (
        OSError,
        AttributeError,
        RuntimeError,
        subprocess.SubprocessError,
    ) as error:  # RuntimeError: no home directory
        reason = getattr(error, "stderr", "") or str(error)
        log.warning(
            "the C++ recurrences could not be built, so they run in PyTorch: equal results, more slowly (%s)",
            visible(reason.strip().splitlines()[0]) if reason.strip() else type(error).__name__,
        )
        return None
    return functions


def build(folder: Path | None = None) -> Path:
    """Compile the sources unless the cache has the library, and return its path.

    Args:
        folder: where the library is kept; the folder `vrnn` of the user's cache when omitted.

    Raises:
        OSError: no compiler: none in CXX, and no c++, g++ or clang++. Or a folder that others can
            write to.
        subprocess.CalledProcessError: the compiler refused.
    """
    usual = (shutil.which(name) for name in ("c++", "g++", "clang++"))
    compiler = shlex.split(os.environ.get("CXX", "")) or [path for path in usual if path][:1]
    if not compiler:
        raise FileNotFoundError("no C++ compiler found; install one, or name it in CXX")
    native, machine = ["-march=native"], _macros([*compiler, "-march=native"])
    if machine is None:
        native, machine = [], _macros(compiler) or ""
    texts = [source.read_text("utf-8") for source in (*HEADERS, *SOURCES)]
    key = hashlib.sha256("\n".join([*compiler, *FLAGS, machine, *texts]).encode()).hexdigest()
    folder = cache_folder() if folder is None else folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_private(folder):
        raise PermissionError(
            f"{folder}: expected a folder of yours that nobody else can write to; chmod go-w makes it so"
        )
    name = f"ops-{key[:16]}"
    found = _kept(folder, name)
    if found is not None:
        return found
    with tempfile.TemporaryDirectory(prefix=BUILDING, dir=folder) as temporary:
        made = Path(temporary) / f"{name}.so"
        command = [*compiler, *FLAGS, *native, "-o", str(made), *map(str, SOURCES)]
        subprocess.run(command, check=True, capture_output=True, text=True)
        made.chmod(0o700)
        path = folder / f"{name}-{_digest(made)}.so"
        made.replace(path)  # in one piece, whoever else is building
    _tidy(folder)
    return path


def _kept(folder: Path, name: str) -> Path | None:
    """Return the library that a cache has under a name, or None; a damaged one is removed."""
    for path in sorted(folder.glob(f"{name}-*.so")):
        with suppress(FileNotFoundError):  # another process has removed it
            if is_private(path) and path.stem == f"{name}-{_digest(path)}":
                with suppress(OSError):  # of a cache that cannot be written to
                    path.touch()  # the oldest are removed
                return path
            log.warning("%s: damaged, or not what was built here; building it again", path)
            path.unlink()
    return None


def _digest(path: Path) -> str:
    """Return a digest of the bytes of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tidy(folder: Path) -> None:
    """Remove the oldest libraries, and what builds that were killed have left."""
    with suppress(OSError):  # another process may be at it
        for old in sorted(folder.glob("*.so"), key=lambda p: p.stat().st_mtime)[:-KEPT]:
            old.unlink()  # whoever has it loaded keeps it
        for left in folder.glob(f"{BUILDING}*"):
            if time.time() - left.stat().st_mtime > ABANDONED:
                shutil.rmtree(left, ignore_errors=True)


def is_private(path: Path) -> bool:
    """Return whether a file or folder is the user's and nobody else may write to it."""
    if not hasattr(os, "geteuid"):
        return True  # Windows keeps others out of the user's folders
    found = path.stat()
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022


def torch_pool() -> ctypes.c_void_p:
    """Return `GOMP_parallel` of the OpenMP that this torch runs on; null where it has none."""
    folder = Path(torch.__file__).parent / "lib"
    try:
        return ctypes.cast(
            ctypes.CDLL(str(folder / "libtorch_cpu.so")).GOMP_parallel, ctypes.c_void_p
        )
    except (OSError, AttributeError):
        return ctypes.c_void_p()


def cache_folder() -> Path:
    """Return the user's cache for vrnn: XDG_CACHE_HOME if it is an absolute path, or ~/.cache."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "vrnn"


def _macros(command: list[str]) -> str | None:
    """Return what the compiler predefines, such as its version; None if it refuses."""
    asked = [*command, "-dM", "-E", "-x", "c++", os.devnull]
    found = subprocess.run(asked, capture_output=True, text=True, check=False)
    return found.stdout if found.returncode == 0 else None


def compiled(name: str, tensors: Iterable[Tensor]) -> Callable[..., None]:
    """Return a compiled function, in the number type of the tensors that it is to work on.

    Raises:
        RuntimeError: tensors of several number types, or not on the CPU. The function itself
            raises it where it runs out of memory.
    """
    kinds = {(t.device.type, t.dtype) for t in tensors}
    if len(kinds) != 1 or not kinds <= {("cpu", torch.float32), ("cpu", torch.float64)}:
        found = ", ".join(sorted(f"{dtype} on {device}" for device, dtype in kinds))
        raise RuntimeError(
            f"expected model, noise and states all in float32 or all in float64 on the CPU, found {found}"
        )
    ((_, dtype),) = kinds
    symbol = function(name, dtype)

    def run(*arguments: Any) -> None:
        if symbol(*arguments):
            raise RuntimeError("a compiled recurrence ran out of memory")

    return run


def runs_on(*tensors: Tensor) -> bool:
    """Return whether a compiled recurrence can work on the tensors.

    They must be all float32 or all float64, on the CPU, outside autocast. There must be a library,
    and the backend must not be the reference.
    """
    kinds = {(t.device.type, t.dtype) for t in tensors}
    return (
        not is_reference()
        and kinds in ({("cpu", torch.float32)}, {("cpu", torch.float64)})
        and not torch.is_autocast_enabled("cpu")
        and library() is not None
    )


def packed_size(
    dtype: torch.dtype, hidden: int, latent: int, dim: int, size: int, classes: int = 0
) -> int:
    """Return how many numbers the packed weights of a step take, see vrnn_rollout.cpp."""
    packed = function("packed", dtype)
    packed.restype = ctypes.c_int64
    return packed(hidden, latent, dim, size, classes)


def function(name: str, dtype: torch.dtype) -> Any:
    """Return a compiled function in a number type, as it is."""
    return getattr(library(), f"vrnn_{name}_{str(dtype).removeprefix('torch.')}")
