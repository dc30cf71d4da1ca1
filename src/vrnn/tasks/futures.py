"""Futures in model units, chunk by chunk: of tracks, whose rows are filtered first, or of a belief that has come from them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from vrnn.data.tracks import Tracks
from vrnn.data.transforms import Anchor
from vrnn.distributions.base import Distribution
from vrnn.errors import ConfigError, DataError, Setting, UnsupportedError
from vrnn.inference.begin import begin, fan_out
from vrnn.inference.noise import Stream, draw_noise, seeded
from vrnn.inference.resampling import draw_ancestors, take
from vrnn.inference.step import Belief
from vrnn.kernels import imagine
from vrnn.tasks.observe import TrackBelief, check_begun
from vrnn.trained import TrainedModel

PASS_SIZE = 16384  # sample paths that go through a model at once
ROWS = 1 << 23  # rows of sample paths, padding included, whose noise is held at once


@dataclass(frozen=True)
class Futures:
    """Hold the futures of one chunk of tracks with what they were drawn from; the inner form of a forecast.

    Attributes:
        rows: which tracks.
        belief: states after the prefix, a sample each.
        u: encoded inputs of the horizon.
        drawn: paths in model units, (sample, batch, horizon, dim).
        emissions: what each of their rows was drawn from, where they were to be kept.
    """

    model: TrainedModel
    rows: slice
    belief: Belief
    u: torch.Tensor
    drawn: torch.Tensor
    anchor: Anchor
    emissions: list[Distribution] | None = None

    def decode(self) -> Float[np.ndarray, "sample batch horizon dim"]:
        """Give the paths in data units."""
        gap = self.belief.gap.cpu().double().numpy()
        return self.model.preprocessor.transform.decode(
            self.drawn.cpu().double().numpy(), self.anchor, gap
        )


@torch.no_grad()
def futures(
    model: TrainedModel,
    tracks: Tracks,
    horizon: int,
    samples: int,
    seed: int,
    inputs: np.ndarray | Literal["hold"] | None = None,
    keep: bool = False,
    qmc: bool = False,
    prefix_samples: int | None = None,
    temperature: float = 1.0,
) -> Iterator[Futures]:
    """Draw futures chunk by chunk, so that memory does not grow with the number of tracks.

    Args:
        keep: hand on their emissions too.
        qmc, prefix_samples, temperature: see `forecast`.
    """
    network, preprocessor = model.network, model.preprocessor
    tracks = readable(model, tracks)
    u = future_inputs(model, tracks, horizon, inputs, np.stack([x[0] for x in tracks.x]))
    size = max(1, PASS_SIZE // samples)
    for start in range(0, len(tracks), size):
        rows = slice(start, min(start + size, len(tracks)))
        prefix, anchor = preprocessor.batch(tracks[rows])
        prefix = prefix.to(next(network.parameters()))
        u_rows = u[rows].to(prefix.x)
        count, time = prefix.x.shape[:2]
        filtered = samples if prefix_samples is None else min(prefix_samples, samples)
        past = draw_noise(
            network,
            filtered,
            count,
            time,
            seeded(seed, Stream.PREFIX, start),
            observations=prefix.has_missing,
            qmc=qmc,
        )
        ahead = draw_noise(
            network, samples, count, horizon, seeded(seed, Stream.FUTURE, start), qmc=qmc
        )
        belief = fan_out(begin(network, prefix, past), samples)
        found = imagine(network, belief, u_rows, ahead, keep=keep, temperature=temperature)
        yield Futures(model, rows, belief, u_rows, found.x, anchor, found.emissions)


@torch.no_grad()
def futures_after(
    model: TrainedModel,
    belief: TrackBelief,
    horizon: int,
    samples: int,
    seed: int,
    inputs: np.ndarray | Literal["hold"] | None = None,
    qmc: bool = False,
    temperature: float = 1.0,
) -> Iterator[Futures]:
    """Draw futures of particles chosen by weight, chunk by chunk."""
    network, anchor = model.network, belief.anchor
    u = future_inputs(model, last_rows(model, belief), horizon, inputs, anchor.first)
    u = u.to(next(network.parameters()))
    size = max(1, PASS_SIZE // samples)
    for start in range(0, len(u), size):
        rows = slice(start, min(start + size, len(u)))
        weights, chance = belief.belief.log_weight[:, rows], seeded(seed, Stream.PARTICLES, start)
        chosen = draw_ancestors(
            weights,
            torch.randn(1, weights.shape[1], generator=chance).to(weights),
            "systematic",
            samples,
        )
        # systematic draws come in the order of the particles, and a part of the paths is to be as good as any
        chosen = chosen[torch.randperm(samples, generator=chance).to(chosen.device)]
        state, gap = belief.belief.state, belief.belief.gap
        part = Belief(
            type(state)(*(take(s[:, rows], chosen) for s in state)),
            take(gap[:, rows], chosen),
            weights.new_full(chosen.shape, -math.log(samples)),
        )
        ahead = draw_noise(
            network, samples, weights.shape[1], horizon, seeded(seed, Stream.FUTURE, start), qmc=qmc
        )
        drawn = imagine(network, part, u[rows], ahead, temperature=temperature).x
        yield Futures(model, rows, part, u[rows], drawn, Anchor(*(a[rows] for a in anchor)))


def last_rows(model: TrainedModel, belief: TrackBelief) -> Tracks:
    """Give the last observed position of each track as a track of one row, at the time that the belief has come to.

    Raises:
        UnsupportedError: a supervised model.
        DataError: no such position where displacements start from one.
    """
    transform, anchor = model.preprocessor.transform, belief.anchor
    if model.network.supervised:
        raise UnsupportedError(
            "a supervised model draws y given x of the horizon, which a belief does not "
            "hold: give vrnn.forecast the tracks, or "
            "ask vrnn.predictive(belief, model=model, x=...) for the next row"
        )
    check_begun(model, belief)
    x = transform.position(anchor)[:, None]
    before = -model.preprocessor.step  # so that the first row comes at 0, as `observe` has it
    return Tracks(
        list(x),
        times=list(np.where(np.isnan(belief.time), before, belief.time)[:, None]),
        u=list(belief.u[:, None]),
        x_names=model.preprocessor.x_names,
        u_names=model.preprocessor.u_names,
    )


def readable(model: TrainedModel, tracks: Tracks) -> Tracks:
    """Cut prefixes to what the model reads and refuse those it cannot go on from."""
    heading, transform = model.preprocessor.transform.heading, model.preprocessor.transform
    conditions = model.network.conditions
    least = transform.given + 1 if heading is None else heading.row + 1
    tracks = tracks if heading is None else tracks.cut(start=-least)
    for name, x in zip(tracks.ids, tracks.x, strict=True):
        if heading is not None and len(x) < least:
            raise DataError(
                f"track {name}: expected a prefix of at least {least} rows to forecast from, "
                f"found {len(x)}"
            )
        if conditions and np.isnan(x[-1:]).any():
            raise DataError(
                f"track {name}: its last row has a missing value, and this model goes on from "
                "the last observed point; drop "
                f"the trailing rows and forecast that much further"
            )
    trimmed = model.preprocessor.trim(tracks, ends=False)
    rows = (
        dict(zip(trimmed.ids, trimmed.lengths.tolist(), strict=True))
        if len(trimmed) < len(tracks)
        else None
    )
    for i, name in enumerate(tracks.ids):
        found = int(trimmed.lengths[i]) if rows is None else rows.get(name, 0)
        if found < least:
            raise DataError(
                f"track {name}: expected at least {least} rows from its first observed point "
                f"on to forecast from, found {found}"
            )
    return trimmed


def future_times(tracks: Tracks, step: float, horizon: int) -> np.ndarray:
    """Times of the rows after each track, a usual step apart, (batch, horizon)."""
    last = np.array([t[-1] for t in tracks.times])
    return last[:, None] + step * np.arange(1, horizon + 1)


def future_inputs(
    model: TrainedModel,
    tracks: Tracks,
    horizon: int,
    inputs: np.ndarray | Literal["hold"] | None,
    first: Float[np.ndarray, "batch dim"],
) -> torch.Tensor:
    """Encode the inputs of a horizon; `first` is the first row of each track."""
    preprocessor = model.preprocessor
    width, count = len(preprocessor.u_names), len(tracks)
    if width and inputs is None:
        raise ConfigError(
            f"the model has known inputs ({', '.join(preprocessor.u_names)})",
            hint=(
                f"give their values over the horizon as inputs (batch, horizon, {width}), or ",
                Setting("inputs", "hold"),
                " to carry the last values on",
            ),
        )
    if isinstance(inputs, str) and inputs != "hold":
        raise ConfigError(f"expected inputs as an array or 'hold', found {inputs!r}")
    last = np.stack([last_known(u) for u in tracks.u])[:, None]
    if inputs is None or isinstance(inputs, str):
        values = np.repeat(last, horizon, axis=1)
    else:
        values = np.asarray(inputs, dtype=np.float64)
        if values.shape != (count, horizon, width):
            raise ConfigError(
                f"expected inputs of shape {(count, horizon, width)}, found {values.shape}"
            )
    times = future_times(tracks, preprocessor.step, horizon)[..., None]
    now = np.array([t[-1:] for t in tracks.times])[:, None]
    u = preprocessor.inputs(
        np.concatenate([last, values], 1), np.concatenate([now, times], 1), first
    )
    return u[:, 1:]


def last_known(u: np.ndarray) -> np.ndarray:
    """Last finite value of every column (T, inputs), NaN where there is none."""
    known = np.isfinite(u)
    index = np.where(known, np.arange(len(u))[:, None], 0).max(0)
    return u[index, np.arange(u.shape[1])]
