"""The result pages: their parts, and tables that are those of the kept results."""

import re
from pathlib import Path

import pytest
from benchmarks import common
from benchmarks.__main__ import main

PAGES = sorted((Path(__file__).parents[1] / "docs" / "benchmarks").glob("*.md"))
RESULTS = [page for page in PAGES if page.name != "index.md"]
PARTS = ["Result", "Protocol", "Reproduce", "Limitations", "Sources"]


def included(page: Path) -> list[Path]:
    names = re.findall(r"^```\{include\} (\S+)$", page.read_text("utf-8"), re.MULTILINE)
    return [(page.parent / name).resolve() for name in names]


def test_tables_are_those_of_the_kept_results(tmp_path, monkeypatch):
    there = {path.name: path.read_text("utf-8") for path in common.TABLES.glob("*.md")}
    monkeypatch.setattr(common, "TABLES", tmp_path)
    main()
    assert {path.name: path.read_text("utf-8") for path in tmp_path.glob("*.md")} == there


def test_every_table_is_on_a_page():
    shown = {path for page in RESULTS for path in included(page)}
    assert shown == {path.resolve() for path in common.TABLES.glob("*.md")}


@pytest.mark.parametrize("page", RESULTS, ids=lambda page: page.stem)
def test_result_pages_have_their_five_parts(page):
    assert re.findall(r"^## (.+)$", page.read_text("utf-8"), re.MULTILINE) == PARTS


@pytest.mark.parametrize("page", RESULTS, ids=lambda page: page.stem)
def test_result_pages_name_the_commit_of_their_numbers(page):
    assert re.search(r"last changed by\s+commit `[0-9a-f]{7}`", page.read_text("utf-8"))
