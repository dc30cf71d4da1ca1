"""Build the C++ of `csrc` with the machine's own compiler, once, and load it.

The library is plain C at its edges: it needs no header of torch, compiles in seconds and fits any torch. It is kept in the
user's cache under a name made of the source, the compiler and the processor's features, and written whole or not at all.
"""

import ctypes
import hashlib
import logging
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vrnn.ops.backend import is_reference

CSRC = Path(__file__).with_name("csrc")
SOURCES = [
    CSRC / f"{name}.cpp"
    for name in ("vrnn_scan", "vrnn_rollout", "category_scan", "gru_scan", "latent_scan")
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
KEPT = 8  # libraries in the cache: of other versions, compilers and environments
log = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """Return the compiled functions, built on the first call.

    It is None where they cannot be had. The log says so once.
    """
    try:
        functions = ctypes.CDLL(str(build()))
    except (
        OSError,
        RuntimeError,
        subprocess.SubprocessError,
    ) as error:  # RuntimeError: no home directory
        reason = getattr(error, "stderr", "") or str(error)
        log.warning(
            "the C++ recurrences could not be built, so they run in PyTorch: equal results, more slowly (%s)",
            reason.strip().splitlines()[0] if reason.strip() else type(error).__name__,
        )
        return None
    functions.vrnn_use_pool(torch_pool())
    return functions


def build(folder: Path | None = None) -> Path:
    """Compile the sources unless the cache has the library, and return its path.

    Args:
        folder: where the library is kept; the folder `vrnn` of the user's cache when omitted.

    Raises:
        OSError: no compiler: none in CXX, and no c++, g++ or clang++.
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
    path = folder / f"ops-{key[:16]}.so"
    if path.exists():
        with suppress(OSError):  # a cache that cannot be written to
            path.touch()  # the oldest are removed
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        made = Path(temporary) / path.name
        command = [*compiler, *FLAGS, *native, "-o", str(made), *map(str, SOURCES)]
        subprocess.run(command, check=True, capture_output=True, text=True)
        made.replace(path)  # in one piece, whoever else is building
    with suppress(OSError):  # another process may be at it
        for old in sorted(folder.glob("*.so"), key=lambda p: p.stat().st_mtime)[:-KEPT]:
            old.unlink()  # whoever has it loaded keeps it
    return path


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
    """Return the user's cache for vrnn: XDG_CACHE_HOME or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "vrnn"


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
