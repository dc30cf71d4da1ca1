"""Anomaly detection: how likely a model finds each row of a track, given the rows before it."""

from collections.abc import Iterator
from typing import get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.tracks import Tracks
from vrnn.distributions.tree import tree_map
from vrnn.errors import ConfigError, check_at_least, check_seed
from vrnn.inference.flat import flatten, unflatten
from vrnn.inference.particle_filter import FilterStep
from vrnn.inference.random_numbers import (
    Source,
    Stream,
    normals,
    part,
    seeded,
    track_numbers,
    uniforms,
)
from vrnn.inference.ranking import rank_draws
from vrnn.inference.resampling import draw_ancestors, take
from vrnn.inference.step import TimeStep
from vrnn.models.contract import Model
from vrnn.tasks import memory
from vrnn.tasks.filtering import filter_chunks, steps, write_rows
from vrnn.tasks.scores import ScoreName, Scores
from vrnn.trained import Chunk, TrainedModel
from vrnn.training.resolve import ModelOrFolder, resolve_model

DRAWS = 100
"""Draws of the model that a row is ranked among."""
COMPARED = 16
"""Particles under whose mixture draws and rows are compared."""


@torch.inference_mode()
def score(
    tracks: Tracks | np.ndarray,
    *,
    model: ModelOrFolder | None = None,
    calibration: Tracks | np.ndarray | None = None,
    particles: int = 100,
    seed: int = 0,
    by: ScoreName = "density",
    ranks: bool = False,
) -> Scores:
    """Return scores of rows and tracks: how unusual they are under the one-step-ahead density.

    score = -1/T sum_t log p(x_t | x_{<t})
    log p(x_t | x_{<t}) = log sum_i w_i p(x_t, z_t^i | s^i) / q(z_t^i)

    A particle filter estimates the density from the evidence of each row alone. The estimate of a
    row is a little low on average, less so with more particles. It is exact for an RNN where no
    point is missing.

    Args:
        tracks: tracks, or an array (batch, time, dim) or (time, dim).
        model: a trained model, the path of a run folder, or None for the one that needs no training.
        calibration: normal tracks that the model was not trained on. P-values and thresholds are
            counted among them.
        particles: particles of the filter. An RNN takes one for tracks without missing points.
        seed: seed of all noise.
        by: density, as above, or excess: the mean of E[log p(X_t | x_{<t})] - log p(x_t | x_{<t}),
            with X_t drawn from the model. A smooth track of an unknown kind can be likelier than
            every training track. The excess compares a row with what the model expects there.
        ranks: rank each row among the model's own draws too, see `Scores.pit` and `Scores.excess`.
            A score by excess needs that anyway.

    Raises:
        DataError: tracks that do not fit the model, or a calibration set without a scored row.

    Example:
        >>> import numpy as np, vrnn
        >>> walk = lambda i: np.cumsum(np.random.default_rng(i).normal(size=(12, 2)), 0)
        >>> tracks = vrnn.Tracks([walk(i) for i in range(30)])
        >>> config, training = vrnn.VRNNConfig(x_dim=2, hidden=8), vrnn.TrainConfig(steps=5)
        >>> run = vrnn.train(tracks[:20], config=config, training=training, quiet=True)
        >>> scores = vrnn.score(
        ...     tracks[20:22], model=run.model, calibration=tracks[22:], particles=10
        ... )
        >>> scores.score.shape, scores.p_value.shape, scores.log_prob[0].shape
        ((2,), (2,), (12,))
    """
    check_seed(seed)
    check_at_least(1, particles=particles)
    if by not in get_args(ScoreName):
        raise ConfigError(setting="by", expected="density or excess", found=repr(by))
    model, ranks = resolve_model(model, tracks), ranks or by == "excess"
    found = _score(model, model.as_tracks(tracks), particles, seed, by, ranks)
    if calibration is None:
        return found
    # Without a seed of their own, tracks of equal ids would share their noise.
    other = int(seeded(seed, Stream.CALIBRATION).initial_seed() % 2**31)
    ranks = by == "excess"
    return found.against(_score(model, model.as_tracks(calibration), particles, other, by, ranks))


