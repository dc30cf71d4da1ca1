"""What the pages say about commands: every command line parses and every flag exists."""

import re
import shlex
from pathlib import Path

import pytest

from vrnn.cli import main as cli
from vrnn.cli.parse import parse

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = [*sorted((CHECKOUT / "docs").glob("*.md")), *CHECKOUT.glob("README.md")]
LINES = [
    line
    for page in PAGES
    for line in re.findall(r"^\$ vrnn (.*?)(?:  +#.*)?$", page.read_text(), re.MULTILINE)
]


@pytest.mark.parametrize("line", LINES)
def test_command_lines_parse(line):
    _, function, rest = cli._command(shlex.split(line.partition(" > ")[0]))
    assert callable(parse(function, "vrnn", rest))


def test_flags_exist(capsys):
    for words in [
        *([c] for c in cli.COMMANDS if c != "train"),
        *(["train", kind] for kind in cli.MODELS),
    ]:
        assert cli.main([*words, "--help"]) == 0
    known = set(re.findall(r"--[a-z][\w-]*", capsys.readouterr().out))
    spoken = [
        word
        for page in PAGES
        for code in re.findall(r"`([^`\n]*--[^`]*)`", page.read_text())
        for word in code.split()
    ]
    assert {word for word in spoken if word.startswith("--")} <= known
