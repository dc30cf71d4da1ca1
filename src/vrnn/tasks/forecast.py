"""Forecasts: joint sample paths of what comes after a prefix, in the units of the data."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float

from vrnn.data.arrays import pad
from vrnn.data.io.write import OutputTable, write_table
from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, DataError, Setting, UnsupportedError, check_seed, require
from vrnn.inference.begin import begin
from vrnn.inference.noise import Stream, draw_noise, seeded
from vrnn.kernels import imagine
from vrnn.metrics.clusters import cluster_paths
from vrnn.tasks.futures import PASS_SIZE, future_times, futures, futures_after, last_rows
from vrnn.tasks.observe import TrackBelief
from vrnn.trained import TrainedModel
from vrnn.training.resolve import ModelOrFolder, resolve_model


@dataclass(frozen=True, repr=False)
class Forecast:
    """Hold sampled futures.

    Attributes:
        samples: joint sample paths in data units, emission noise included, (sample, batch, horizon, dim).
        times: their times, (batch, horizon).
        history: the tracks they continue.
        names: columns of the last axis.
        weights: probability of each path, (sample, batch); equal unless the paths are clusters or modes.
    """

    samples: Float[np.ndarray, "sample batch horizon dim"]
    times: Float[np.ndarray, "batch horizon"]
    history: Tracks
    names: tuple[str, ...]
    weights: Float[np.ndarray, "sample batch"]

    def __repr__(self) -> str:
        count, batch, horizon, _ = self.samples.shape
        return f"Forecast({count} paths of {horizon} steps for {batch} tracks, {', '.join(self.names)})"

    @property
    def mean(self) -> Float[np.ndarray, "batch horizon dim"]:
        """Weighted mean of the paths."""
        return np.einsum("sb,sbhd->bhd", self.weights, self.samples)

    def quantile(self, q: float | list[float]) -> np.ndarray:
        """Give quantiles over equally weighted paths, a column and a step at a time, (batch, horizon, dim) for one q."""
        return np.quantile(self.samples, q, axis=0)

    def cluster(self, k: int, seed: int = 0) -> "Forecast":
        """Give k centres of the paths with their probabilities, chosen without the truth (k-means on whole paths)."""
        check_seed(seed)
        if k < 1 or k >= len(self.samples):
            raise ConfigError(
                f"expected at least one cluster and more samples than clusters, found {k} of "
                f"{len(self.samples)} "
                f"samples; forecast with ten times as many"
            )
        centres, weights = cluster_paths(self.samples, k, seed=seed)
        return replace(self, samples=centres, weights=weights)

    def to_columns(self) -> OutputTable:
        """Give a long table: id, sample, step, t, one column a dimension, and the weight where weights differ."""
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
        """Give the long table as a pandas DataFrame."""
        return require("pandas", "frames").DataFrame(self.to_columns())

    def save(self, path: str | Path) -> Path:
        """Write the long table to .csv, .parquet or .npz."""
        return write_table(self.to_columns(), path)

    def plot(self, path: str | Path, truth: Tracks | None = None, **options: Any) -> Path:
        """Draw histories and futures to a picture file; `options` go to `vrnn.plots.plot_forecast`."""
        from vrnn.plots import plot_forecast

        futures = None if truth is None else np.stack(truth.x)
        return plot_forecast(
            self.history.x,
            self.samples,
            futures,
            path,
            names=self.names,
            ids=self.history.ids,
            **options,
        )


def forecast(
    tracks: Tracks | np.ndarray | TrackBelief,
    *,
    model: ModelOrFolder,
    horizon: int = 12,
    samples: int = 20,
    seed: int = 0,
    inputs: np.ndarray | Literal["hold"] | None = None,
    qmc: bool = False,
    prefix_samples: int | None = None,
    temperature: float = 1.0,
) -> Forecast:
    """Sample joint futures of tracks: x_{T+1:T+H} ~ p(. | x_{1:T}).

    The prefix is filtered through the model's posterior, once a sample or as often as `prefix_samples` says, and the model then
    goes on alone, its own draws fed back. A model with a heading transform reads the last `observe` rows of a prefix, the length it was trained with. From a
    belief, particles are drawn by their weights, and the model goes on from each.

    Args:
        tracks: what the future follows, or an array (batch, time, dim) or (time, dim). For a supervised model
            the tracks have x up to the end of the horizon, and y of the last `horizon` rows is drawn. Or the belief that
            `observe` or `filter_tracks` gives; `history` is then the last position of each track.
        horizon: rows to draw.
        samples: paths a track.
        seed: of all noise; the same seed gives the same paths.
        inputs: known inputs of the horizon in data units, (batch, horizon, inputs), for a model that has any; "hold"
            carries the last value on.
        qmc: let the paths of a track cover their distribution more evenly than independent draws do, by quasi-random
            normals: each path is distributed as before, and means, or the best of a few, vary less.
        prefix_samples: draws of the state that the prefix leaves, which the paths of a track go on from in turn; one a path when
            omitted, and never more than that. Fewer take less time, 1 reads every prefix once; each path is distributed as before,
            and the paths that share a state vary less among themselves than all of them would.
        temperature: what the distances from their means of the latents and observations of the horizon are multiplied by; what the
            prefix leaves, a global latent with it, is drawn as it is. Below 1 for paths nearer to the likely ones, above 1 where
            regions hold less than they should: see `reliability`, which takes one too.

    Raises:
        DataError: tracks that do not fit the model, or a belief without the point that displacements start from.
        ConfigError: a horizon or a number of samples below 1, missing inputs, or a temperature of 0 or less.
        UnsupportedError: a belief of a supervised model, which does not hold x of the horizon; prefix_samples with a belief or a supervised
            model; a temperature other than 1 with an emission whose draws are not reparameterised.

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
    check_seed(seed)
    if horizon < 1 or samples < 1:
        raise ConfigError(
            expected=(Setting("horizon"), " and ", Setting("samples"), " of at least 1"),
            found=f"{horizon} and {samples}",
        )
    if prefix_samples is not None and prefix_samples < 1:
        raise ConfigError(setting="prefix_samples", expected="at least 1", found=prefix_samples)
    model = resolve_model(model)
    if prefix_samples is not None and isinstance(tracks, TrackBelief):
        raise UnsupportedError(
            setting="prefix_samples",
            expected="tracks",
            found="a belief, which has its own particles",
        )
    if prefix_samples is not None and model.network.supervised:
        raise UnsupportedError(
            "a supervised model filters x and y once a path",
            expected=("no ", Setting("prefix_samples")),
            found=prefix_samples,
        )
    if isinstance(tracks, TrackBelief):
        belief, tracks = tracks, last_rows(model, tracks)
        drawn = futures_after(model, belief, horizon, samples, seed, inputs, qmc, temperature)
    else:
        tracks = model.as_tracks(tracks)
        if model.network.supervised:
            return _draw_targets(model, tracks, horizon, samples, seed, qmc, temperature)
        drawn = futures(
            model,
            tracks,
            horizon,
            samples,
            seed,
            inputs,
            qmc=qmc,
            prefix_samples=prefix_samples,
            temperature=temperature,
        )
    return Forecast(
        samples=np.concatenate([f.decode() for f in drawn], 1),
        times=future_times(tracks, model.preprocessor.step, horizon),
        history=tracks,
        names=model.preprocessor.x_names,
        weights=np.full((samples, len(tracks)), 1.0 / samples),
    )


