"""Files that appear whole or not at all, and paths as a user writes them."""

import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vrnn.errors import DataError, Text

TEMPORARY = ".vrnn-"
"""How the name of a file begins that is not whole yet."""


def user_path(path: str | os.PathLike[str]) -> Path:
    """Return a path with the home folder in the place of a leading `~`.

    >>> user_path("~/runs/a") == Path.home() / "runs" / "a", user_path("a~b")
    (True, PosixPath('a~b'))
    """
    return Path(os.path.expanduser(path))


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Return, in a `with` block, a temporary path that replaces `path` at the end of the block.

    If the block fails, `path` stays as it was and the temporary file is removed. A link stays a
    link: what it points to is replaced.

    Args:
        path: the file to write; its folder is made.

    Raises:
        DataError: a place that cannot be written, or one that the system stops writing to.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with whole_file(Path(folder) / "a.txt") as temporary:
    ...         _ = temporary.write_text("all of it")
    ...     (Path(folder) / "a.txt").read_text()
    'all of it'
    """
    path = user_path(path)
    target = _place(path)
    temporary = target.with_name(f"{TEMPORARY}{secrets.token_hex(8)}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # The system gives it the permissions of any new file.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        mode = (target if target.exists() else temporary).stat().st_mode & 0o777
    except OSError as error:
        raise unwritable(path, error, "choose another place") from error
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(mode)
        os.replace(temporary, target)
    except (OSError, UnicodeError) as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Refuse a file that could not be written in the end, before any work is done for it.

    A temporary file without a name is made where it would be written.

    Raises:
        DataError: a folder in its place, a protected file, or a folder that cannot be written to.

    >>> check_writable("/dev/null/a.csv")
    Traceback (most recent call last):
    vrnn.errors.DataError: /dev/null/a.csv: cannot be written; /dev/null is not a folder
    """
    path = user_path(path)
    target = _place(path)
    try:
        if target.exists() and not target.is_file():
            found = "a folder" if target.is_dir() else "something that is no file"
            raise DataError(where=path, expected="a file to write", found=found)
        if target.exists() and not os.access(target, os.W_OK):
            raise DataError("cannot be written", where=path, cause="the file is write-protected")
        parent = next(p for p in target.parents if p.exists())
        if not parent.is_dir():
            raise DataError("cannot be written", where=path, cause=f"{parent} is not a folder")
        tempfile.TemporaryFile(dir=parent).close()
    except OSError as error:
        raise unwritable(path, error, "choose another place") from error


def _place(path: Path) -> Path:
    """Return what a path points to.

    Raises:
        DataError: a path that no file can have.
    """
    try:
        return Path(os.path.realpath(path))
    except ValueError as error:  # a zero byte in it
        raise unwritable(path, error, "choose another place") from error


def unwritable(path: Path, error: OSError | ValueError, hint: Text = "") -> DataError:
    """Return the error that says why a file cannot be written.

    >>> str(unwritable(Path("a.csv"), OSError(28, "No space left on device")))
    'a.csv: cannot be written (No space left on device)'
    """
    reason = getattr(error, "strerror", None) or error
    return DataError(f"cannot be written ({reason})", where=path, hint=hint)


def write_json(path: str | Path, value: Any) -> None:
    """Write a value as JSON, whole or not at all.

    Raises:
        DataError: a place that cannot be written.
    """
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
