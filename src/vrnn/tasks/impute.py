"""Imputation: the missing points of tracks, given everything before and after them."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool

from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, Setting, UnsupportedError, check_at_least, check_seed
from vrnn.inference.random_numbers import Stream, track_numbers
from vrnn.inference.smoother import smooth
from vrnn.inference.traits import reads_prefix
from vrnn.tasks.conformal import check_hidden, hide, widening
from vrnn.tasks.forecast import target_tracks
from vrnn.tasks.imputed import Imputed
from vrnn.tasks.memory import tracks_at_once
from vrnn.trained import TrainedModel, UsableTracks
from vrnn.training.resolve import ModelOrFolder, resolve_model


@dataclass(frozen=True)
class SmoothingConfig:
    """The settings of a smoother; see `impute` for each of them."""

    samples: int
    particles: int
    sweeps: int
    seed: int

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_at_least(1, samples=self.samples)
        check_at_least(2, particles=self.particles)
        check_at_least(0, sweeps=self.sweeps)


@torch.inference_mode()
def impute(
    tracks: Tracks | np.ndarray,
    *,
    model: ModelOrFolder | None = None,
    samples: int = 100,
    particles: int = 2000,
    sweeps: int = 0,
    seed: int = 0,
    calibrate: float | None = None,
) -> Imputed:
    """Return joint sample paths of the missing points of tracks: x_missing ~ p(. | x_observed).

    A missing row is a row of NaN. `vrnn.regular` puts such rows into tracks whose times have
    gaps. Rows after the last point are forecast. A supervised model fills y.

    Where the emission does not factorise, a row that lacks one entry is missing as a whole to the
    model. The entries that are there stay as they are in the paths.

    Args:
        tracks: tracks, or an array (batch, time, dim) or (time, dim).
        model: a trained model, the path of a run folder, or None for the one that needs no training.
        samples: paths of each track.
        particles: particles of the filter that paths are drawn from.
        sweeps: how often a conditional particle filter renews each path, see `smooth`.
        seed: seed of all noise.
        calibrate: a share, such as 0.9, for conformal widening. It hides seen rows of these
            tracks, in runs as long as their gaps, and draws paths through those too. One factor
            then widens or narrows all paths in gaps between seen rows, so that intervals of this
            share hold as much of what was hidden. It suits tracks unlike those of the training
            and doubles the work. Rows after the last seen one stay as they are.

    Raises:
        UnsupportedError: a model without a density of whole tracks: a forecasting RolloutVAE, or
            one with a heading transform. To calibrate, a supervised model or columns of kinds.
        DataError: tracks that do not fit the model, or too few seen rows to hide. Also if all
            paths are one at too many hidden rows.

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
    smoothing = SmoothingConfig(samples, particles, sweeps, seed)
    model = resolve_model(model, tracks)
    _check_calibrate(model, calibrate, samples)
    _check_imputes(model)
    tracks = model.as_tracks(tracks)
    if calibrate is None:
        return _drawn(model, tracks, smoothing)
    again, hidden = hide(tracks, seed)
    check_hidden(tracks, hidden)
    filled, refilled = (_drawn(model, t, smoothing) for t in (tracks, again))
    return filled.widened(_factor(tracks, refilled, hidden, calibrate))


def _check_calibrate(model: TrainedModel, calibrate: float | None, samples: int) -> None:
    """Refuse a share out of range, and columns that have no intervals."""
    network = model.network
    if calibrate is None:
        return
    if not 0 < calibrate < 1:
        raise ConfigError(setting="calibrate", expected="a share between 0 and 1", found=calibrate)
    if samples < 2:
        raise ConfigError(
            setting="samples",
            expected=("at least 2 beside ", Setting("calibrate")),
            found=samples,
            cause="one path has no interval",
        )
    if network.supervised or not all(network.observation.continuous):
        raise UnsupportedError(
            "paths are widened about their means",
            setting="calibrate",
            expected="continuous columns of x",
            found="a supervised model" if network.supervised else "columns of kinds",
            hint="leave it out",
        )


def _check_imputes(model: TrainedModel) -> None:
    """Refuse a model without a density of the first points of a track."""
    conditions = reads_prefix(model.network)
    if conditions or model.preprocessor.transform.heading is not None:
        what = "a RolloutVAE that forecasts" if conditions else "a model with a heading transform"
        raise UnsupportedError(
            f"{what} has no density of a track's first points and cannot fill gaps",
            hint=f"train a vrnn, srnn or dmm{'' if conditions else ' without one'}",
        )


def _drawn(model: TrainedModel, tracks: Tracks, smoothing: SmoothingConfig) -> Imputed:
    """Return paths through the gaps of tracks, as the model draws them."""
    shown = target_tracks(model, tracks) if model.network.supervised else tracks
    data, transform = shown.x, model.preprocessor.transform
    # Views of the data; a track with gaps gets a copy of its own below.
    paths = [np.broadcast_to(d, (smoothing.samples, *d.shape)) for d in data]
    holed = _holed(model, tracks, data)
    longest = int(holed.tracks.lengths.max(initial=1))
    for chunk in model.batches(holed, at_once=tracks_at_once(smoothing.particles, longest)):
        drawn = smooth(
            model.network,
            chunk.batch,
            smoothing.samples,
            track_numbers(smoothing.seed, Stream.IMPUTE, chunk.names),
            particles=smoothing.particles,
            sweeps=smoothing.sweeps,
        ).x
        first = np.stack([x[0] for x in holed.tracks[chunk.rows].x])
        values = model.decode(drawn, transform.begin(np.nan_to_num(first)))
        lengths = chunk.batch.length.tolist()
        for k, (i, offset, length) in enumerate(
            zip(chunk.index, chunk.offset, lengths, strict=True)
        ):
            rows = slice(offset, offset + length)
            given = data[i][rows]
            paths[i] = paths[i].copy()
            paths[i][:, rows] = np.where(np.isnan(given), values[:, k, :length], given)
    return Imputed(shown, paths, model.output_names)


def _holed(model: TrainedModel, tracks: Tracks, data: list[np.ndarray]) -> UsableTracks:
    """Return the tracks with gaps, the shortest first."""
    usable = model.usable(tracks)
    holed = [k for k, i in enumerate(usable.index) if np.isnan(data[i]).any()]
    return usable.select(np.array(sorted(holed, key=lambda k: len(usable.tracks.x[k])), int))


def _factor(
    tracks: Tracks, refilled: Imputed, hidden: list[Bool[np.ndarray, " time"]], share: float
) -> float:
    """Return the factor that makes intervals hold a share of what was hidden."""

    def pick(arrays: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([a[rows].ravel() for a, rows in zip(arrays, hidden, strict=True)])

    low, high = refilled.interval(share)
    return widening(pick(tracks.x), pick(refilled.mean), pick(low), pick(high), share)
