"""One training at a time in a run folder, by a lock that ends with its process."""

import errno
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vrnn.errors import RunFolderError
from vrnn.files import TEMPORARY, unwritable

LOCK = ".lock"
"""The file in a run folder that is locked; it is there as long as a training runs."""
HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
log = logging.getLogger(__name__)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep all others from training into a folder, in a `with` block.

    The system holds the lock, so it ends with the process, however that ends. Temporary files that a
    killed training has left are removed. The folder is made, and removed again if it stays empty.

    Raises:
        RunFolderError: another training holds the folder.
        DataError: a place that cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with locked(Path(folder)), locked(Path(folder)):
    ...         pass
    Traceback (most recent call last):
    vrnn.errors.RunFolderError: ...: another training writes to it now; wait for its end, ...
    """
    path = folder / LOCK
    made = [part for part in (folder, *folder.parents) if not part.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = _acquire(path)
    except OSError as error:
        raise unwritable(folder, error, "choose another folder") from error
    try:
        for suffix in (".safetensors", ".jsonl"):
            for left in folder.glob(f"{TEMPORARY}*{suffix}"):
                left.unlink(missing_ok=True)
        yield
    finally:
        with suppress(OSError):  # Windows does not remove open files
            path.unlink()
        os.close(handle)
        for part in made:
            with suppress(OSError):  # it is not empty
                part.rmdir()


def _acquire(path: Path) -> int:
    """Return the descriptor of a file that is locked and that has its name still."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(handle)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), path.stat()):
                    return handle
        except OSError as error:
            os.close(handle)
            if error.errno not in HELD:
                raise
            raise RunFolderError(
                "another training writes to it now",
                where=path.parent,
                hint="wait for its end, or choose another folder",
            ) from error
        os.close(handle)  # who held it before has removed it


def _lock(handle: int) -> None:
    """Lock a file for this descriptor.

    Raises:
        OSError: with an errno of `HELD` where another descriptor has locked it.
    """
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        return
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in HELD:
            raise
        log.warning("the file system has no locks: nothing keeps a second training out (%s)", error)
