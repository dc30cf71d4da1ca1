"""What training reports while it runs: metrics.jsonl, and progress on standard error."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import NoneType
from typing import Any, Protocol, runtime_checkable

from tqdm import tqdm

from vrnn.console import say
from vrnn.errors import RunFolderError, Setting
from vrnn.files import unwritable, user_path, whole_file
from vrnn.stored import shown

Record = dict[str, Any]
LISTS = ("nats_per_unit",)
"""Entries of a record that hold several numbers."""
MAKE_ROOM = ("make room, then go on with ", Setting("resume", True))
"""What a message advises where a run can no longer be written."""


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
        self.path, self._file = path, path.open("a", encoding="utf-8")

    def log(self, record: Record) -> None:
        """Append one record.

        Raises:
            DataError: the system does not take it.
        """
        try:
            self._file.write(json.dumps(record) + "\n")
            self._file.flush()
        except OSError as error:
            raise unwritable(self.path, error, MAKE_ROOM) from error

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):  # what was not written has been said
            self._file.close()


class ProgressBar:
    """Progress on standard error: a bar on a terminal, else one line per validation.

    Args:
        steps: all steps of the run.
        start: steps taken already.
    """

    def __init__(self, steps: int, start: int):
        self.bar = tqdm(
            total=steps, initial=start, unit="step", disable=not _is_terminal(), leave=True
        )

    def advance(self) -> None:
        """Count one step."""
        with self._that_may_fail():
            self.bar.update(1)

    def say(self, text: str) -> None:
        """Print a line above the bar, or alone where there is none."""
        with self._that_may_fail(), self.bar.external_write_mode(sys.stderr):
            say(text)

    def close(self) -> None:
        """Leave the bar as it is."""
        with self._that_may_fail():
            self.bar.close()

    @contextmanager
    def _that_may_fail(self) -> Iterator[None]:
        """Go on without a bar where the terminal has gone."""
        try:
            yield
        except (OSError, ValueError):
            self.bar.disable = True


def _is_terminal() -> bool:
    """Return whether standard error is a terminal; it may be closed."""
    try:
        return sys.stderr is not None and sys.stderr.isatty()
    except ValueError:
        return False


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
    """Return the records of metrics.jsonl, without a last line that a kill has cut short.

    Raises:
        RunFolderError: a line that is no record; it names the line.
    """
    path = user_path(path)
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    *lines, last = text.split("\n")
    records = []
    for number, line in enumerate([*lines, last] if _is_record(_read(last)) else lines, start=1):
        record = _read(line)
        if not _is_record(record):
            raise RunFolderError(
                where=f"{path}, line {number}",
                expected="a record of a training",
                found=shown(line),
                hint="restore the file or delete it",
            )
        records.append(record)
    return records


def _read(line: str) -> Any:
    """Return what a line of JSON holds, or None."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_record(value: Any) -> bool:
    """Return whether a value is a record: numbers by their names, with a step."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("step"), int)
        and all(
            all(map(_is_number, part))
            if name in LISTS and isinstance(part, list)
            else _is_number(part)
            for name, part in value.items()
        )
    )


def _is_number(value: Any) -> bool:
    """Return whether a value is a number that a float can hold, or None for no number."""
    return isinstance(value, float | NoneType) or (isinstance(value, int) and abs(value) < 2**63)
