"""The code on the pages of the documents, so that tests run what readers copy."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from vrnn.models.registry import REGISTRY, Architecture

DOCS = Path(__file__).resolve().parents[2] / "docs"


def code_blocks(page: str, language: str = "python") -> list[str]:
    """Give the fenced blocks of a page, named by its path below docs."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def module_of(page: str, name: str) -> ModuleType:
    """Give the first block of a page as the module that the page tells readers to save it as."""
    if name not in sys.modules:
        module = ModuleType(name)
        sys.modules[name] = module  # dataclasses look their module up
        exec(compile(code_blocks(page)[0], page, "exec"), module.__dict__)
    return sys.modules[name]


def register_toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the entry of the page on adding a model to the registry, as the page words it."""
    page = "how-to/add-a-model.md"
    module_of(page, "vrnn.models.toy")
    (entry,) = [block for block in code_blocks(page, "text") if "Architecture(" in block]
    for name, architecture in eval(f"{{{entry}}}", {"Architecture": Architecture}).items():
        monkeypatch.setitem(REGISTRY, name, architecture)
