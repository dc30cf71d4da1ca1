"""Text on a terminal: what comes from data is shown as text, and a stream that fails ends no work."""

import io
import os
import re
import sys
from contextlib import suppress
from typing import TextIO

CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # of terminals
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # of the direction of writing
    "\u2028\u2029\ud800-\udfff]"  # ends of lines, and halves of characters
)


def visible(text: str, keep: str = "") -> str:
    r"""Return a text whose control characters are written as escapes, so that a terminal obeys none.

    Args:
        text: any text.
        keep: control characters to leave as they are.

    >>> print(visible("a\x1b[31mb\n"))
    a\x1b[31mb\n
    """
    return CONTROL.sub(
        lambda found: found[0] if found[0] in keep else repr(found[0])[1:-1],
        text,
    )


def say(text: str) -> None:
    """Print a line on standard error, or lose it where that stream is closed or full."""
    if sys.stderr is None:  # closed: then print would take standard output
        return
    with suppress(OSError, ValueError):
        print(_shown(visible(text), sys.stderr), file=sys.stderr, flush=True)


class Console(io.TextIOBase):
    """Standard output in which control characters are visible, and whose failure ends no work.

    Lines end and tabs stay. Once the stream has failed, all that follows is lost.

    Args:
        stream: the stream to write to; None where it is closed.

    Attributes:
        failure: why the stream failed; None as long as it has not.
    """

    def __init__(self, stream: TextIO | None):
        self.stream = stream
        self.failure: OSError | ValueError | None = None

    @property
    def encoding(self) -> str:  # pyrefly: ignore
        """Name of the encoding of the stream."""
        return getattr(self.stream, "encoding", None) or "utf-8"

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str, /) -> int:
        """Write a text, as the stream can show it."""
        if self.stream is not None and self.failure is None:
            try:
                self.stream.write(_shown(visible(text, keep="\n\t"), self))
            except (OSError, ValueError) as error:  # ValueError: it has been closed
                self.failure = error
        return len(text)

    def flush(self) -> None:
        """Hand on what is written."""
        if self.stream is not None and self.failure is None:
            try:
                self.stream.flush()
            except (OSError, ValueError) as error:
                self.failure = error

    def give_up(self) -> None:
        """Throw away what a failed stream still holds, or Python tries again when it ends."""
        assert self.stream is not None
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())


def settle_errors() -> None:
    """Hand on what libraries wrote to standard error; throw it away where that stream fails.

    Python would try again when it ends, and would end with the code 120.
    """
    if sys.stderr is None:
        return
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def open_streams() -> None:
    """Open the standard streams that are closed, or files that are opened later take their place.

    What a library writes to standard error would then stand in a user's file.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free


def _shown(text: str, stream: TextIO | Console) -> str:
    """Return a text with escapes for the characters that a stream has no code for."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
