"""Whole-track filtering: the steps of `observe`, over tracks that are there from end to end."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from vrnn.data.tracks import Tracks
from vrnn.data.transforms import Anchor
from vrnn.errors import DataError, check_at_least, check_seed
from vrnn.inference.embed import embed_online, embed_prefix
from vrnn.inference.noise import Noise, draw_noise
from vrnn.inference.particle_filter import FilterConfig, FilterStep, filter_steps
from vrnn.inference.random_numbers import Stream, track_numbers
from vrnn.inference.step import Belief, TimeStep, draw_global, start_belief, time_steps
from vrnn.models.contract import Model
from vrnn.tasks.belief import TrackBelief
from vrnn.tasks.future_inputs import last_known
from vrnn.tasks.memory import tracks_at_once
from vrnn.trained import Chunk, TrainedModel, to_numpy
from vrnn.training.resolve import ModelOrFolder, resolve_model


@dataclass(frozen=True)
class FilteredTracks:
    """The result of filtering whole tracks.

    Attributes:
        belief: the belief after each track's last row, for `observe` or `forecast`.
        log_prob: log p(x_t | x_{<t}) in nats of data units, one array (T_i,) for each track; NaN
            where nothing is scored.
    """

    belief: TrackBelief
    log_prob: list[Float[np.ndarray, " time"]]


@torch.inference_mode()
def filter_tracks(
    tracks: Tracks | np.ndarray,
    *,
    model: ModelOrFolder | None = None,
    particles: int = 100,
    seed: int = 0,
) -> FilteredTracks:
    """Return the belief after whole tracks, and the log-density of every row.

    A particle filter uses the evidence of each row alone. It takes the steps of `observe`, from
    `initial_belief`, and draws the same noise for tracks of the same ids. It also serves models that
    need a prefix, which `initial_belief` refuses.

    Args:
        tracks: tracks, each with a row to model.
        model: a trained model, the path of a run folder, or None for the one that needs no training.
        particles: states that the belief about a track is made of. One is enough for an RNN.
        seed: seed of all noise.

    Raises:
        DataError: tracks that do not fit the model, or without a row to model.

    Example:
        >>> import numpy as np, vrnn
        >>> walk = lambda i: np.cumsum(np.random.default_rng(i).normal(size=(12, 2)), 0)
        >>> tracks = vrnn.Tracks([walk(i) for i in range(20)])
        >>> config = vrnn.VRNNConfig(x_dim=2, hidden=8)
        >>> run = vrnn.train(tracks, config=config, training=vrnn.TrainConfig(steps=5), quiet=True)
        >>> filtered = vrnn.filter_tracks(tracks[:2], model=run.model, particles=10)
        >>> filtered.log_prob[0].shape, filtered.belief
        ((12,), TrackBelief(10 particles of 2 tracks after 11 steps))
    """
    check_seed(seed)
    check_at_least(1, particles=particles)
    model = resolve_model(model, tracks)
    tracks = model.as_tracks(tracks)
    _check_usable(model, tracks)
    log_prob = [np.full(len(x), np.nan) for x in tracks.x]
    beliefs, anchors, longest = [], [], 0
    for chunk in filter_chunks(model, tracks, particles):
        belief, scored = begin_chunk(model.network, chunk, particles, seed), []
        for t, (step, _) in enumerate(steps(model, chunk, particles, seed)):
            belief = step.belief.where(t < chunk.batch.length, belief)
            scored.append(step.log_prob)
        beliefs.append(belief)
        anchors.append(chunk.anchor)
        longest = max(longest, len(scored))
        if scored:
            write_rows(
                log_prob, model, chunk, torch.stack(scored, -1) + chunk.batch.log_jacobian_per_step
            )
    return FilteredTracks(_joined(model, tracks, beliefs, anchors, longest, seed), log_prob)


def filter_chunks(
    model: TrainedModel, tracks: Tracks, particles: int, at_once: int | None = None
) -> Iterator[Chunk]:
    """Yield tracks in chunks that are filtered together; tracks without a usable row are left out.

    Args:
        at_once: tracks in a chunk, at most.
    """
    size = tracks_at_once(particles, int(tracks.lengths.max(initial=1)))
    size = size if at_once is None else min(size, at_once)
    return model.batches(model.usable(tracks), at_once=size, split_prefix=True)


def begin_chunk(model: Model, chunk: Chunk, particles: int, seed: int) -> Belief:
    """Return the belief before the first row, as `initial_belief` draws it."""
    context = embed_prefix(model, chunk.batch if chunk.prefix is None else chunk.prefix)
    source = track_numbers(seed, Stream.BELIEF, chunk.names)
    noise = draw_noise(model, particles, len(chunk.batch.x), 0, source)
    once = draw_global(model, noise.global_latent, context)
    return start_belief(model, once.z, context, chunk.batch.x.shape[-1])


def steps(
    model: TrainedModel, chunk: Chunk, particles: int, seed: int
) -> Iterator[tuple[FilterStep, TimeStep]]:
    """Yield the steps of the filter, with the evidence of each row alone and `observe`'s noise."""
    network, batch = model.network, chunk.batch
    if not batch.x.shape[1]:
        return iter(())
    noise = step_noise(network, particles, chunk, seed)
    embedded = embed_online(network, batch, chunk.prefix)
    start = begin_chunk(network, chunk, particles, seed)
    config = FilterConfig(unscored=model.first_scored)
    every = filter_steps(network, batch, noise, embedded, start, config)
    return zip(every, time_steps(batch, embedded, start), strict=True)


