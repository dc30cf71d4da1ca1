"""Online filtering: a belief about tracks takes in one observation at a time, in data units."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from vrnn.data.transforms import Anchor
from vrnn.errors import Function, UnsupportedError, check_at_least, check_seed
from vrnn.inference.noise import draw_noise
from vrnn.inference.particle_filter import filter_step
from vrnn.inference.plans import stepper_of
from vrnn.inference.random_numbers import Stream, track_numbers
from vrnn.inference.step import StepNoise, draw_global, start_belief
from vrnn.inference.traits import reads_prefix
from vrnn.models.contract import Model
from vrnn.tasks.belief import TrackBelief
from vrnn.tasks.encoded_row import encode_row
from vrnn.trained import to_numpy
from vrnn.training.resolve import ModelOrFolder, check_fitted, resolve_model


class Observed(NamedTuple):
    """The result of one observation.

    Attributes:
        belief: the belief after it.
        log_prob: log p(x_t | x_{<t}) in nats of data units, (batch,). NaN where nothing is scored:
            at a missing row, and at the first point of a track under a displacement transform.
    """

    belief: TrackBelief
    log_prob: Float[np.ndarray, " batch"]


@torch.inference_mode()
def initial_belief(
    *, model: ModelOrFolder, count: int = 1, particles: int = 100, seed: int = 0
) -> TrackBelief:
    """Return the belief about tracks before their first point.

    Args:
        model: a trained model, or the path of a run folder.
        count: number of tracks, side by side; their ids are 0, 1, 2, ...
        particles: states that the belief about a track is made of. One is enough for an RNN.
        seed: seed of all noise that filtering draws.

    Raises:
        UnsupportedError: a model that needs a prefix: a forecasting RolloutVAE, or one with a
            heading transform. `filter_tracks` returns the belief after a prefix.
    """
    check_seed(seed)
    check_at_least(1, count=count, particles=particles)
    model = resolve_model(model)
    check_fitted(model, "a belief before any point")
    network, transform = model.network, model.preprocessor.transform
    if reads_prefix(network) or transform.heading is not None:
        why = (
            "reads its prefix at once" if reads_prefix(network) else "turns tracks to their heading"
        )
        raise UnsupportedError(
            f"this model {why} and cannot begin without a prefix",
            hint=("take the belief that ", Function("filter_tracks"), " returns for a prefix"),
        )
    ids = [str(i) for i in range(count)]
    noise = draw_noise(network, particles, count, 0, track_numbers(seed, Stream.BELIEF, ids))
    context = model.weight.new_zeros(count, 0)
    once = draw_global(network, noise.global_latent, context)
    nowhere = np.full((count, transform.dim), np.nan)
    return TrackBelief(
        belief=start_belief(network, once.z, context, len(model.output_names)),
        anchor=Anchor(nowhere, np.zeros(nowhere.shape), np.zeros(count), nowhere),
        time=np.full(count, np.nan),
        u=np.full((count, len(model.preprocessor.u_names)), np.nan),
        steps=0,
        seed=seed,
        ids=ids,
        preprocessor=model.preprocessor,
    )


@torch.inference_mode()
def observe(
    x: np.ndarray,
    *,
    belief: TrackBelief,
    model: ModelOrFolder,
    u: np.ndarray | None = None,
    y: np.ndarray | None = None,
    time: np.ndarray | float | None = None,
) -> Observed:
    """Return the belief after one more observation of every track, and its log-density.

    This is one step of a particle filter. It uses the evidence of x_t alone.

    Args:
        x: the row in data units, (batch, dim), or (dim,) for one track; NaN is missing.
        belief: the belief so far; `initial_belief(model=model)` before the first point.
        model: a trained model, or the path of a run folder. Load it once for many observations.
        u: known inputs of the row, (batch, inputs), for a model that has any. NaN stands for the
            last value.
        y: target of the row, (batch, targets), for a supervised model; missing when None.
        time: time of the row, (batch,); one usual step after the last when None. Give rows that
            were left out as NaN.

    Raises:
        DataError: a row that does not fit the model or the belief.

    Example:
        >>> import numpy as np, vrnn
        >>> walk = lambda i: np.cumsum(np.random.default_rng(i).normal(size=(12, 2)), 0)
        >>> tracks = vrnn.Tracks([walk(i) for i in range(20)])
        >>> config = vrnn.VRNNConfig(x_dim=2, hidden=8)
        >>> run = vrnn.train(tracks, config=config, training=vrnn.TrainConfig(steps=5), quiet=True)
        >>> belief = vrnn.initial_belief(model=run.model, particles=10)
        >>> for point in tracks.x[0]:
        ...     belief, log_prob = vrnn.observe(point, belief=belief, model=run.model)
        >>> belief
        TrackBelief(10 particles of 1 tracks after 11 steps)
    """
    model = resolve_model(model, belief)
    encoded = encode_row(model, belief, x, u=u, y=y, time=time)
    active = encoded.active
    if not active.any():
        return Observed(encoded.moved(belief.belief, belief.steps), np.full(len(active), np.nan))
    network, step, batch = model.network, encoded.step, encoded.batch
    noise = _noise(network, belief, draws=not step.complete)
    found = filter_step(network, belief.belief, step, noise, batch, stepper=stepper_of(network))
    moved = torch.from_numpy(active).to(step.x.device)
    after = found.belief.where(moved, belief.belief)
    density = found.log_prob + (step.present * batch.log_jacobian).sum(-1)
    log_prob = density.where(step.present.any(-1) & moved, torch.nan)
    return Observed(encoded.moved(after, belief.steps + 1), to_numpy(log_prob))


def _noise(model: Model, belief: TrackBelief, *, draws: bool) -> StepNoise:
    """Return the normals of the next step, a function of the seed, the track and the step alone.

    Args:
        draws: whether the step draws observations.
    """
    step, (particles, count) = belief.steps, belief.belief.log_weight.shape
    noise = draw_noise(
        model,
        particles,
        count,
        1,
        track_numbers(belief.seed, Stream.FILTER, belief.ids).from_step(step),
        observations=draws,
        resampling=True,
    )
    return StepNoise(
        noise.latent[:, :, 0],
        noise.observation[:, :, 0] if draws else None,
        noise.resampling[:, :, 0] if step else None,  # equal weights are not resampled
    )
