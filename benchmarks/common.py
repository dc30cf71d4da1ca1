"""What the benchmark scripts share: where the data is, how a result is kept, how tables are written."""

import json
import os
import platform
from pathlib import Path

import torch

RESULTS = Path(__file__).parent / "results"


def data_folder(given: Path | None, name: str) -> Path:
    """Find a data set: the folder given, else $VRNN_DATA, else ../shared/data beside the checkout."""
    root = Path(os.environ.get("VRNN_DATA") or Path(__file__).parents[2] / "shared" / "data")
    folder = given or root / name
    if not folder.is_dir():
        raise SystemExit(f"{folder}: no such folder; name the data with --data or VRNN_DATA")
    return folder


def keep(name: str, result: dict) -> None:
    """Write one result to benchmarks/results, with what it was measured on."""
    RESULTS.mkdir(exist_ok=True)
    machine = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
    }
    (RESULTS / f"{name}.json").write_text(
        json.dumps({**result, **machine}, indent=1) + "\n", encoding="utf-8"
    )


def kept(prefix: str) -> list[dict]:
    """Read back the results whose names begin with `prefix`, in order of name."""
    return [
        json.loads(p.read_text(encoding="utf-8")) for p in sorted(RESULTS.glob(f"{prefix}*.json"))
    ]


def table(head: list[str], rows: list[list[str]]) -> str:
    """Lay out a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
