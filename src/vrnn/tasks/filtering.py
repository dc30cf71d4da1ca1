"""Whole-track filtering: the steps of `observe` over tracks that are there from beginning to end."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from vrnn.data.batch import Batch
from vrnn.data.tracks import Tracks
from vrnn.data.transforms import Anchor
from vrnn.errors import ConfigError, DataError, check_seed
from vrnn.inference.noise import Noise, Stream, draw_noise, seeded
from vrnn.inference.particle_filter import FilterStep, filter_steps
from vrnn.inference.step import Belief, Embedded, Row, embed_prefix, rows, start_belief
from vrnn.kernels import embed, loops_of
from vrnn.models.contract import Model
from vrnn.tasks.futures import PASS_SIZE, ROWS, last_known
from vrnn.tasks.observe import TrackBelief
from vrnn.trained import TrainedModel
from vrnn.training.resolve import ModelOrFolder, resolve_model


@dataclass(frozen=True)
class FilteredTracks:
    """Hold what filtering whole tracks gives.

    Attributes:
        belief: what is known after each track's last row, to go on from with `observe` or `forecast`.
        log_prob: log p(x_t | x_{<t}) in nats of data units, one array (T_i,) a track; NaN where nothing is scored.
    """

    belief: TrackBelief
    log_prob: list[Float[np.ndarray, " time"]]


class Chunk(NamedTuple):
    """Hold tracks that go through a model together.

    Attributes:
        index: which tracks, (batch,).
        batch: what is filtered, in model units.
        prefix: what is given, for a model that conditions on a prefix.
        offset: row of the track that the first row of the batch is, (batch,).
        unscored: rows of the batch that a heading transform was read from.
        anchor: what ties the ends to the data.
        start: number of the first track, which noise is drawn by.
    """

    index: Int[np.ndarray, " batch"]
    batch: Batch
    prefix: Batch | None
    offset: Int[np.ndarray, " batch"]
    unscored: int
    anchor: Anchor
    start: int


@torch.inference_mode()
def filter_tracks(
    tracks: Tracks | np.ndarray, *, model: ModelOrFolder, particles: int = 100, seed: int = 0
) -> FilteredTracks:
    """Filter whole tracks with particles, using the evidence of each row alone.

    Equal to `observe` row by row from `initial_belief`, to rounding, for tracks that go through the model together. Unlike
    `observe` it can begin with a model that reads its prefix at once or turns tracks to their heading: such a belief comes
    from here and goes on with `observe`.

    Args:
        tracks: each with at least one usable row.
        particles: states that each belief is made of; 1 is enough for an RNN.
        seed: of all noise.

    Raises:
        DataError: tracks that do not fit the model, or without a usable row.

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
    if particles < 1:
        raise ConfigError(setting="particles", expected="at least 1", found=particles)
    model = resolve_model(model)
    tracks = model.as_tracks(tracks)
    log_prob = [np.full(len(x), np.nan) for x in tracks.x]
    beliefs, anchors, found, longest = [], [], [], 0
    heading = model.preprocessor.transform.heading
    for name, x in zip(tracks.ids, tracks.x, strict=True):
        if heading is not None and len(x) <= heading.row:
            raise DataError(
                f"track {name}: expected at least {heading.row + 1} rows, which the heading "
                f"is read from, found {len(x)}"
            )
    for chunk in chunks(model, tracks, particles):
        belief, scored = begin_chunk(model.network, chunk, particles, seed), []
        for t, (step, _) in enumerate(steps(model.network, chunk, particles, seed)):
            belief = step.belief.where(t < chunk.batch.length, belief)
            scored.append(step.log_prob)
        beliefs.append(belief)
        anchors.append(chunk.anchor)
        found.extend(chunk.index.tolist())
        longest = max(longest, len(scored))
        if scored:
            write_rows(log_prob, chunk, torch.stack(scored, -1) + chunk.batch.log_jacobian_per_step)
    if len(found) < len(tracks):
        lost = next(i for i in range(len(tracks)) if i not in set(found))
        raise DataError(
            f"track {tracks.ids[lost]}: expected a row to filter, found none; drop tracks "
            "without observed points"
        )
    return FilteredTracks(_joined(model, tracks, beliefs, anchors, longest, seed), log_prob)


