"""Control characters are shown and not obeyed; a stream that fails raises nothing."""

import io
import sys

import pytest

from vrnn.console import Console, say, visible
from vrnn.errors import DataError


class Broken(io.StringIO):
    """A stream that takes so many texts and then none."""

    def __init__(self, error: Exception, left: int = 0):
        super().__init__()
        self.error, self.left = error, left

    def write(self, text: str) -> int:
        self.left -= 1
        if self.left < 0:
            raise self.error
        return super().write(text)

    def flush(self) -> None:
        if self.left < 0:
            raise self.error


def encoded(encoding: str) -> tuple[io.BytesIO, io.TextIOWrapper]:
    """Return the bytes, and a strict stream into them."""
    bytes_ = io.BytesIO()
    return bytes_, io.TextIOWrapper(bytes_, encoding=encoding, errors="strict", newline="")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, 東京 é \\x1b", "plain, 東京 é \\x1b"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\r\n\tb\x00", r"a\r\n\tb\x00"),
        ("\x9b31m \x7f \x85", r"\x9b31m \x7f \x85"),
        ("abc\u202edcba\u2066", r"abc\u202edcba\u2066"),
        ("\udc80 \u2028", r"\udc80 \u2028"),
    ],
)
def test_control_characters_are_escapes(text, shown):
    assert visible(text) == shown and visible(shown) == shown


def test_errors_show_them_too():
    error = DataError("it is empty", where="track a\x1b[2J\nb", found="\x1b")
    assert str(error) == r"track a\x1b[2J\nb: it is empty: found \x1b"


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "東京 é\n\t\\x1b"),
        ("cp1252", "\\u6771\\u4eac é\n\t\\x1b"),
        ("ascii", "\\u6771\\u4eac \\xe9\n\t\\x1b"),
    ],
)
def test_what_a_console_cannot_show_is_escaped(encoding, shown, monkeypatch):
    bytes_, stream = encoded(encoding)
    console = Console(stream)
    print("東京 é\n\t\x1b", end="", file=console, flush=True)
    assert bytes_.getvalue().decode(encoding) == shown and console.failure is None
    bytes_, stream = encoded(encoding)
    monkeypatch.setattr(sys, "stderr", stream)
    say("東京 é\n\t\x1b")
    one_line = shown.replace("\n", "\\n").replace("\t", "\\t")
    assert bytes_.getvalue().decode(encoding) == f"{one_line}\n"


@pytest.mark.parametrize("error", [OSError(28, "full"), BrokenPipeError(), ValueError("closed")])
def test_a_stream_that_fails_is_remembered_and_raises_nothing(error, monkeypatch):
    broken = Broken(error, left=1)
    console = Console(broken)
    console.write("first")
    assert console.failure is None
    for _ in range(2):
        assert console.write("more") == 4
        console.flush()
    assert console.failure is error and broken.getvalue() == "first"
    monkeypatch.setattr(sys, "stderr", Broken(error))
    say("lost")


def test_closed_streams_take_everything(monkeypatch, capsys):
    console = Console(None)
    assert console.write("lost") == 4 and console.failure is None
    monkeypatch.setattr(sys, "stderr", None)
    say("lost")
    assert capsys.readouterr().out == "", "a line for standard error went to standard output"
