"""The record of what is in a set of tracks, and its layout on a terminal."""

from dataclasses import dataclass


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
        displacement: median distance in x from one row to the next, a usual step later.
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

    def to_text(self) -> str:
        """Lay the description out for a terminal, at most about 100 characters wide."""
        lines = [
            f"tracks        {self.tracks:,}",
            f"rows          {self.rows:,} in all; {self.shortest:,} to {self.longest:,} a track, "
            f"median {self.median_length:,.6g}",
            f"time step     {self.step:.6g} usually; of {self.steps:,} steps, {self.gaps:,} are gaps and "
            f"{self.irregular:,} irregular",
        ]
        names = {"x": "observed", "u": "input", "y": "target"}
        for i, c in enumerate(self.columns):
            missing = f", {percent(c.missing)} missing" if c.missing else ""
            values = f"{c.low:.6g} to {c.high:.6g}{missing}" if c.missing < 1 else "no values"
            lines.append(f"{'columns' if i == 0 else '':<14}{c.name} ({names[c.role]}): {values}")
        lines.append(f"displacement  {self.displacement:.4g} a step (median)")
        if self.worst:
            lines.append(
                f"outliers      {self.outliers:,} steps; the fastest by track {self.worst.track} to time "
                f"{self.worst.time:.10g}, {self.worst.ratio:.3g} times the 95th percentile"
            )
        return "\n".join([*lines, "advice", *(f"  - {sentence}" for sentence in self.advice)])

    __str__ = to_text


def percent(share: float) -> str:
    """Write a share for people.

    >>> percent(0.5), percent(0.0123), percent(0.00001)
    ('50 %', '1.2 %', 'under 0.1 %')
    """
    return "under 0.1 %" if 0 < share < 0.001 else f"{100 * share:.2g} %"