def chunks(
    model: TrainedModel, tracks: Tracks, particles: int, at_once: int | None = None
) -> Iterator[Chunk]:
    """Encode tracks in portions of bounded size, `at_once` at most; tracks without a usable row are left out."""
    network, preprocessor = model.network, model.preprocessor
    numbered = preprocessor.trim(
        tracks.rename([str(i) for i in range(len(tracks))]),
        1 + preprocessor.transform.given,
        ends=False,
    )
    rows = particles * int(
        tracks.lengths.max(initial=1)
    )  # of one track; their noise is drawn at once
    size = min(max(1, PASS_SIZE // particles), max(1, ROWS // rows), at_once or len(tracks))
    for start in range(0, len(numbered), size):
        part = numbered[start : start + size]
        index = np.array([int(i) for i in part.ids])
        batch, anchor = preprocessor.batch(part)
        batch = batch.to(next(network.parameters()))
        batch = batch.swap_target() if network.supervised else batch
        offset = (
            np.array([len(tracks.x[i]) for i in index])
            - part.lengths
            + preprocessor.transform.given
        )
        prefix = None
        if network.conditions:
            prefix, batch, cut = batch.split_prefix(
                (model.observe or 1) - preprocessor.transform.given
            )
            offset = offset + cut.cpu().numpy()
        yield Chunk(index, batch, prefix, offset, model.first_scored, anchor, start)


def begin_chunk(model: Model, chunk: Chunk, particles: int, seed: int) -> Belief:
    """Give the belief before the first row, as `initial_belief` draws it."""
    context = embed_prefix(model, chunk.batch if chunk.prefix is None else chunk.prefix, loops_of())
    noise = draw_noise(
        model,
        particles,
        len(chunk.batch.x),
        0,
        seeded(seed, Stream.BELIEF, *(chunk.start,) * bool(chunk.start)),
    )
    return start_belief(
        model, model.code_prior(context).sample(noise.code), context, chunk.batch.x.shape[-1]
    )


def steps(
    model: Model, chunk: Chunk, particles: int, seed: int
) -> Iterator[tuple[FilterStep, Row]]:
    """Go through the steps of the filter, with the evidence of each row alone and the noise of `observe`."""
    batch = chunk.batch
    if not batch.x.shape[1]:
        return iter(())
    noise = step_noise(model, particles, batch, seed, chunk.start)
    embedded = embed_rows(model, batch, chunk.prefix)
    start = begin_chunk(model, chunk, particles, seed)
    every = filter_steps(model, batch, noise, embedded, start, unscored=chunk.unscored)
    return zip(every, rows(batch, embedded, start), strict=True)


def step_noise(model: Model, particles: int, batch: Batch, seed: int, start: int) -> Noise:
    """Draw the normals of every step as `observe` does, each a function of (seed, step)."""
    draws = batch.has_missing
    each = [
        draw_noise(
            model, particles, len(batch.x), 1, seeded(seed, Stream.FILTER, t, *(start,) * bool(start)), observations=draws,
            resampling=True,
        )
        for t in range(batch.x.shape[1])
    ]  # fmt: skip
    return each[0]._replace(
        latent=torch.cat([n.latent for n in each], 2),
        observation=torch.cat([n.observation for n in each], 2),
        resampling=torch.cat([n.resampling for n in each], 2),
    )


def embed_rows(model: Model, batch: Batch, prefix: Batch | None) -> Embedded:
    """Embed a batch with the evidence of each row alone, whatever the model's posterior could look ahead to."""
    if not model.looks_ahead:
        return embed(model, batch, prefix, row_by_row=True)
    known = model.embed_inputs(batch.u)
    seen = model.embed_observations(batch.x, known)
    count, time = batch.x.shape[:2]
    single = lambda part: part.reshape(count * time, 1, -1)  # noqa: E731
    rows = batch._replace(
        **{name: single(getattr(batch, name)) for name in ("x", "present", "u", "y", "y_present")},
        length=torch.ones(count * time, dtype=batch.length.dtype, device=batch.length.device),
        log_jacobian=batch.log_jacobian.repeat_interleave(time, 0),
    )
    evidence = model.embed_evidence(rows.x, single(known), single(seen), rows)
    return Embedded(known, seen, evidence.reshape(count, time, -1), embed_prefix(model, batch))


def write_rows(
    into: list[np.ndarray], chunk: Chunk, found: Float[torch.Tensor, "batch time"]
) -> None:
    """Put the values of a chunk's scored rows where they belong in the tracks."""
    batch, values = chunk.batch, found.cpu().double().numpy()
    scored = batch.mask.cpu().numpy().copy()
    scored[:, : chunk.unscored] = False
    for i, row, there, offset, length in zip(
        chunk.index, values, scored, chunk.offset, batch.length.tolist(), strict=True
    ):
        into[i][offset : offset + length] = np.where(there, row, np.nan)[:length]


def _joined(
    model: TrainedModel,
    tracks: Tracks,
    beliefs: list[Belief],
    anchors: list[Anchor],
    steps: int,
    seed: int,
) -> TrackBelief:
    """Put the beliefs of all chunks side by side."""
    first, tracks = beliefs[0], model.preprocessor.trim(tracks, ends=False)
    states = (torch.cat(parts, 1) for parts in zip(*(b.state for b in beliefs), strict=True))
    belief = Belief(
        type(first.state)(*states),
        torch.cat([b.gap for b in beliefs], 1),
        torch.cat([b.log_weight for b in beliefs], 1),
    )
    anchor = Anchor(*(np.concatenate(parts) for parts in zip(*anchors, strict=True)))
    return TrackBelief(
        belief=belief,
        anchor=anchor,
        time=np.array([t[-1] for t in tracks.times]),
        u=np.stack([last_known(u) for u in tracks.u]),
        steps=steps,
        seed=seed,
    )
