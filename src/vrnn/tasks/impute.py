"""Imputation: what the missing points of tracks may have been, given everything before and after them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from vrnn.data.io.write import OutputTable, write_table
from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, Setting, UnsupportedError, check_seed, require
from vrnn.inference.noise import Stream, seeded
from vrnn.inference.smoother import smooth
from vrnn.tasks.conformal import check_hidden, hide, widening
from vrnn.tasks.futures import PASS_SIZE, ROWS
from vrnn.trained import TrainedModel
from vrnn.training.resolve import ModelOrFolder, resolve_model


@dataclass(frozen=True, repr=False)
class Imputed:
    """Hold sample paths through the gaps of tracks.

    Attributes:
        tracks: the tracks as they were given, NaN where missing.
        samples: whole paths in data units, one array (sample, T_i, dim) a track: drawn where missing, the data where observed. NaN
            where nothing can be drawn: before the first point of a track under a displacement transform.
        names: columns of the last axis.
        widening: what the distances of the paths from their mean have been multiplied by; 1 as the model drew them.
    """

    tracks: Tracks
    samples: list[Float[np.ndarray, "sample time dim"]]
    names: tuple[str, ...]
    widening: float = 1.0

    def __repr__(self) -> str:
        points = sum(int(m.any(-1).sum()) for m in self.missing)
        return (
            f"Imputed({points} points of {len(self.samples)} tracks, {len(self.samples[0])} paths)"
        )

    @cached_property
    def missing(self) -> list[Bool[np.ndarray, "time dim"]]:
        """Which entries were missing and are drawn, one array (T_i, dim) a track."""
        return [
            np.isnan(x) & np.isfinite(s[0])
            for x, s in zip(self.tracks.x, self.samples, strict=True)
        ]

    @cached_property
    def distinct(self) -> Int[np.ndarray, " tracks"]:
        """Count how many of the paths differ at the missing row where fewest do, (N,); all of them where nothing is missing.

        Of continuous data, few of them mean that the paths share ancestors: the filter has lost the others on the way, and
        more particles or sweeps are due.
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
        """Give a quantile of every entry, the data where observed: of n paths the (n + 1) q-th, as in Weibull 1939.

        A value drawn as the paths are lies below it with probability q, however few the paths.
        """
        return self._reduced(lambda paths: np.quantile(paths, q, axis=0, method="weibull"))

    def _reduced(self, reduce: Callable[[np.ndarray], np.ndarray]) -> list[np.ndarray]:
        """Reduce paths to one row each; where observed rounding would tell the result from the data."""
        return [
            np.where(np.isnan(x), reduce(s), x)
            for x, s in zip(self.tracks.x, self.samples, strict=True)
        ]

    def interval(self, share: float = 0.9) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Give the ends of central intervals that hold `share` of the paths, an entry at a time."""
        if not 0 < share < 1:
            raise ConfigError(f"expected a share between 0 and 1, found {share}")
        return self.quantile(0.5 - share / 2), self.quantile(0.5 + share / 2)

    def to_tracks(self) -> Tracks:
        """Give the tracks with their gaps filled by the mean."""
        return replace(self.tracks, x=self.mean)

    def to_columns(self, share: float = 0.9) -> OutputTable:
        """Give a table with every row: id, t, the columns filled by the mean, their intervals, and 1 where a row was imputed."""
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
        """Give the table as a pandas DataFrame."""
        return require("pandas", "frames").DataFrame(self.to_columns(share))

    def save(self, path: str | Path, share: float = 0.9) -> Path:
        """Write the table to .csv, .parquet or .npz."""
        return write_table(self.to_columns(share), path)

    def plot(self, path: str | Path, **options: Any) -> Path:
        """Draw the gaps of the first tracks that have any; `options` go to `vrnn.plots.plot_imputed`."""
        from vrnn.plots import plot_imputed

        return plot_imputed(
            self.tracks.x, self.samples, path, self.tracks.times, names=self.names, ids=self.tracks.ids, **options
        )  # fmt: skip


@torch.inference_mode()
def impute(
    tracks: Tracks | np.ndarray,
    *,
    model: ModelOrFolder,
    samples: int = 100,
    particles: int = 2000,
    sweeps: int = 0,
    seed: int = 0,
    calibrate: float | None = None,
) -> Imputed:
    """Draw joint sample paths of the missing points of tracks: x_missing ~ p(. | x_observed).

    A row that is missing is there, as NaN; `vrnn.regular` puts such rows into tracks whose times have gaps. Rows after the last
    point are forecast. A supervised model fills y.

    Args:
        samples: paths a track.
        particles: of the filter that paths are drawn from.
        sweeps: times that each path is renewed by a conditional particle filter; see `smooth`.
        seed: of all noise.
        calibrate: a share, such as 0.9: hide seen rows of these tracks in runs as long as their gaps, draw paths through those too, and
            widen or narrow the paths through gaps between seen rows about their means by one factor, so that intervals of this share
            hold as much of the hidden. For tracks unlike those of the training; twice the work. What comes after the last seen row stays.

    Where the emission does not factorise, a row that lacks one entry is missing as a whole to the model; the entry that is
    there stays as it is in the paths.

    Raises:
        UnsupportedError: a model that has no density of all of a track: a RolloutVAE that forecasts, or one with a heading
            transform; to calibrate a supervised model or columns of kinds.
        DataError: tracks that do not fit the model, too few seen rows that can be hidden, or paths that are one where they are.

    Example:
        >>> import numpy as np, vrnn
        >>> walk = lambda i: np.cumsum(np.random.default_rng(i).normal(size=(12, 2)), 0)
        >>> tracks = vrnn.Tracks([walk(i) for i in range(20)])
        >>> config = vrnn.VRNNConfig(x_dim=2, hidden=8)
        >>> run = vrnn.train(tracks, config=config, training=vrnn.TrainConfig(steps=5), quiet=True)
        >>> holed = tracks.x[0].copy()
        >>> holed[4:6] = np.nan
        >>> filled = vrnn.impute(holed, model=run.model, samples=20, particles=50)
        >>> filled, filled.mean[0].shape
        (Imputed(2 points of 1 tracks, 20 paths), (12, 2))
    """
    model = resolve_model(model)
    _check(model, samples, particles, sweeps, seed, calibrate)
    tracks = model.as_tracks(tracks)
    if calibrate is None:
        return _drawn(model, tracks, samples, particles, sweeps, seed)
    again, hidden = hide(tracks, seed)
    check_hidden(tracks, hidden)
    filled, refilled = (_drawn(model, t, samples, particles, sweeps, seed) for t in (tracks, again))
    return _widened(filled, _factor(tracks, refilled, hidden, calibrate))


def _check(
    model: TrainedModel,
    samples: int,
    particles: int,
    sweeps: int,
    seed: int,
    calibrate: float | None,
) -> None:
    """Refuse settings out of range, and models that cannot fill gaps."""
    check_seed(seed)
    for name, value, least in (
        ("samples", samples, 1),
        ("particles", particles, 2),
        ("sweeps", sweeps, 0),
    ):
        if value < least:
            raise ConfigError(setting=name, expected=f"at least {least}", found=value)
    network = model.network
    if calibrate is not None and (not 0 < calibrate < 1 or samples < 2):
        raise ConfigError(
            expected=(
                Setting("calibrate"),
                " as a share between 0 and 1 and at least 2 ",
                Setting("samples"),
            ),
            found=f"{calibrate} and {samples}",
        )
    if calibrate is not None and (network.supervised or not all(network.family.continuous)):
        raise UnsupportedError(
            "paths are widened about their means",
            setting="calibrate",
            expected="continuous columns of x",
            found="a supervised model" if network.supervised else "columns of kinds",
            hint="leave it out",
        )
    if network.conditions or model.preprocessor.transform.heading is not None:
        why = (
            "a RolloutVAE that forecasts"
            if network.conditions
            else "a model with a heading transform"
        )
        raise UnsupportedError(
            f"{why} has no density of a track's first points and cannot fill gaps; train a "
            "vrnn, srnn or dmm without one"
        )


def _drawn(
    model: TrainedModel, tracks: Tracks, samples: int, particles: int, sweeps: int, seed: int
) -> Imputed:
    """Draw paths through the gaps of tracks, chunk by chunk."""
    network, preprocessor = model.network, model.preprocessor
    names, data = preprocessor.x_names, tracks.x
    if network.supervised:
        names = preprocessor.y_names
        data = (
            tracks.y if tracks.y_dim else [np.full((len(x), len(names)), np.nan) for x in tracks.x]
        )
        shown = Tracks(data, ids=tracks.ids, times=tracks.times, x_names=names)
    else:
        shown = tracks
    paths = [
        np.broadcast_to(d, (samples, *d.shape)) for d in data
    ]  # of those with gaps, copies below
    for start, part in _holed(model, tracks, data, particles):
        batch = preprocessor.batch(part)[0]
        batch = batch.swap_target() if network.supervised else batch
        batch = batch.to(next(network.parameters()))
        generator = seeded(seed, Stream.IMPUTE, start)
        drawn = smooth(network, batch, samples, generator, particles=particles, sweeps=sweeps).x
        values = drawn.cpu().double().numpy()
        if network.supervised:
            values = values * np.array(preprocessor.y_scale) + np.array(preprocessor.y_mean)
        else:
            values = preprocessor.transform.decode(
                values, preprocessor.transform.begin(_first(part))
            )
        for k, i in enumerate(map(int, part.ids)):
            rows = int(batch.length[k])
            offset = len(data[i]) - int(part.lengths[k]) + preprocessor.transform.given
            given = data[i][offset : offset + rows]
            paths[i] = paths[i].copy()
            paths[i][:, offset : offset + rows] = np.where(
                np.isnan(given), values[:, k, :rows], given
            )
    return Imputed(shown, paths, names)


def _factor(
    tracks: Tracks, refilled: Imputed, hidden: list[Bool[np.ndarray, " time"]], share: float
) -> float:
    """Give what the paths of hidden rows must be widened by for their intervals to hold a share of what was hidden."""
    pick = lambda arrays: np.concatenate(  # noqa: E731
        [a[rows].ravel() for a, rows in zip(arrays, hidden, strict=True)]
    )
    low, high = refilled.interval(share)
    return widening(pick(tracks.x), pick(refilled.mean), pick(low), pick(high), share)


def _widened(filled: Imputed, factor: float) -> Imputed:
    """Move paths away from their means, or nearer to them, at missing entries before the last seen row of each track."""
    paths = []
    for x, drawn, mean, samples in zip(
        filled.tracks.x, filled.missing, filled.mean, filled.samples, strict=True
    ):
        seen = np.flatnonzero(np.isfinite(x).all(-1))
        between = drawn & (np.arange(len(x)) < seen.max(initial=0))[:, None]
        paths.append(np.where(between, mean + factor * (samples - mean), samples))
    return replace(filled, samples=paths, widening=factor)


def _holed(
    model: TrainedModel, tracks: Tracks, data: list[np.ndarray], particles: int
) -> Iterator[tuple[int, Tracks]]:
    """Go through the tracks with gaps, the shortest first, as many at once as memory allows; their ids are their places."""
    given = model.preprocessor.transform.given
    numbered = tracks.rename([str(i) for i in range(len(tracks))])
    numbered = model.preprocessor.trim(numbered, 1 + given, ends=False)
    holed = [k for k, i in enumerate(numbered.ids) if np.isnan(data[int(i)]).any()]
    numbered = numbered[np.array(sorted(holed, key=lambda k: len(numbered.x[k])), int)]
    rows = particles * int(numbered.lengths.max(initial=1))
    size = min(max(1, PASS_SIZE // particles), max(1, ROWS // rows))
    return ((start, numbered[start : start + size]) for start in range(0, len(numbered), size))


def _first(tracks: Tracks) -> Float[np.ndarray, "batch dim"]:
    """Give the first row of tracks, 0 where it is not there."""
    return np.nan_to_num(np.stack([x[0] for x in tracks.x]))
