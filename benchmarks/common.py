"""Shared parts of the benchmark scripts: data, kept results, generated tables, arguments."""

import argparse
import json
import os
import platform
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch

import vrnn

RESULTS = Path(__file__).parent / "results"
TABLES = Path(__file__).parent / "tables"
NUMBERS = re.compile(r"\[[-\d.,eE+\s]+\]")


def data_folder(given: Path | None, name: str) -> Path:
    """Return the folder of a data set: as given, else in $VRNN_DATA or beside the checkout."""
    root = Path(os.environ.get("VRNN_DATA") or Path(__file__).parents[2] / "shared" / "data")
    folder = given or root / name
    if not folder.is_dir():
        raise SystemExit(f"{folder}: no such folder; name the data with --data or VRNN_DATA")
    return folder


def machine() -> dict:
    """Return what a result was measured on."""
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
    }


def keep(name: str, result: dict) -> None:
    """Write one result to `benchmarks/results`."""
    write_result(RESULTS / f"{name}.json", result)


def write_result(path: Path, result: dict) -> None:
    """Write one result as JSON, with what it was measured on; a list of numbers is one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**result, **machine()}, indent=1)
    text = NUMBERS.sub(lambda found: " ".join(found[0].split()), text)
    path.write_text(text + "\n", encoding="utf-8")


def kept(prefix: str) -> list[dict]:
    """Return the kept results whose names begin with `prefix`, in order of name."""
    return [
        json.loads(p.read_text(encoding="utf-8")) for p in sorted(RESULTS.glob(f"{prefix}*.json"))
    ]


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write_table(name: str, head: list[str], rows: list[list[str]]) -> None:
    """Write a table to `benchmarks/tables`, from where the pages include it."""
    TABLES.mkdir(exist_ok=True)
    (TABLES / f"{name}.md").write_text(table(head, rows) + "\n", encoding="utf-8")


def spread(values: Sequence[float], digits: int, unit: str = "") -> str:
    """Return the mean over seeds as text, with the range where there are several seeds.

    `unit` "%" turns shares into per cent.
    """
    factor = 100 if unit == "%" else 1
    shown = [
        f"{factor * v:.{digits}f}{unit}" for v in (float(np.mean(values)), min(values), max(values))
    ]
    return shown[0] if len(values) == 1 else f"{shown[0]} ({shown[1]} to {shown[2]})"


def pair(values: Sequence[float], digits: int = 3) -> str:
    """Return ADE and FDE as text, joined by a slash."""
    ade, fde = values
    return f"{ade:.{digits}f}/{fde:.{digits}f}"


def reference() -> AbstractContextManager:
    """Return a context in which fast paths are off and the PyTorch reference runs."""
    return vrnn.backend("reference")


BACKENDS: dict[str, Callable[[], AbstractContextManager]] = {
    "reference": reference,
    "fast": nullcontext,
}


def parser(description: str | None, data: str, threads: int = 1) -> argparse.ArgumentParser:
    """Return a parser with the arguments that every script has."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--data", type=Path, help=f"folder with {data}")
    made.add_argument("--threads", type=int, default=threads, help="threads of the processor")
    made.add_argument(
        "--tables", action="store_true", help="write the tables alone, from the kept results"
    )
    return made


def with_training(made: argparse.ArgumentParser, seeds: str) -> argparse.ArgumentParser:
    """Return the parser with the arguments of scripts that train."""
    made.add_argument("--seed", type=int, help=f"one seed in place of {seeds}")
    made.add_argument("--steps", type=int, help="optimiser steps, in place of the script's own")
    return made
