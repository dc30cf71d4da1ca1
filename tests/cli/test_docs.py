"""What the pages say about commands: every command line parses and every flag exists."""

import re
import shlex
from pathlib import Path

import pytest

from vrnn.cli import main as cli
from vrnn.cli.commands import command
from vrnn.cli.train import ARCHITECTURES

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = [*sorted((CHECKOUT / "docs").rglob("*.md")), *CHECKOUT.glob("README.md")]
LINES = {
    line: None
    for page in PAGES
    for line in re.findall(
        r"^\$ vrnn (.*?)(?:  +#.*)?$", page.read_text().replace("\\\n", " "), re.MULTILINE
    )
}


def test_pages_are_found():
    assert PAGES and LINES


@pytest.mark.parametrize("line", LINES)
def test_command_lines_parse(line):
    words = shlex.split(line.partition(" > ")[0].partition(" | ")[0])
    if words[0].startswith("-"):
        assert cli.main(words) == 0
    else:
        assert callable(command(words[0], words[1:]).parse(words[1:]))


def test_flags_exist(capsys):
    """Every flag in the text of a page belongs to a command.

    Code of other programs stands in code blocks, or in a span that starts with their name.
    """
    for name in cli.COMMANDS:
        for arch in ARCHITECTURES if name == "train" else [None]:
            words = [] if arch is None else ["--arch", arch]
            command(name, words).parse(["--help"])()
    known = set(re.findall(r"--[a-z][\w-]*", capsys.readouterr().out)) | {"--version", "--help"}
    spoken = {
        word.strip(",.;:()")
        for page in PAGES
        for code in re.findall(r"`([^`\n]*--[a-z][^`\n]*)`", page.read_text())
        if re.match(r"vrnn |--", code)
        for word in code.split()
        if word.startswith("--")
    }
    assert {word.partition("=")[0] for word in spoken} <= known
