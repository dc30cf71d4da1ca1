"""What training reports while it runs: metrics.jsonl, and progress on standard error."""

import json
import sys
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from tqdm import tqdm

from vrnn.files import user_path, whole_file

Record = dict[str, Any]


@runtime_checkable
class Tracker(Protocol):
    """Anything with a method that takes records. Pass one to `train` to follow a run elsewhere."""

    def log(self, record: Record) -> None:
        """Take one flat record of numbers."""


class MetricsFile:
    """The tracker that appends records to metrics.jsonl.

    Args:
        path: the file.
        kept_to: keep the file's records up to this step; None starts the file anew.
    """

    def __init__(self, path: Path, kept_to: int | None):
        records = [] if kept_to is None else read_metrics(path)
        kept = [record for record in records if record["step"] <= kept_to]
        with whole_file(path) as temporary:
            temporary.write_text("".join(json.dumps(r) + "\n" for r in kept), encoding="utf-8")
        self._file = path.open("a", encoding="utf-8")

    def log(self, record: Record) -> None:
        """Append one record."""
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ProgressBar:
    """Progress on standard error: a bar on a terminal, else one line per validation.

    Args:
        steps: all steps of the run.
        start: steps taken already.
    """

    def __init__(self, steps: int, start: int):
        self.bar = tqdm(
            total=steps, initial=start, unit="step", disable=not sys.stderr.isatty(), leave=True
        )

    def advance(self) -> None:
        """Count one step."""
        self.bar.update(1)

    def say(self, text: str) -> None:
        """Print a line above the bar, or alone where there is none."""
        if self.bar.disable:
            print(text, file=sys.stderr, flush=True)
        else:
            self.bar.write(text, file=sys.stderr)

    def close(self) -> None:
        """Leave the bar as it is."""
        self.bar.close()


class NoProgress:
    """Progress that shows nothing."""

    def advance(self) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Show nothing."""


def best_record(records: list[Record], energy_weight: float = 0.0) -> Record | None:
    """Return the record of the validation whose weights are kept, or None without validation.

    Where futures are drawn, only validations since then count.

    Args:
        records: records of metrics.jsonl.
        energy_weight: weight of the energy score in the training.
    """
    validated = [r for r in records if r.get("val_bound") is not None]
    found = [r for r in validated if "val_score" in r] or validated
    value = lambda r: r["val_bound"] - energy_weight * r.get("val_score", 0.0)  # noqa: E731
    return max(found, key=value, default=None)


def read_metrics(path: str | Path) -> list[Record]:
    """Return the records of metrics.jsonl, without a last line that a kill has cut short."""
    path = user_path(path)
    records = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records
