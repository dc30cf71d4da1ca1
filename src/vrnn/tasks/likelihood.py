"""Likelihoods of tracks: bounds by any number of samples, with their standard error."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, DataError, Function, check_at_least, check_seed
from vrnn.inference.embed import Embedded, embed
from vrnn.inference.noise import Noise, draw_noise
from vrnn.inference.particle_filter import FilterConfig, filter_steps, first_belief
from vrnn.inference.random_numbers import Stream, track_numbers
from vrnn.objectives import BOUNDS, BoundConfig, BoundName
from vrnn.objectives.terms import log_jacobian
from vrnn.tasks import memory
from vrnn.tasks.filtering import filter_chunks
from vrnn.trained import Chunk, TrainedModel, to_numpy
from vrnn.training.resolve import ModelOrFolder, resolve_model


@dataclass(frozen=True, repr=False)
class Likelihood:
    """An estimate of the log-likelihood of tracks.

    Attributes:
        name: the bound.
        samples: its number of samples or particles.
        repeats: number of independent estimates.
        of: the quantity that it bounds, such as log p(track).
        exact: whether it is the value itself: the model has no latent and no point is missing.
        rows: scored rows of each track, (N,).
        values: log-likelihood of each track in each repeat, nats of data units, (repeat, N); NaN
            for a track without a scored row.
    """

    name: BoundName
    samples: int
    repeats: int
    of: str
    exact: bool
    rows: Float[np.ndarray, " tracks"]
    values: Float[np.ndarray, "repeat tracks"]

    @property
    def per_row(self) -> float:
        """The estimate over all tracks, nats per scored row, in data units."""
        return float(np.nansum(self.values, 1).mean() / self.rows.sum())

    @property
    def standard_error(self) -> float:
        """Standard error of `per_row` from the noise of sampling; NaN for a single repeat."""
        if self.repeats < 2:
            return math.nan
        totals = np.nansum(self.values, 1) / self.rows.sum()
        return float(totals.std(ddof=1) / math.sqrt(self.repeats))

    def to_dict(self) -> dict[str, Any]:
        """Return what `vrnn likelihood --json` prints."""
        return {
            "bound": self.name,
            "samples": self.samples,
            "repeats": self.repeats,
            "of": self.of,
            "exact": self.exact,
            "tracks": int((self.rows > 0).sum()),
            "rows": int(self.rows.sum()),
            "log_likelihood": self.per_row,
            "standard_error": self.standard_error,
        }

    def to_text(self) -> str:
        """Return the estimate in words, with what it is a bound on."""
        names = {"elbo": "ELBO, mean over", "iwae": "IWAE with"}
        what = names.get(self.name, "FIVO, a particle filter with")
        unit = "particles" if self.name == "fivo" else "samples"
        error = "" if math.isnan(self.standard_error) else f" +- {self.standard_error:.4f}"
        head = (
            f"{self.per_row:.4f}{error} nats per scored row, in data units "
            f"({int((self.rows > 0).sum())} tracks, {int(self.rows.sum())} rows)\n"
        )
        if self.exact:
            return f"{head}{self.of}, exact: the model has no latent and no point is missing"
        runs = f"mean of {self.repeats} runs and its standard error"
        runs = "one run" if self.repeats == 1 else runs
        return f"{head}lower bound of {self.of}: {what} {self.samples} {unit}, {runs}"


@torch.inference_mode()
def likelihood(
    tracks: Tracks | np.ndarray,
    *,
    model: ModelOrFolder | None = None,
    bound: BoundName = "fivo",
    samples: int = 100,
    repeats: int = 3,
    seed: int = 0,
) -> Likelihood:
    """Return a lower bound of the log-likelihood of tracks; more samples tighten it.

    Proposals may look ahead: the posterior of an SRNN, STORN or DMM reads the whole track.

    Args:
        tracks: tracks, or an array (batch, time, dim) or (time, dim).
        model: a trained model, the path of a run folder, or None for the one that needs no training.
        bound: elbo, iwae (importance sampling) or fivo (a particle filter). The last one is the
            tightest on long tracks.
        samples: samples of the bound, or particles.
        repeats: independent estimates. Their spread gives the standard error.
        seed: seed of all noise.

    Raises:
        DataError: tracks that do not fit the model, or without a scored row.
        ConfigError: an unknown bound, or numbers below 1.

    Example:
        >>> import numpy as np, vrnn
        >>> walk = lambda i: np.cumsum(np.random.default_rng(i).normal(size=(12, 2)), 0)
        >>> tracks = vrnn.Tracks([walk(i) for i in range(20)])
        >>> config = vrnn.VRNNConfig(x_dim=2, hidden=8)
        >>> run = vrnn.train(tracks, config=config, training=vrnn.TrainConfig(steps=5), quiet=True)
        >>> elbo = vrnn.likelihood(tracks, model=run.model, bound="elbo", samples=20)
        >>> fivo = vrnn.likelihood(tracks, model=run.model, bound="fivo", samples=20)
        >>> elbo.per_row < fivo.per_row, int(fivo.rows.sum())
        (True, 220)
    """
    check_seed(seed)
    if bound not in BOUNDS:
        raise ConfigError(
            setting="bound", expected=f"one of {', '.join(BOUNDS)}", found=repr(bound)
        )
    check_at_least(1, samples=samples, repeats=repeats)
    model = resolve_model(model, tracks)
    tracks = model.as_tracks(tracks)
    order = tracks.lengths.argsort(kind="stable")  # tracks of like lengths waste little padding
    rows, values = np.zeros(len(tracks)), np.full((repeats, len(tracks)), np.nan)
    exact, first = model.exact, model.first_scored
    at_once = max(1, memory.UNROLLED_ROWS // (samples * int(tracks.lengths.max())))
    for chunk in filter_chunks(model, tracks[order], 1, at_once):
        batch, index = chunk.batch, order[chunk.index]
        if not batch.x.shape[1]:
            continue
        rows[index] = counted = batch.mask[:, first:].sum(-1).cpu().numpy()
        found = _estimates(model, chunk, bound, samples, repeats, seed)
        values[:, index] = np.where(counted > 0, found, np.nan)
        exact = exact and not batch.has_missing
    if not rows.sum():
        raise DataError(
            expected="a track with a scored row", found="none", hint=("see ", Function("describe"))
        )
    return Likelihood(bound, samples, repeats, model.bounds_what, exact, rows, values)


def _estimates(
    model: TrainedModel, chunk: Chunk, bound: BoundName, samples: int, repeats: int, seed: int
) -> Float[np.ndarray, "repeat batch"]:
    """Return independent estimates for the tracks of a chunk, in nats of data units."""
    network, batch, particles = model.network, chunk.batch, bound == "fivo"
    embedded = embed(network, batch, chunk.prefix)
    density = log_jacobian(batch.after(model.first_scored))
    count, time = batch.x.shape[:2]
    found = []
    for repeat in range(repeats):
        noise = draw_noise(
            network,
            samples,
            count,
            time,
            track_numbers(seed, Stream.LIKELIHOOD, chunk.names, repeat),
            observations=batch.has_missing,
            resampling=particles,
        )
        estimate = _by_filter if particles else _by_bound
        found.append(to_numpy(estimate(model, chunk, noise, embedded, bound) + density))
    return np.stack(found)


def _by_bound(
    model: TrainedModel, chunk: Chunk, noise: Noise, embedded: Embedded, bound: BoundName
) -> Float[torch.Tensor, " batch"]:
    """Return the ELBO or the IWAE bound."""
    config = BoundConfig(first_scored=model.first_scored)
    return BOUNDS[bound](model.network, chunk.batch, noise, config, embedded=embedded).bound


def _by_filter(
    model: TrainedModel, chunk: Chunk, noise: Noise, embedded: Embedded, bound: BoundName
) -> Float[torch.Tensor, " batch"]:
    """Return the FIVO bound, without keeping the states of every time step."""
    network, batch = model.network, chunk.batch
    config = FilterConfig(unscored=model.first_scored)
    start, _ = first_belief(network, batch, noise, embedded, config)
    every = filter_steps(network, batch, noise, embedded, start, config)
    return torch.stack([step.log_prob for step in every]).sum(0)
