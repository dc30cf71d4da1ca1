"""What training says while it runs: metrics.jsonl, a progress bar on a terminal, plain lines in a log."""

import json
import sys
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from tqdm import tqdm

from vrnn.files import whole_file

Record = dict[str, Any]


@runtime_checkable
class Tracker(Protocol):
    """Receive one flat record of numbers at a time; hand one to `train` to follow a run elsewhere."""

    def log(self, record: Record) -> None: ...


class MetricsFile:
    """Append records to metrics.jsonl.

    Args:
        path: the file.
        after: keep the records up to this step, from a run that is resumed; None starts the file anew.
    """

    def __init__(self, path: Path, after: int | None):
        kept = [r for r in read_metrics(path) if r["step"] <= after] if after is not None else []
        with whole_file(path) as temporary:
            temporary.write_text("".join(json.dumps(r) + "\n" for r in kept), encoding="utf-8")
        self._file = path.open("a", encoding="utf-8")

    def log(self, record: Record) -> None:
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class Progress:
    """Show progress on standard error: a bar on a terminal, else one line a validation."""

    def __init__(self, steps: int, start: int):
        self.bar = tqdm(
            total=steps, initial=start, unit="step", disable=not sys.stderr.isatty(), leave=True
        )

    def advance(self) -> None:
        self.bar.update(1)

    def say(self, text: str) -> None:
        if self.bar.disable:
            print(text, file=sys.stderr, flush=True)
        else:
            self.bar.write(text, file=sys.stderr)

    def close(self) -> None:
        self.bar.close()


class Quiet:
    """Show nothing."""

    def advance(self) -> None:
        pass

    def say(self, text: str) -> None:
        pass

    def close(self) -> None:
        pass


def best_record(records: list[Record], energy_weight: float = 0.0) -> Record | None:
    """Give the record of the validation whose weights are kept: the best one since futures are drawn, where they are at all."""
    validated = [r for r in records if r.get("val_bound") is not None]
    found = [r for r in validated if "val_score" in r] or validated
    value = lambda r: r["val_bound"] - energy_weight * r.get("val_score", 0.0)  # noqa: E731
    return max(found, key=value, default=None)


def read_metrics(path: str | Path) -> list[Record]:
    """Read metrics.jsonl; a last line cut short by a kill is left out."""
    path = Path(path)
    records = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records
