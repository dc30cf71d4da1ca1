"""Forecasts: joint sample paths of what follows a prefix, in data units."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from vrnn.console import visible
from vrnn.data.io.write import OutputTable, to_frame, write_table
from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, Setting, UnsupportedError, check_at_least, check_seed
from vrnn.metrics.clusters import cluster_paths
from vrnn.tasks.belief import TrackBelief
from vrnn.tasks.future_inputs import Inputs, future_times
from vrnn.tasks.futures import Futures, futures, futures_after, last_rows, long_enough
from vrnn.tasks.sampling import SamplingConfig
from vrnn.tasks.time_step import at_model_step, own_step
from vrnn.trained import TrainedModel
from vrnn.training.resolve import ModelOrFolder, resolve_model


@dataclass(frozen=True, repr=False)
class Forecast:
    """A set of sampled futures.

    Attributes:
        samples: joint sample paths in data units, (sample, batch, horizon, dim). Drawn paths
            include the noise of the emission; clusters and modes do not.
        times: times of their rows, (batch, horizon).
        history: the tracks that they continue.
        names: columns of the last axis.
        weights: probability of each path, (sample, batch). All are equal unless the paths are
            clusters or modes.
    """

    samples: Float[np.ndarray, "sample batch horizon dim"]
    times: Float[np.ndarray, "batch horizon"]
    history: Tracks
    names: tuple[str, ...]
    weights: Float[np.ndarray, "sample batch"]

    def __repr__(self) -> str:
        count, batch, horizon, _ = self.samples.shape
        columns = visible(", ".join(self.names))
        return f"Forecast({count} paths of {horizon} steps for {batch} tracks, {columns})"

    @property
    def mean(self) -> Float[np.ndarray, "batch horizon dim"]:
        """Weighted mean of the paths."""
        return np.einsum("sb,sbhd->bhd", self.weights, self.samples)

    def quantile(self, q: float | list[float]) -> np.ndarray:
        """Return quantiles of the paths, for each column and time step on its own.

        The paths count alike, whatever their weights.

        Returns:
            (batch, horizon, dim) for one q; a leading axis for a list.
        """
        return np.quantile(self.samples, q, axis=0)

    def cluster(self, k: int, seed: int = 0) -> "Forecast":
        """Return the centres of k clusters of paths, with their probabilities.

        K-means clusters whole paths. It does not see the true future.
        """
        check_seed(seed)
        if k < 1 or k >= len(self.samples):
            raise ConfigError(
                expected="at least one cluster and more samples than clusters",
                found=f"{k} of {len(self.samples)} samples",
                hint="forecast ten times as many samples as clusters",
            )
        centres, weights = cluster_paths(self.samples, k, seed=seed)
        return replace(self, samples=centres, weights=weights)

    def to_columns(self) -> OutputTable:
        """Return a long table: id, sample, step, t and the columns, a weight where they differ."""
        count, batch, horizon, _ = self.samples.shape
        shape = (batch, count, horizon)
        ids = np.array(self.history.ids, dtype=object)
        columns: OutputTable = {
            "id": np.broadcast_to(ids[:, None, None], shape).reshape(-1),
            "sample": np.broadcast_to(np.arange(count)[:, None], shape).reshape(-1),
            "step": np.broadcast_to(np.arange(1, horizon + 1), shape).reshape(-1),
            "t": np.broadcast_to(self.times[:, None], shape).reshape(-1),
        }
        for i, name in enumerate(self.names):
            columns[name] = self.samples[..., i].swapaxes(0, 1).reshape(-1)
        if not np.allclose(self.weights, self.weights[0, 0]):
            columns["weight"] = np.broadcast_to(self.weights.T[:, :, None], shape).reshape(-1)
        return columns

    def to_frame(self) -> Any:
        """Return the long table as a DataFrame, of the library that the tracks came from."""
        return to_frame(self.to_columns(), self.history.origin)

    def save(self, path: str | Path) -> Path:
        """Write the long table to .csv, .parquet or .npz."""
        return write_table(self.to_columns(), path, self.history.origin)

    def plot(self, path: str | Path, truth: Tracks | None = None, **options: Any) -> Path:
        """Draw histories and futures to a picture file.

        Args:
            truth: what happened, drawn beside the futures.
            options: further arguments of `vrnn.plots.plot_forecast`.
        """
        from vrnn.plots import plot_forecast

        happened = None if truth is None else np.stack(truth.x)
        return plot_forecast(
            self.history.x,
            self.samples,
            happened,
            path,
            names=self.names,
            ids=self.history.ids,
            **options,
        )


def forecast(
    tracks: Tracks | np.ndarray | TrackBelief,
    *,
    model: ModelOrFolder | None = None,
    horizon: int = 12,
    samples: int = 20,
    seed: int = 0,
    inputs: Inputs = None,
    qmc: bool = False,
    prefix_samples: int | None = None,
    temperature: float = 1.0,
) -> Forecast:
    """Return joint sample paths of the future of tracks.

    x_{T+1:T+H} ~ p(. | x_{1:T})

    The posterior of the model filters the prefix, `prefix_samples` times. Then the model continues
    alone and reads its own draws. A model with a heading transform reads the last `observe` rows
    of a prefix, the number that it was trained with.

    Args:
        tracks: prefixes, as tracks or an array (batch, time, dim) or (time, dim). For a
            supervised model they hold x to the end of the horizon, and y of the last `horizon`
            rows is drawn. A belief, from `observe` or `filter_tracks`, is continued from
            particles chosen by weight; `history` is then the last position of each track.
        model: a trained model, the path of a run folder, or None for the one that needs no training.
        horizon: rows to draw.
        samples: sample paths of each track.
        seed: seed of all noise. The same seed draws the same paths.
        inputs: known inputs of the horizon in data units, (batch, horizon, inputs), for a model
            that has any. "hold" repeats the last values.
        qmc: draw quasi-random normals, so that the paths of a track cover their distribution more
            evenly. Each path keeps its distribution. Means, and the best of a few, vary less.
        prefix_samples: how often the prefix is filtered; once for each sample when None. Fewer
            take less time. Paths that share a filtered state differ less from each other.
        temperature: factor of the spread of the latents and observations over the horizon. The
            states after the prefix and a global latent keep theirs. Above 1 suits a model that is
            too certain: its regions hold fewer futures than they should, see `reliability`.

    Raises:
        DataError: tracks that do not fit the model, or a belief without an observed point, where
            displacements start from one.
        ConfigError: a horizon or a number of samples below 1, inputs that are missing, or a
            temperature that is not above 0.
        UnsupportedError: a belief about a supervised model; prefix_samples with a belief or a
            supervised model; a temperature with an emission whose draws are not reparameterised.

    Example:
        >>> import numpy as np, vrnn
        >>> walk = lambda i: np.cumsum(np.random.default_rng(i).normal(size=(12, 2)), 0)
        >>> tracks = vrnn.Tracks([walk(i) for i in range(20)])
        >>> config = vrnn.VRNNConfig(x_dim=2, hidden=8)
        >>> run = vrnn.train(tracks, config=config, training=vrnn.TrainConfig(steps=5), quiet=True)
        >>> vrnn.forecast(tracks[:3], model=run.model, horizon=4, samples=10).samples.shape
        (10, 3, 4, 2)
        >>> belief = vrnn.filter_tracks(tracks[:3], model=run.model).belief
        >>> vrnn.forecast(belief, model=run.model, horizon=4, samples=10).samples.shape
        (10, 3, 4, 2)
    """
    sampling = SamplingConfig(samples, seed, qmc, prefix_samples, temperature)
    found = _begin(tracks, model, horizon, sampling, inputs)
    paths = np.concatenate([f.decode() for f in found.drawn], 1)
    weights = np.full((samples, len(found.history)), 1.0 / samples)
    return Forecast(paths, found.times, found.history, found.names, weights)


def forecast_parts(
    tracks: Tracks | np.ndarray | TrackBelief,
    *,
    model: ModelOrFolder | None = None,
    horizon: int = 12,
    samples: int = 20,
    seed: int = 0,
    inputs: Inputs = None,
    qmc: bool = False,
    prefix_samples: int | None = None,
    temperature: float = 1.0,
) -> Iterator[Forecast]:
    """Yield the result of `forecast` in parts of some hundred tracks, as they are drawn.

    Memory does not grow with the number of tracks, so that parts can be written one by one.

    Args:
        tracks, model, horizon, samples, seed, inputs, qmc, prefix_samples, temperature: those of
            `forecast`, with the same errors.

    Example:
        >>> import numpy as np, vrnn
        >>> tracks = vrnn.Tracks([np.cumsum(np.ones((9, 2)), 0)] * 3)
        >>> [part.samples.shape for part in forecast_parts(tracks, horizon=4, samples=5)]
        [(5, 3, 4, 2)]
    """
    sampling = SamplingConfig(samples, seed, qmc, prefix_samples, temperature)
    found = _begin(tracks, model, horizon, sampling, inputs)
    for part in found.drawn:
        times, history = found.times[part.rows], found.history[part.rows]
        weights = np.full((samples, len(history)), 1.0 / samples)
        yield Forecast(part.decode(), times, history, found.names, weights)


class _Begun(NamedTuple):
    """A forecast before its paths are drawn."""

    drawn: Iterator[Futures]
    times: Float[np.ndarray, "batch horizon"]
    history: Tracks
    names: tuple[str, ...]


def _begin(
    tracks: Tracks | np.ndarray | TrackBelief,
    model: ModelOrFolder | None,
    horizon: int,
    sampling: SamplingConfig,
    inputs: Inputs,
) -> _Begun:
    """Return the futures to draw, with what they continue; see `forecast`."""
    check_at_least(1, horizon=horizon)
    model = resolve_model(model, tracks)
    _check_prefix_samples(model, tracks, sampling.prefix_samples)
    if isinstance(tracks, TrackBelief):
        history = last_rows(model, tracks)
        drawn = futures_after(model, tracks, horizon, sampling, inputs=inputs)
    else:
        history = at_model_step(model, model.as_tracks(tracks))
        if not model.network.supervised:
            history, inputs = long_enough(model, history, inputs)
        drawn = futures(model, history, horizon, sampling, inputs=inputs)
    if model.network.supervised:
        times = np.stack([t[-horizon:] for t in history.times])
        history = target_tracks(model, history.cut(stop=-horizon))
    else:
        times = future_times(history, own_step(model, history), horizon)
    return _Begun(drawn, times, history, model.output_names)


def target_tracks(model: TrainedModel, tracks: Tracks) -> Tracks:
    """Return tracks whose x is y of the given tracks, NaN where it is not known."""
    names = model.output_names
    y = tracks.y if tracks.y_dim else [np.full((len(x), len(names)), np.nan) for x in tracks.x]
    return Tracks(y, ids=tracks.ids, times=tracks.times, x_names=names, origin=tracks.origin)


def _check_prefix_samples(
    model: TrainedModel, tracks: Tracks | np.ndarray | TrackBelief, prefix_samples: int | None
) -> None:
    """Refuse prefix_samples where there is no prefix to filter that often."""
    if prefix_samples is None:
        return
    if isinstance(tracks, TrackBelief):
        raise UnsupportedError(
            "it says how often a prefix is filtered",
            setting="prefix_samples",
            expected="tracks",
            found="a belief, which has its own particles",
            hint="leave it out",
        )
    if model.network.supervised:
        raise UnsupportedError(
            "a supervised model filters x and y once a path",
            expected=("no ", Setting("prefix_samples")),
            found=prefix_samples,
            hint="leave it out",
        )
