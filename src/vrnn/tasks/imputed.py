"""The result of an imputation: sample paths through the gaps of tracks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from vrnn.data.io.write import OutputTable, to_frame, write_table
from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError


@dataclass(frozen=True, repr=False)
class Imputed:
    """Sample paths through the gaps of tracks.

    Attributes:
        tracks: the tracks as they were given, NaN where missing.
        samples: whole paths in data units, one array (sample, T_i, dim) for each track: drawn
            where missing, the data where observed. NaN where nothing can be drawn, as before the
            first point of a track under a displacement transform.
        names: columns of the last axis.
        widening: conformal widening: the factor by which the paths have been moved away from
            their means; 1 as the model drew them.
    """

    tracks: Tracks
    samples: list[Float[np.ndarray, "sample time dim"]]
    names: tuple[str, ...]
    widening: float = 1.0

    def __repr__(self) -> str:
        points = sum(int(m.any(-1).sum()) for m in self.missing)
        tracks, paths = len(self.samples), len(self.samples[0])
        return f"Imputed({points} points of {tracks} tracks, {paths} paths)"

    @cached_property
    def missing(self) -> list[Bool[np.ndarray, "time dim"]]:
        """Which entries were missing and are drawn, one array (T_i, dim) for each track."""
        return [
            np.isnan(x) & np.isfinite(s[0])
            for x, s in zip(self.tracks.x, self.samples, strict=True)
        ]

    @cached_property
    def distinct(self) -> Int[np.ndarray, " tracks"]:
        """Number of different paths, at the missing row where they are fewest, (N,).

        It is the number of all paths where nothing is missing. If it is small for continuous
        data, the paths share ancestors: raise `particles` or `sweeps`.
        """
        return np.array(
            [
                min(
                    (len(np.unique(s[:, t], axis=0)) for t in np.flatnonzero(m.any(-1))),
                    default=len(s),
                )
                for s, m in zip(self.samples, self.missing, strict=True)
            ],
            np.int64,
        )

    @cached_property
    def mean(self) -> list[Float[np.ndarray, "time dim"]]:
        """E[x_t | x_observed], the data where observed."""
        return self._reduced(lambda paths: paths.mean(0))

    def quantile(self, q: float) -> list[Float[np.ndarray, "time dim"]]:
        """Return a quantile of every entry, the data where observed.

        Of n paths it is the (n + 1) q-th, as in Weibull 1939. A value drawn as the paths are lies
        below it with probability q, however few the paths.
        """
        return self._reduced(lambda paths: np.quantile(paths, q, axis=0, method="weibull"))

    def _reduced(self, reduce: Callable[[np.ndarray], np.ndarray]) -> list[np.ndarray]:
        """Return one row for the paths of each row, and the very data where it is observed."""
        return [
            np.where(np.isnan(x), reduce(s), x)
            for x, s in zip(self.tracks.x, self.samples, strict=True)
        ]

    def interval(self, share: float = 0.9) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return the ends of central intervals that hold `share` of the paths at every entry."""
        if not 0 < share < 1:
            raise ConfigError(expected="a share between 0 and 1", found=share)
        return self.quantile(0.5 - share / 2), self.quantile(0.5 + share / 2)

    def widened(self, factor: float) -> "Imputed":
        """Return paths moved away from their means by a factor, in gaps between seen rows."""
        paths = []
        each = zip(self.tracks.x, self.missing, self.mean, self.samples, strict=True)
        for x, drawn, mean, samples in each:
            seen = np.flatnonzero(np.isfinite(x).all(-1))
            between = drawn & (np.arange(len(x)) < seen.max(initial=0))[:, None]
            paths.append(np.where(between, mean + factor * (samples - mean), samples))
        return replace(self, samples=paths, widening=factor)

    def to_tracks(self) -> Tracks:
        """Return the tracks with their gaps filled by the mean."""
        return replace(self.tracks, x=self.mean)

    def to_columns(self, share: float = 0.9) -> OutputTable:
        """Return a table with every row: id, t, the columns, their intervals and imputed.

        The columns are filled by the mean. `imputed` is 1 where an entry of the row was missing.
        """
        low, high = self.interval(share)
        columns: OutputTable = {
            "id": np.repeat(np.array(self.tracks.ids, object), self.tracks.lengths),
            "t": np.concatenate(self.tracks.times),
        }
        filled = np.concatenate(self.mean)
        columns |= {name: filled[:, i] for i, name in enumerate(self.names)}
        for end, values in (("low", np.concatenate(low)), ("high", np.concatenate(high))):
            columns |= {f"{name}_{end}": values[:, i] for i, name in enumerate(self.names)}
        return columns | {"imputed": np.asarray(np.concatenate(self.missing).any(-1), np.int64)}

    def to_frame(self, share: float = 0.9) -> Any:
        """Return the table as a DataFrame, of the library that the tracks came from."""
        return to_frame(self.to_columns(share), self.tracks.origin, self._rows)

    def save(self, path: str | Path, share: float = 0.9) -> Path:
        """Write the table to .csv, .parquet or .npz."""
        return write_table(self.to_columns(share), path, self.tracks.origin, self._rows)

    @property
    def _rows(self) -> np.ndarray | None:
        """The row of the source of every row, which keeps its other columns."""
        return np.concatenate(self.tracks.rows) if self.tracks.rows else None

    def plot(self, path: str | Path, **options: Any) -> Path:
        """Draw the gaps of the first tracks that have any to a picture file.

        Args:
            options: further arguments of `vrnn.plots.plot_imputed`.
        """
        from vrnn.plots import plot_imputed

        return plot_imputed(
            self.tracks.x,
            self.samples,
            path,
            self.tracks.times,
            names=self.names,
            ids=self.tracks.ids,
            **options,
        )