def _score(
    model: TrainedModel, tracks: Tracks, particles: int, seed: int, by: ScoreName, ranks: bool
) -> Scores:
    """Return the scores of tracks, without a calibration set."""
    log_prob, pit, excess = (
        [np.full(len(x), np.nan) for x in tracks.x] if wanted else []
        for wanted in (True, ranks, ranks)
    )
    densities = DRAWS * COMPARED * model.network.observation.dim
    at_once = max(1, memory.RANKED_DENSITIES // densities) if ranks else None
    for chunk, count in _chunks(model, tracks, particles, at_once):
        batch, source = chunk.batch, track_numbers(seed, Stream.RANK, chunk.names)
        scored, placed = [], []
        for t, (step, row) in enumerate(steps(model, chunk, count, seed)):
            scored.append(step.log_prob)
            if not ranks:
                continue
            observed = bool(batch.mask[:, t].any())
            nothing = (step.log_prob, step.log_prob)  # of no use where nothing is observed
            placed.append(rank(model.network, step, row, source.part(t)) if observed else nothing)
        if scored:
            density = torch.stack(scored, -1) + batch.log_jacobian_per_step
            write_rows(log_prob, model, chunk, density)
        if placed:
            for into, values in zip((pit, excess), zip(*placed, strict=True), strict=True):
                write_rows(into, model, chunk, torch.stack(values, -1))
    return Scores(
        list(tracks.ids),
        list(tracks.times),
        log_prob,
        pit,
        excess,
        np.zeros(0),
        by,
        tracks.origin,
        tracks.rows,
    )


def _chunks(
    model: TrainedModel, tracks: Tracks, particles: int, at_once: int | None
) -> Iterator[tuple[Chunk, int]]:
    """Yield tracks in chunks with the number of their particles.

    It is one where all particles would be alike: without latents and without a missing point.
    """
    both = zip(tracks.x, tracks.y, strict=True)
    complete = np.array([not np.isnan(x).any() and not np.isnan(y).any() for x, y in both], bool)
    alike = complete if model.exact else np.zeros_like(complete)
    for some, count in ((alike, 1), (~alike, particles)):
        index = np.flatnonzero(some)
        if len(index):
            for chunk in filter_chunks(model, tracks[index], count, at_once):
                yield chunk._replace(index=index[chunk.index]), count


def rank(
    model: Model, step: FilterStep, data: TimeStep, source: Source
) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
    """Return the probability integral transform of a row's log-density, and its excess.

    Particles are resampled to D = 100. Each draws a latent from its prior and then the next
    observation. The draws and the observation are compared under a mixture of K = 16 particles, also
    resampled and with latents of their own; K is at most the number of particles without latents.
    The mixture for a draw leaves out copies of its own particle, unless all are copies. Of the
    draws, r are less likely than the observation, and e are as likely up to rounding, which happens
    with discrete emissions. The transform is (r + v (e + 1)) / (D + 1), with v uniform. The
    excess is the mean log-density of the draws minus that of the observation.
    """
    before = step.before
    count, size = before.log_weight.shape

    def normal(kind: int, *shape: int) -> Tensor:
        return normals(part(source, kind), *shape).to(before.pending)

    mixed = COMPARED if model.latent.dim else min(COMPARED, count)
    chosen, others = (
        draw_ancestors(before.log_weight, normal(kind, 1, size), "systematic", drawn)
        for kind, drawn in enumerate((DRAWS, mixed))
    )
    picked, lead = torch.cat([chosen, others]), (DRAWS + mixed, size)
    state = tree_map(lambda s: take(s, picked), before.state)
    state = model.with_input(flatten(state, lead), flatten(data.inputs, lead))
    if model.latent.dim:
        z = model.prior(state).sample(flatten(normal(2, *lead, model.latent.noise_size), lead))
        state = model.with_latent(state, z)
    every, pending = unflatten(model.emission(state), lead), take(before.pending, picked)
    drawing = tree_map(lambda t: t[:DRAWS], every)
    comparing = tree_map(lambda t: t[DRAWS:], every)
    fresh = drawing.sample(normal(3, DRAWS, size, model.observation.noise_size))
    x = torch.cat([fresh + pending[:DRAWS], data.x.expand(1, size, -1)])
    density = comparing.log_prob(x[:, None] - pending[DRAWS:], data.present)
    own = chosen[:, None] == others[None]
    ranked = rank_draws(density, own & ~own.all(1, keepdim=True))
    uniform = uniforms(part(source, 4), 1, size)[0].to(density)
    return (ranked.less + uniform * (ranked.ties + 1)) / (DRAWS + 1), ranked.excess
