"""Scores of rows and tracks, p-values among normal tracks, and thresholds."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from vrnn.data.io.write import OutputTable, table_writer, to_frame, write_table
from vrnn.data.origin import FROM_MEMORY, Origin
from vrnn.errors import ConfigError, DataError, Function, Setting, Text
from vrnn.files import user_path

ScoreName = Literal["density", "excess"]
TRACKS_AT_ONCE = 1024
"""Tracks whose rows are written together."""


@dataclass(frozen=True, repr=False)
class Scores:
    """The scores of tracks.

    Attributes:
        ids: the tracks.
        times: time of every row, one array (T_i,) for each track.
        log_prob: log p(x_t | x_{<t}) in nats of data units, one array (T_i,) for each track; NaN
            where nothing is scored.
        pit: probability integral transform of that log-density, (T_i,): the share of the model's
            own draws that are less likely than the observation. Ties are split at random. It is
            uniform if the model is right and particles are 20 or more, and small where a row is
            unusual. Empty without ranks.
        excess: how far that log-density falls below the mean of the model's own draws, (T_i,).
            It is 0 on average if the model is right. Empty without ranks.
        calibration: scores of the calibration set, normal tracks that p-values are counted among,
            (M,); empty without one.
        by: what the score of a track is the mean of: minus the log-density, or the excess.
        origin: the source of the tracks, whose names and types the tables take.
        source_rows: the row of the source that each row is, (T_i,) for each track.
    """

    ids: list[str]
    times: list[Float[np.ndarray, " time"]]
    log_prob: list[Float[np.ndarray, " time"]]
    pit: list[Float[np.ndarray, " time"]]
    excess: list[Float[np.ndarray, " time"]]
    calibration: Float[np.ndarray, " calibration"]
    by: ScoreName = "density"
    origin: Origin = FROM_MEMORY
    source_rows: list[Int[np.ndarray, " time"]] = field(default_factory=list)

    def __repr__(self) -> str:
        against = f", p-values among {len(self.calibration)}" if len(self.calibration) else ""
        return f"Scores({len(self.ids)} tracks{against})"

    @property
    def rows(self) -> Int[np.ndarray, " tracks"]:
        """Scored rows of each track, (N,)."""
        return np.array([int(np.isfinite(a).sum() + np.isinf(a).sum()) for a in self.log_prob])

    @property
    def score(self) -> Float[np.ndarray, " tracks"]:
        """Score of each track, (N,): high is unusual; NaN without a scored row.

        It is the mean over the scored rows of minus the log-density, or of the excess.
        """
        rows = self.excess if self.by == "excess" else [-a for a in self.log_prob]
        total = np.array([np.nansum(a) for a in rows])
        return np.where(self.rows > 0, total / np.maximum(self.rows, 1), np.nan)

    @property
    def p_value(self) -> Float[np.ndarray, " tracks"]:
        """Share of normal tracks that score as high, (N,): (1 + #{calibration >= score}) / (M + 1).

        A normal track, exchangeable with the calibration set, has P(p <= a) <= a whatever the
        model (Vovk et al. 2005). NaN without a calibration set.
        """
        if not len(self.calibration):
            return np.full(len(self.ids), np.nan)
        ordered, score = np.sort(self.calibration), self.score
        above = len(ordered) - np.searchsorted(ordered, score, side="left")
        return np.where(np.isnan(score), np.nan, (1 + above) / (len(ordered) + 1))

    def against(self, normal: "Scores") -> "Scores":
        """Return these scores with normal tracks as their calibration set.

        Args:
            normal: scores of normal tracks that the model was not trained on.

        Raises:
            DataError: no normal track has a scored row, or its scores are of another kind.
        """
        if normal.by != self.by:
            raise DataError(
                expected=f"a calibration set scored by {self.by} like the tracks",
                found=f"one by {normal.by}",
            )
        scored = normal.score[~np.isnan(normal.score)]
        if not len(scored):
            raise DataError(
                expected="calibration tracks with a scored row",
                found="none",
                hint="are they long enough?",
            )
        return replace(self, calibration=scored)

    def threshold(self, false_alarms: float) -> float:
        """Return the score above which a track is called unusual.

        Args:
            false_alarms: share of normal tracks that may score above it.

        Raises:
            ConfigError: no calibration set, or one that is too small for the share.
        """
        fewest, count = fewest_normal(false_alarms), len(self.calibration)
        if not count:
            raise ConfigError(
                "a threshold is counted on normal tracks",
                expected="a calibration set",
                found="none",
                hint=("give ", Function("score"), " normal tracks as ", Setting("calibration")),
            )
        if count < fewest:
            share = Setting("false_alarms", false_alarms)
            raise ConfigError(
                expected=(f"at least {fewest} calibration tracks for ", share),
                found=count,
                hint=more_normal(count),
            )
        allowed = math.floor(false_alarms * (count + 1) + 1e-9)
        return float(np.sort(self.calibration)[-allowed])

    def unusual(self, false_alarms: float) -> Bool[np.ndarray, " tracks"]:
        """Return which tracks score above the threshold, (N,): those with p <= `false_alarms`."""
        return np.asarray(self.score > self.threshold(false_alarms))

    def to_columns(self, false_alarms: float | None = None) -> OutputTable:
        """Return a table with a row for each track: id, rows, score and p_value.

        Args:
            false_alarms: adds the column unusual, 0 or 1, for this share of false alarms.
        """
        columns: OutputTable = {
            "id": np.array(self.ids, object),
            "rows": self.rows,
            "score": self.score,
        }
        if len(self.calibration):
            columns["p_value"] = self.p_value
        if false_alarms is not None:
            columns["unusual"] = self.unusual(false_alarms).astype(np.int64)
        return columns

    def row_columns(self) -> OutputTable:
        """Return a table with a row for each row of a track: id, t, log_prob; with ranks pit, excess."""
        named = {"log_prob": self.log_prob, "pit": self.pit, "excess": self.excess}
        return {
            "id": np.repeat(np.array(self.ids, object), [len(a) for a in self.log_prob]),
            "t": np.concatenate(self.times),
            **{name: np.concatenate(parts) for name, parts in named.items() if parts},
        }

    def to_frame(self, false_alarms: float | None = None) -> Any:
        """Return the table of tracks as a DataFrame, of the library that they came from."""
        return to_frame(self.to_columns(false_alarms), self.origin)

    def save(
        self, path: str | Path, rows: str | Path | None = None, false_alarms: float | None = None
    ) -> Path:
        """Write the table of tracks, and to `rows` that of rows, as .csv, .parquet or .npz.

        Both appear when both are written.
        """
        columns = self.to_columns(false_alarms)
        if rows is None:
            return write_table(columns, path, self.origin)
        with table_writer(path, self.origin) as tracks, table_writer(rows, self.origin) as writer:
            tracks.append(columns)
            for start in range(0, max(len(self.ids), 1), TRACKS_AT_ONCE):
                part = self._part(slice(start, start + TRACKS_AT_ONCE))
                source = part.source_rows
                writer.append(part.row_columns(), np.concatenate(source) if source else None)
        return user_path(path)

    def _part(self, rows: slice) -> "Scores":
        """Return the scores of some tracks."""
        lists = ("ids", "times", "log_prob", "pit", "excess", "source_rows")
        return replace(self, **{name: getattr(self, name)[rows] for name in lists})

    def plot(self, path: str | Path, false_alarms: float | None = None, **options: Any) -> Path:
        """Draw the scores in order, with threshold and calibration set; the rows of a single track.

        Args:
            options: further arguments of `vrnn.plots.plot_scores` or `plot_time_steps`.
        """
        from vrnn.plots import plot_scores, plot_time_steps

        if len(self.ids) == 1:
            pit = self.pit[0] if self.pit else None
            return plot_time_steps(self.times[0], self.log_prob[0], pit, path, **options)
        threshold = None if false_alarms is None else self.threshold(false_alarms)
        return plot_scores(self.score, path, self.ids, threshold, self.calibration, **options)


def fewest_normal(false_alarms: float) -> int:
    """Return how many calibration tracks a threshold needs for a share of false alarms.

    Raises:
        ConfigError: the share is not between 0 and 1.

    >>> fewest_normal(0.01), fewest_normal(0.5)
    (99, 1)
    """
    if not 0 < false_alarms < 1:
        raise ConfigError(
            setting="false_alarms", expected="a share between 0 and 1", found=false_alarms
        )
    return math.ceil(1 / false_alarms - 1e-9) - 1


def more_normal(count: int) -> Text:
    """Return what a message advises where calibration tracks are too few for a share.

    >>> from vrnn.errors import write
    >>> write(more_normal(24))
    'give more tracks, or at least false_alarms=0.04'
    """
    least = math.ceil(1000 / (count + 1)) / 1000
    return ("give more tracks, or at least ", Setting("false_alarms", least))
