"""Likelihoods of tracks: bounds by any number of samples, with their standard error and the rule of each."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from vrnn.data.batch import Batch
from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, DataError, Function, Setting, check_seed
from vrnn.inference.noise import Noise, Stream, draw_noise, seeded
from vrnn.inference.particle_filter import filter_steps, first_belief
from vrnn.inference.step import Embedded
from vrnn.kernels import embed
from vrnn.models.contract import Model
from vrnn.objectives.bounds import BOUNDS, BoundName
from vrnn.objectives.bounds import bound as bounded
from vrnn.objectives.elbo import log_jacobian
from vrnn.tasks.filtering import chunks
from vrnn.training.resolve import ModelOrFolder, resolve_model

ROWS = 1 << 19  # rows, samples and padding included, that go through a model at once


@dataclass(frozen=True, repr=False)
class Likelihood:
    """Hold an estimate of the log-likelihood of tracks.

    Attributes:
        name: the bound.
        samples: its K or N.
        repeats: independent estimates that were averaged.
        of: what it bounds, such as log p(track).
        exact: there is no latent and nothing missing, so that it is no bound but the value.
        rows: scored rows of each track, (N,).
        values: log-likelihood of each track in each repeat, nats of data units, (repeat, N); NaN for a track without a
            scored row.
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
        """The estimate over all tracks, nats per scored row of data units."""
        return float(np.nansum(self.values, 1).mean() / self.rows.sum())

    @property
    def standard_error(self) -> float:
        """Standard error of `per_row` by the noise of sampling; NaN for a single repeat."""
        if self.repeats < 2:
            return math.nan
        totals = np.nansum(self.values, 1) / self.rows.sum()
        return float(totals.std(ddof=1) / math.sqrt(self.repeats))

    def to_dict(self) -> dict[str, Any]:
        """Give what `vrnn likelihood --json` prints."""
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
        """Give the estimate with its rule."""
        what = {
            "elbo": "ELBO, mean over",
            "iwae": "IWAE with",
            "fivo": "FIVO, a particle filter with",
        }[self.name]
        unit = {"fivo": "particles"}.get(self.name, "samples")
        error = "" if math.isnan(self.standard_error) else f" +- {self.standard_error:.4f}"
        head = (
            f"{self.per_row:.4f}{error} nats per scored row, in data units "
            f"({int((self.rows > 0).sum())} tracks, "
            f"{int(self.rows.sum())} rows)\n"
        )
        if self.exact:
            return f"{head}{self.of}, exact: the model has no latent and no point is missing"
        return f"{head}lower bound of {self.of}: {what} {self.samples} {unit}, " + (
            "one run"
            if self.repeats == 1
            else f"mean of {self.repeats} runs and its standard error"
        )


@torch.inference_mode()
def likelihood(
    tracks: Tracks | np.ndarray,
    *,
    model: ModelOrFolder,
    bound: BoundName = "fivo",
    samples: int = 100,
    repeats: int = 3,
    seed: int = 0,
) -> Likelihood:
    """Estimate the log-likelihood of tracks by a bound that tightens with the number of samples.

    Proposals may look ahead: the posterior of an SRNN, STORN or DMM reads the whole track.

    Args:
        bound: elbo, iwae (importance sampling) or fivo (particle filter); the last is the tightest on long tracks.
        samples: K or N.
        repeats: independent runs; their spread is the standard error.
        seed: of all noise.

    Raises:
        DataError: tracks that do not fit the model, or without a scored row.
        ConfigError: settings that make no sense.

    Example:
        >>> import numpy as np, vrnn
        >>> walk = lambda i: np.cumsum(np.random.default_rng(i).normal(size=(12, 2)), 0)
        >>> tracks = vrnn.Tracks([walk(i) for i in range(20)])
        >>> config = vrnn.VRNNConfig(x_dim=2, hidden=8)
        >>> run = vrnn.train(tracks, config=config, training=vrnn.TrainConfig(steps=5), quiet=True)
        >>> estimate = lambda bound: vrnn.likelihood(tracks, model=run.model, bound=bound, samples=20)
        >>> elbo, fivo = estimate("elbo"), estimate("fivo")
        >>> elbo.per_row < fivo.per_row, int(fivo.rows.sum())
        (True, 220)
    """
    check_seed(seed)
    if bound not in BOUNDS:
        raise ConfigError(
            setting="bound", expected=f"one of {', '.join(BOUNDS)}", found=repr(bound)
        )
    if samples < 1 or repeats < 1:
        raise ConfigError(
            expected=(Setting("samples"), " and ", Setting("repeats"), " of at least 1"),
            found=f"{samples} and {repeats}",
        )
    model = resolve_model(model)
    network, tracks = model.network, model.as_tracks(tracks)
    order = tracks.lengths.argsort(kind="stable")
    rows, values = np.zeros(len(tracks)), np.full((repeats, len(tracks)), np.nan)
    exact = model.exact
    at_once = max(1, ROWS // (samples * int(tracks.lengths.max())))
    for chunk in chunks(model, tracks[order], 1, at_once):
        batch, index = chunk.batch, order[chunk.index]
        if not batch.x.shape[1]:
            continue
        counted = batch.mask[:, chunk.unscored :].sum(-1).cpu().numpy()
        density = log_jacobian(batch.after(chunk.unscored))
        embedded = embed(network, batch, chunk.prefix, row_by_row=bound == "fivo")
        exact = exact and not batch.has_missing
        for repeat in range(repeats):
            noise = draw_noise(
                network, samples, len(batch.x), batch.x.shape[1], seeded(seed, Stream.LIKELIHOOD, chunk.start, repeat),
                observations=batch.has_missing, resampling=bound == "fivo",
            )  # fmt: skip
            if bound == "fivo":
                found = _by_filter(network, batch, noise, embedded, chunk.unscored)
            else:
                found = bounded(
                    network, batch, noise, bound, embedded=embedded, start=chunk.unscored
                ).bound
            values[repeat, index] = np.where(
                counted > 0, (found + density).cpu().double().numpy(), np.nan
            )
        rows[index] = counted
    if not rows.sum():
        raise DataError(
            expected="a track with a scored row", found="none", hint=("see ", Function("describe"))
        )
    return Likelihood(bound, samples, repeats, model.bounds_what, exact, rows, values)


def _by_filter(
    model: Model, batch: Batch, noise: Noise, embedded: Embedded, unscored: int
) -> Float[torch.Tensor, " batch"]:
    """Compute FIVO as `bounds.bound` does, without keeping the states of every step."""
    start = first_belief(model, batch, noise, embedded)[0]
    every = filter_steps(model, batch, noise, embedded, start, unscored=unscored)
    return torch.stack([step.log_prob for step in every]).sum(0)
