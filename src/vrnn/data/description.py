"""The record of what is in a set of tracks, and its layout on a terminal."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

MANY = 4
"""As many 0/1 columns of one role, side by side, share a line."""


@dataclass(frozen=True)
class Column:
    """One column: its name, role (x, u or y), share of missing values and range, in the user's units."""

    name: str
    role: str
    missing: float
    low: float
    high: float
    spread: float
    """Standard deviation."""
    ones: float | None = None
    """Share of ones where all values are 0 or 1, else None."""

    @property
    def binary(self) -> bool:
        """Whether all values are 0 or 1."""
        return self.ones is not None


@dataclass(frozen=True)
class Outlier:
    """The fastest step that is out of proportion: where it is, and how many times the usual speed it has."""

    track: str
    time: float
    ratio: float


@dataclass(frozen=True)
class Description:
    """Describe a set of tracks; `str` of it reads well on a terminal.

    Args:
        tracks, rows: how many.
        shortest, median_length, longest: rows a track.
        step: usual time between rows.
        steps: how many times between rows there are.
        gaps: those that are two or more whole steps; `longest_gap` is in steps.
        irregular: those that are not whole steps.
        incomplete: share of rows with a missing value in x.
        columns: name, missing share and range of each column.
        displacement: median distance in x, but for its 0/1 columns, from one row to the next, a usual step later.
        outliers: steps much faster than others, and `worst` the fastest.
        single: ids of tracks of one row.
        repeated: ids that name several tracks.
        observe, horizon: a window that suits the lengths, in rows; 0 where tracks are too short.
        windows: how many such windows there are, of `windowed` tracks.
        advice: what to do about it, one sentence or two each.
    """

    tracks: int
    rows: int
    shortest: int
    median_length: float
    longest: int
    step: float
    steps: int
    gaps: int
    longest_gap: int
    irregular: int
    incomplete: float
    columns: tuple[Column, ...]
    displacement: float
    outliers: int
    worst: Outlier | None
    single: tuple[str, ...]
    repeated: tuple[str, ...]
    observe: int
    horizon: int
    windows: int
    windowed: int
    advice: tuple[str, ...] = ()

    @property
    def binary(self) -> bool:
        """Whether x is nothing but zeros and ones, of both."""
        x = [c for c in self.columns if c.role == "x"]
        return all(c.binary for c in x) and any(c.low < c.high for c in x)

    def to_text(self) -> str:
        """Lay the description out for a terminal, at most about 100 characters wide."""
        lines = [
            f"tracks        {self.tracks:,}",
            f"rows          {self.rows:,} in all; {self.shortest:,} to {self.longest:,} a track, "
            f"median {self.median_length:,.6g}",
            f"time step     {self.step:.6g} usually; of {self.steps:,} steps, {self.gaps:,} are gaps and "
            f"{self.irregular:,} irregular",
        ]
        lines += [
            f"{'' if i else 'columns':<14}{line}" for i, line in enumerate(_columns(self.columns))
        ]
        if not self.binary:
            lines.append(f"displacement  {self.displacement:.4g} a step (median)")
        if self.worst:
            lines.append(
                f"outliers      {self.outliers:,} steps; the fastest by track {self.worst.track} to time "
                f"{self.worst.time:.10g}, {self.worst.ratio:.3g} times the 95th percentile"
            )
        return "\n".join([*lines, "advice", *(f"  - {sentence}" for sentence in self.advice)])

    __str__ = to_text


def _columns(columns: tuple[Column, ...]) -> Iterator[str]:
    names = {"x": "observed", "u": "input", "y": "target"}
    for (role, binary), group in groupby(columns, key=lambda c: (c.role, c.binary)):
        group = list(group)
        if binary and len(group) >= MANY:
            missing = max(c.missing for c in group)
            never = sum(c.high == 0 for c in group)
            yield (
                f"{group[0].name} to {group[-1].name} ({len(group)} columns, {names[role]}): 0 or 1, in a row on average "
                f"{sum(c.ones or 0.0 for c in group):.3g} of them 1"
                + (f", {never} never" if never else "")
                + (f", up to {percent(missing)} missing" if missing else "")
            )
            continue
        for c in group:
            missing = f", {percent(c.missing)} missing" if c.missing else ""
            values = f"{c.low:.6g} to {c.high:.6g}{missing}" if c.missing < 1 else "no values"
            yield f"{c.name} ({names[role]}): {values}"


def percent(share: float) -> str:
    """Write a share for people.

    >>> percent(0.5), percent(0.0123), percent(0.00001)
    ('50 %', '1.2 %', 'under 0.1 %')
    """
    return "under 0.1 %" if 0 < share < 0.001 else f"{100 * share:.2g} %"