def _targets(tracks: Tracks, names: tuple[str, ...]) -> Tracks:
    """Show y as what the tracks hold, NaN where it is not known."""
    y = tracks.y if tracks.y_dim else [np.full((len(x), len(names)), np.nan) for x in tracks.x]
    return Tracks(y, ids=tracks.ids, times=tracks.times, x_names=names)


@torch.no_grad()
def _draw_targets(
    model: TrainedModel,
    tracks: Tracks,
    horizon: int,
    samples: int,
    seed: int,
    qmc: bool,
    temperature: float,
) -> Forecast:
    network, preprocessor = model.network, model.preprocessor
    given = preprocessor.transform.given
    for name, x in zip(tracks.ids, tracks.x, strict=True):
        if len(x) < horizon + given:
            raise DataError(
                f"track {name}: a supervised model needs x to the end of the horizon: "
                "expected at least "
                f"{horizon + given} rows, found {len(x)}"
            )
    parts, size = [], max(1, PASS_SIZE // samples)
    for start in range(0, len(tracks), size):
        chunk = tracks[start : start + size]
        batch = preprocessor.batch(chunk)[0].swap_target().to(next(network.parameters()))
        cut = batch.length - horizon
        prefix, rest = batch.split_at(cut)
        count, longest = prefix.x.shape[:2]
        past = draw_noise(
            network, samples, count, longest, seeded(seed, Stream.PREFIX, start), qmc=qmc
        )
        ahead = draw_noise(
            network, samples, count, horizon, seeded(seed, Stream.FUTURE, start), qmc=qmc
        )
        belief = begin(network, prefix, past)
        drawn = (
            imagine(network, belief, rest.u, ahead, temperature=temperature)
            .x.cpu()
            .double()
            .numpy()
        )
        parts.append(drawn * np.array(preprocessor.y_scale) + np.array(preprocessor.y_mean))
    last = pad([t[-horizon:, None] for t in tracks.times], horizon, np.nan)[..., 0]
    return Forecast(
        samples=np.concatenate(parts, 1),
        times=last,
        history=_targets(tracks.cut(stop=-horizon), preprocessor.y_names),
        names=preprocessor.y_names,
        weights=np.full((samples, len(tracks)), 1.0 / samples),
    )