def step_noise(model: Model, particles: int, chunk: Chunk, seed: int) -> Noise:
    """Return the normals of every step as `observe` draws them, from the seed, the track and the step alone."""
    count, time = chunk.batch.x.shape[:2]
    source = track_numbers(seed, Stream.FILTER, chunk.names)
    return draw_noise(
        model,
        particles,
        count,
        time,
        source,
        observations=chunk.batch.has_missing,
        resampling=True,
    )


def write_rows(
    into: list[np.ndarray],
    model: TrainedModel,
    chunk: Chunk,
    found: Float[torch.Tensor, "batch time"],
) -> None:
    """Write the values of a chunk's scored rows into arrays of the tracks, one array each."""
    batch, values = chunk.batch, to_numpy(found)
    scored = batch.mask.cpu().numpy().copy()
    scored[:, : model.first_scored] = False
    lengths = batch.length.tolist()
    each = zip(chunk.index, values, scored, chunk.offset, lengths, strict=True)
    for i, row, there, offset, length in each:
        into[i][offset : offset + length] = np.where(there, row, np.nan)[:length]


def _check_usable(model: TrainedModel, tracks: Tracks) -> None:
    """Refuse tracks that leave nothing to filter."""
    heading = model.preprocessor.transform.heading
    for name, x in zip(tracks.ids, tracks.x, strict=True):
        if heading is not None and len(x) <= heading.row:
            raise DataError(
                where=f"track {name}",
                expected=f"at least {heading.row + 1} rows, which the heading is read from",
                found=len(x),
            )
    lost = np.setdiff1d(np.arange(len(tracks)), model.usable(tracks).index)
    if len(lost):
        raise DataError(
            where=f"track {tracks.ids[lost[0]]}",
            expected="a row to filter",
            found="none",
            hint="drop tracks without observed points",
        )


def _joined(
    model: TrainedModel,
    tracks: Tracks,
    beliefs: list[Belief],
    anchors: list[Anchor],
    steps: int,
    seed: int,
) -> TrackBelief:
    """Return the beliefs of all chunks as one."""
    first, tracks = beliefs[0], model.preprocessor.trim(tracks, ends=False)
    states = (torch.cat(parts, 1) for parts in zip(*(b.state for b in beliefs), strict=True))
    belief = Belief(
        type(first.state)(*states),
        torch.cat([b.pending for b in beliefs], 1),
        torch.cat([b.log_weight for b in beliefs], 1),
    )
    return TrackBelief(
        belief=belief,
        anchor=Anchor(*(np.concatenate(parts) for parts in zip(*anchors, strict=True))),
        time=np.array([t[-1] for t in tracks.times]),
        u=np.stack([last_known(u) for u in tracks.u]),
        steps=steps,
        seed=seed,
        ids=list(tracks.ids),
        preprocessor=model.preprocessor,
    )
