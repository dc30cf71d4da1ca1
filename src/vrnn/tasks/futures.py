"""Sampled futures in model units, chunk by chunk: of tracks or of a belief about tracks."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from vrnn.data.batch import Batch
from vrnn.data.tracks import Tracks
from vrnn.data.transforms import Anchor
from vrnn.data.wording import plural
from vrnn.distributions.base import Distribution
from vrnn.errors import DataError, Function, Setting, UnsupportedError, warn
from vrnn.inference.noise import Noise, draw_noise
from vrnn.inference.random_numbers import Stream, seeded, track_numbers
from vrnn.inference.resampling import draw_ancestors, take
from vrnn.inference.rollout import condition, fan_out, rollout
from vrnn.inference.step import Belief
from vrnn.inference.traits import reads_prefix
from vrnn.tasks.belief import TrackBelief, check_begun
from vrnn.tasks.future_inputs import Inputs, future_inputs
from vrnn.tasks.memory import tracks_at_once
from vrnn.tasks.sampling import SamplingConfig
from vrnn.trained import TrainedModel

NAMED = 5  # tracks that a warning names


@dataclass(frozen=True)
class Futures:
    """The futures of one chunk of tracks, and what they were drawn from.

    Attributes:
        model: the model that drew them.
        rows: places of the tracks among all tracks.
        names: ids of the tracks.
        belief: the states after the prefix, one for each sample.
        u: inputs of the horizon in model units.
        drawn: sample paths in model units, (sample, batch, horizon, dim).
        anchor: where the prefixes end.
        emissions: the distribution that each row was drawn from, where it was kept.
    """

    model: TrainedModel
    rows: slice
    names: list[str]
    belief: Belief
    u: torch.Tensor
    drawn: torch.Tensor
    anchor: Anchor
    emissions: list[Distribution] | None = None

    def decode(self) -> Float[np.ndarray, "sample batch horizon dim"]:
        """Return the sample paths in data units."""
        return self.model.decode(self.drawn, self.anchor, self.belief.pending)

    def windows(self, windows: Tracks, observe: int) -> tuple[Batch, int]:
        """Return whole windows, prefix and future, in the coordinates of these futures.

        Args:
            windows: the windows whose first `observe` rows are the prefixes.

        Returns:
            the windows as a batch, and the rows of the batch that belong to the prefix.
        """
        transform = self.model.preprocessor.transform
        if transform.heading is not None:
            read = transform.heading.row + 1
            windows, observe = windows.cut(start=observe - read), read
        return self.model.batch(windows)[0], observe - transform.given


@torch.no_grad()
def futures(
    model: TrainedModel,
    tracks: Tracks,
    horizon: int,
    sampling: SamplingConfig,
    *,
    inputs: Inputs = None,
    keep_emissions: bool = False,
) -> Iterator[Futures]:
    """Yield the sampled futures of tracks, chunk by chunk.

    Args:
        tracks: prefixes. For a supervised model they hold x to the end of the horizon.
        horizon: rows of a future.
        sampling: number and kind of the samples.
        inputs: inputs of the horizon, for a model of x that has any.
        keep_emissions: keep the distribution that each row is drawn from.
    """
    supervised = model.network.supervised
    if supervised:
        u = None
        _check_horizon(model, tracks, horizon)
    else:
        tracks = readable(model, tracks)
        u = future_inputs(model, tracks, horizon, inputs, np.stack([x[0] for x in tracks.x]))
    for chunk in model.batches(tracks, at_once=tracks_at_once(sampling.samples)):
        prefix = chunk.batch
        if u is None:
            prefix, rest = prefix.split_at(prefix.length - horizon)
            ahead = rest.u
        else:
            ahead = u[chunk.rows].to(prefix.x)
        belief = _after_prefix(model, prefix, chunk.names, sampling)
        noise = _future_noise(model, horizon, chunk.names, sampling)
        found = rollout(
            model.network,
            belief,
            ahead,
            noise,
            keep=keep_emissions,
            temperature=sampling.temperature,
        )
        yield Futures(
            model, chunk.rows, chunk.names, belief, ahead, found.x, chunk.anchor, found.emissions
        )


@torch.no_grad()
def futures_after(
    model: TrainedModel,
    belief: TrackBelief,
    horizon: int,
    sampling: SamplingConfig,
    *,
    inputs: Inputs = None,
) -> Iterator[Futures]:
    """Yield the sampled futures of a belief, chunk by chunk; particles are chosen by weight."""
    anchor, weight = belief.anchor, model.weight
    u = future_inputs(model, last_rows(model, belief), horizon, inputs, anchor.first).to(weight)
    at_once = tracks_at_once(sampling.samples)
    for start in range(0, len(u), at_once):
        rows = slice(start, start + at_once)
        names = belief.ids[rows]
        part = _chosen(belief.belief, rows, names, sampling)
        noise = _future_noise(model, horizon, names, sampling)
        found = rollout(model.network, part, u[rows], noise, temperature=sampling.temperature)
        yield Futures(
            model, rows, names, part, u[rows], found.x, Anchor(*(a[rows] for a in anchor))
        )


def _after_prefix(
    model: TrainedModel, prefix: Batch, names: list[str], sampling: SamplingConfig
) -> Belief:
    """Return the states after a prefix, one for each sample."""
    samples = sampling.samples
    filtered = min(sampling.prefix_samples or samples, samples)
    count, time = prefix.x.shape[:2]
    noise = draw_noise(
        model.network,
        filtered,
        count,
        time,
        track_numbers(sampling.seed, Stream.PREFIX, names),
        observations=prefix.has_missing,
        qmc=sampling.qmc,
    )
    return fan_out(condition(model.network, prefix, noise), samples)


def _future_noise(
    model: TrainedModel, horizon: int, names: list[str], sampling: SamplingConfig
) -> Noise:
    """Return the noise of the futures of a chunk of tracks."""
    source, samples = track_numbers(sampling.seed, Stream.FUTURE, names), sampling.samples
    return draw_noise(model.network, samples, len(names), horizon, source, qmc=sampling.qmc)


def _chosen(belief: Belief, rows: slice, names: list[str], sampling: SamplingConfig) -> Belief:
    """Return particles of some tracks, chosen by weight, one for each sample."""
    samples, generator = sampling.samples, seeded(sampling.seed, Stream.PARTICLES)
    weights = belief.log_weight[:, rows]
    source = track_numbers(sampling.seed, Stream.PARTICLES, names)
    normals = source.normals(1, len(names)).to(weights)
    chosen = draw_ancestors(weights, normals, "systematic", samples)
    # Systematic draws come in the order of the particles. Shuffled, any part of them is as good.
    chosen = chosen[torch.randperm(samples, generator=generator).to(chosen.device)]
    state = type(belief.state)(*(take(s[:, rows], chosen) for s in belief.state))
    log_weight = weights.new_full(chosen.shape, -math.log(samples))
    return Belief(state, take(belief.pending[:, rows], chosen), log_weight)


def last_rows(model: TrainedModel, belief: TrackBelief) -> Tracks:
    """Return the last observed position of each track, as a track of one row.

    Raises:
        UnsupportedError: a supervised model.
        DataError: a track without an observed point, where displacements start from one.
    """
    preprocessor = model.preprocessor
    if model.network.supervised:
        raise UnsupportedError(
            "a supervised model draws y given x of the horizon, which a belief does not hold",
            hint=(
                "give the tracks to ",
                Function("forecast"),
                ", or ask ",
                Function("predictive"),
                " for the next row, with its x",
            ),
        )
    check_begun(model, belief)
    x = preprocessor.transform.position(belief.anchor)[:, None]
    # The first row after an empty belief comes at time 0, as `observe` has it.
    time = np.where(np.isnan(belief.time), -preprocessor.step, belief.time)
    return Tracks(
        list(x),
        times=list(time[:, None]),
        u=list(belief.u[:, None]),
        x_names=preprocessor.x_names,
        u_names=preprocessor.u_names,
    )


def long_enough(model: TrainedModel, tracks: Tracks, inputs: Inputs) -> tuple[Tracks, Inputs]:
    """Return the prefixes that a model can continue, with their inputs, and warn of the others.

    Where none can be continued all are returned; they are refused with the reason when they are
    read.

    Args:
        model: the model.
        tracks: prefixes.
        inputs: inputs of the horizon of each.
    """
    heading = model.preprocessor.transform.heading
    least = model.preprocessor.transform.given + 1 if heading is None else heading.row + 1
    usable = model.usable(tracks if heading is None else tracks.cut(start=-least), least=1)
    found = np.zeros(len(tracks), np.int64)
    found[usable.index] = usable.tracks.lengths
    short = found < least
    if short.all() or not short.any():
        return tracks, inputs
    named = [tracks.ids[i] for i in np.flatnonzero(short)]
    more = ", ..." if len(named) > NAMED else ""
    warn(
        f"{plural(len(named), 'track')} with fewer than {least} rows to forecast from left out: "
        f"{', '.join(named[:NAMED])}{more}"
    )
    each = isinstance(inputs, np.ndarray) and len(inputs) == len(tracks)
    return tracks[~short], inputs[~short] if each else inputs


def readable(model: TrainedModel, tracks: Tracks) -> Tracks:
    """Return prefixes cut to the rows that the model reads.

    Raises:
        DataError: a prefix that is too short, or that the model cannot continue.
    """
    heading = model.preprocessor.transform.heading
    least = model.preprocessor.transform.given + 1 if heading is None else heading.row + 1
    tracks = tracks if heading is None else tracks.cut(start=-least)
    for name, x in zip(tracks.ids, tracks.x, strict=True):
        if heading is not None and len(x) < least:
            raise DataError(
                where=f"track {name}",
                expected=f"a prefix of at least {least} rows to forecast from",
                found=len(x),
            )
        if reads_prefix(model.network) and np.isnan(x[-1:]).any():
            raise DataError(
                "its last row has a missing value",
                where=f"track {name}",
                cause="this model continues from the last observed point",
                hint=("drop the trailing rows, and raise ", Setting("horizon"), " by as many"),
            )
    usable = model.usable(tracks, least=1)
    found = np.zeros(len(tracks), np.int64)
    found[usable.index] = usable.tracks.lengths
    if (short := found < least).any():
        i = int(short.argmax())
        raise DataError(
            where=f"track {tracks.ids[i]}",
            expected=f"at least {least} rows from its first observed point on to forecast from",
            found=found[i],
        )
    return usable.tracks.rename(tracks.ids)


def _check_horizon(model: TrainedModel, tracks: Tracks, horizon: int) -> None:
    """Refuse tracks of a supervised model that do not hold x to the end of the horizon."""
    least = horizon + model.preprocessor.transform.given
    for name, x in zip(tracks.ids, tracks.x, strict=True):
        if len(x) < least:
            raise DataError(
                "a supervised model needs x to the end of the horizon",
                where=f"track {name}",
                expected=f"at least {least} rows",
                found=len(x),
                hint=("give more rows of x, or lower ", Setting("horizon")),
            )
