"""Anomaly detection: how likely a model finds each row of a track, given the rows before it."""

from typing import get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, check_at_least, check_seed
from vrnn.inference.flat import flatten, unflatten
from vrnn.inference.noise import Stream, seeded
from vrnn.inference.particle_filter import FilterStep
from vrnn.inference.ranking import rank_draws
from vrnn.inference.resampling import draw_ancestors, take
from vrnn.inference.step import TimeStep
from vrnn.models.contract import Model
from vrnn.tasks import memory
from vrnn.tasks.filtering import filter_chunks, steps, write_rows
from vrnn.tasks.scores import ScoreName, Scores
from vrnn.trained import TrainedModel
from vrnn.training.resolve import ModelOrFolder, resolve_model


@torch.inference_mode()
def score(
    tracks: Tracks | np.ndarray,
    *,
    model: ModelOrFolder | None = None,
    calibration: Tracks | np.ndarray | None = None,
    particles: int = 100,
    seed: int = 0,
    by: ScoreName = "density",
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
        particles: particles of the filter.
        seed: seed of all noise.
        by: density, as above, or excess: the mean of E[log p(X_t | x_{<t})] - log p(x_t | x_{<t}),
            with X_t drawn from the model. A smooth track of an unknown kind can be likelier than
            every training track. The excess compares a row with what the model expects there.

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
    model = resolve_model(model, tracks)
    found = _score(model, model.as_tracks(tracks), particles, seed, by)
    if calibration is None:
        return found
    # Without a seed of their own, tracks at equal places would share their noise.
    other = int(seeded(seed, Stream.CALIBRATION).initial_seed() % 2**31)
    return found.against(_score(model, model.as_tracks(calibration), particles, other, by))


def _score(model: TrainedModel, tracks: Tracks, particles: int, seed: int, by: ScoreName) -> Scores:
    """Return the scores of tracks, without a calibration set."""
    log_prob, pit, excess = ([np.full(len(x), np.nan) for x in tracks.x] for _ in range(3))
    at_once = max(1, memory.RANKED_DENSITIES // (particles**2 * model.network.observation.dim))
    for chunk in filter_chunks(model, tracks, particles, at_once):
        batch, generator = chunk.batch, seeded(seed, Stream.RANK, chunk.start)
        scored, ranks, short = [], [], []
        for t, (step, row) in enumerate(steps(model, chunk, particles, seed)):
            place, below = step.log_prob, step.log_prob  # of no use where nothing is observed
            if bool(batch.mask[:, t].any()):
                place, below = rank(model.network, step, row, generator)
            scored.append(step.log_prob)
            ranks.append(place)
            short.append(below)
        if scored:
            write_rows(
                log_prob, model, chunk, torch.stack(scored, -1) + batch.log_jacobian_per_step
            )
            write_rows(pit, model, chunk, torch.stack(ranks, -1))
            write_rows(excess, model, chunk, torch.stack(short, -1))
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


def rank(
    model: Model, step: FilterStep, data: TimeStep, generator: torch.Generator
) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
    """Return the probability integral transform of a row's log-density, and its excess.

    Each particle, chosen by weight, draws a next observation, with a latent from its prior. A
    draw and the observation are compared under the mixture of all other particles. Of N draws, r
    are less likely than the observation, and e are as likely up to rounding, as masses can be.
    The transform is (r + v (e + 1)) / (N + 1), with v uniform. The excess is the mean log-density
    of the draws minus that of the observation.
    """
    before = step.before
    count, size = before.log_weight.shape

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(before.pending)

    lead = (count, size)
    state = model.with_input(flatten(before.state, lead), flatten(data.inputs, lead))
    normals = normal(count, size, model.latent.noise_size)
    if model.latent.dim:
        z = model.prior(state).sample(flatten(normals, lead))
        state = model.with_latent(state, z)
    emission = unflatten(model.emission(state), lead)
    chosen = draw_ancestors(before.log_weight, normal(1, size), "systematic")
    fresh = emission.sample(normal(count, size, model.observation.noise_size)).expand(
        count, size, -1
    )
    drawn = take(fresh + before.pending, chosen)
    every = torch.cat([drawn, data.x.expand(1, size, -1)])
    density = emission.log_prob(every[:, None] - before.pending, data.present) + before.log_weight
    own = chosen[:, None] == torch.arange(count, device=chosen.device)[:, None]
    ranked = rank_draws(density, own)
    uniform = torch.rand(size, generator=generator).to(density)
    return (ranked.less + uniform * (ranked.ties + 1)) / (count + 1), ranked.excess
