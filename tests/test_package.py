"""The package as a whole: its version, the cost of its import, and what contributors are told."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import vrnn

CHECKOUT = Path(__file__).resolve().parents[1]


def test_the_installed_version_is_the_attribute():
    assert version("vrnn") == vrnn.__version__


def test_importing_loads_the_standard_library_alone():
    code = (
        "import sys; before = set(sys.modules); import vrnn; vrnn.__version__; "
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(*sorted(new - sys.stdlib_module_names - {'vrnn'}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []


def test_contributors_are_told_of_files_and_targets_that_exist():
    page = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:src|tests|benchmarks|docs)/[\w./-]*|[\w-]+\.txt)`", page)
    paths = [path for path in paths if "NAME" not in path and "_build" not in path]
    assert paths and [path for path in paths if not (CHECKOUT / path).exists()] == []
    targets = re.findall(r"make ([a-z-]+)", page)
    rules = re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert targets and set(targets) <= set(rules)
