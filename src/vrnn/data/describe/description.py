"""The description of a set of tracks, and its layout on a terminal."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from vrnn.console import visible
from vrnn.data.wording import percent

MANY = 4
"""As many 0/1 columns of one role, side by side, share a line."""


@dataclass(frozen=True)
class Column:
    """One column of the data, in the user's units.

    Attributes:
        name: of the column.
        role: x, u or y.
        missing: fraction of missing values.
        low, high: least and greatest value.
        spread: standard deviation.
        ones: fraction of ones where all values are 0 or 1, else None.
    """

    name: str
    role: str
    missing: float
    low: float
    high: float
    spread: float
    ones: float | None = None

    @property
    def binary(self) -> bool:
        """Whether all values are 0 or 1."""
        return self.ones is not None


@dataclass(frozen=True)
class Outlier:
    """The fastest step that is out of proportion.

    Attributes:
        track: id of its track.
        time: when the step ends.
        ratio: its speed over the 95th percentile of all speeds.
    """

    track: str
    time: float
    ratio: float


@dataclass(frozen=True)
class Description:
    """The numbers of a set of tracks, with advice; `str` lays them out for a terminal.

    Attributes:
        tracks, rows: how many there are.
        shortest, median_length, longest: rows of a track.
        step: usual time between rows.
        steps: how many pairs of consecutive rows there are.
        gaps: how many of them are two or more whole steps apart.
        longest_gap: the longest of these, in steps.
        irregular: how many pairs are not whole steps apart.
        incomplete: fraction of rows with a missing value in x.
        columns: name, missing values and range of each column.
        displacement: median distance in x between rows a usual step apart, without 0/1 columns.
        outliers: steps much faster than others.
        worst: the fastest of these.
        single: ids of tracks of one row.
        repeated: ids that name several tracks.
        observe, horizon: a window that suits the lengths, in rows, once gaps are filled and irregular
            times resampled, see `tidy`; 0 where tracks are too short.
        windows: how many such windows there are.
        windowed: how many tracks they come from.
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
        """Whether all values of x are 0 or 1, and both occur."""
        x = [c for c in self.columns if c.role == "x"]
        return all(c.binary for c in x) and any(c.low < c.high for c in x)

    def to_text(self) -> str:
        """Return the description for a terminal, at most about 100 characters wide."""
        lines = [
            f"tracks        {self.tracks:,}",
            f"rows          {self.rows:,} in all; {self.shortest:,} to {self.longest:,} a track, "
            f"median {self.median_length:,.6g}",
            f"time step     {self.step:.6g} usually; of {self.steps:,} steps, "
            f"{self.gaps:,} are gaps and {self.irregular:,} irregular",
        ]
        lines += [
            f"{'' if i else 'columns':<14}{line}" for i, line in enumerate(_columns(self.columns))
        ]
        if not self.binary:
            lines.append(f"displacement  {self.displacement:.4g} a step (median)")
        if self.worst:
            lines.append(
                f"outliers      {self.outliers:,} steps; the fastest by track {self.worst.track} "
                f"to time {self.worst.time:.10g}, {self.worst.ratio:.3g} times the 95th percentile"
            )
        lines += ["advice", *(f"  - {sentence}" for sentence in self.advice)]
        return "\n".join(map(visible, lines))

    __str__ = to_text


def _columns(columns: tuple[Column, ...]) -> Iterator[str]:
    """Yield a line for each column, or for several 0/1 columns together."""
    names = {"x": "observed", "u": "input", "y": "target"}
    for (role, binary), group in groupby(columns, key=lambda c: (c.role, c.binary)):
        group = list(group)
        if binary and len(group) >= MANY:
            missing = max(c.missing for c in group)
            never = sum(c.high == 0 for c in group)
            yield (
                f"{group[0].name} to {group[-1].name} ({len(group)} columns, {names[role]}): "
                f"0 or 1, in a row on average {sum(c.ones or 0.0 for c in group):.3g} of them 1"
                + (f", {never} never" if never else "")
                + (f", up to {percent(missing)} missing" if missing else "")
            )
            continue
        for c in group:
            missing = f", {percent(c.missing)} missing" if c.missing else ""
            values = f"{c.low:.6g} to {c.high:.6g}{missing}" if c.missing < 1 else "no values"
            yield f"{c.name} ({names[role]}): {values}"
