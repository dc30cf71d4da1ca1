"""Count what was tried, over all processes, and print it at the end."""

from collections import Counter

import pytest
from tests.helpers.fuzz import TRIED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many examples, cells, files and edits were tried."""
    total: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                for name, value in report.user_properties:
                    if name == TRIED:
                        total.update(value)
    if total:
        terminalreporter.section("tried")
        for name, count in sorted(total.items()):
            terminalreporter.write_line(f"{count:>12,} {name}")
