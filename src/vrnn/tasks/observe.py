"""Online filtering of a person's own tracks: one observation at a time, in data units, or whole tracks by the same steps."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.data.preprocessor import Preprocessor
from vrnn.data.transforms import Anchor
from vrnn.errors import ConfigError, DataError, UnsupportedError, check_seed
from vrnn.inference.noise import Stream, draw_noise, seeded
from vrnn.inference.particle_filter import Normals, filter_step
from vrnn.inference.step import Belief, Row, start_belief
from vrnn.kernels.online import online_step
from vrnn.models.contract import Model
from vrnn.trained import TrainedModel
from vrnn.training.resolve import ModelOrFolder, resolve_model


@dataclass(frozen=True, repr=False)
class TrackBelief:
    """Hold what a model knows of tracks after some of their points: weighted particles, and where the tracks are.

    A value: `observe` gives a new one and leaves the old one as it was.

    Attributes:
        belief: states and log-weights on the particle axis, in model units.
        anchor: last observed position of each column and the rows since then; NaN before the first.
        time: time of the last row, (batch,); NaN before the first.
        u: last values of the known inputs, (batch, inputs); NaN before the first.
        steps: steps the model has taken, which the noise of the next one is drawn by.
        seed: of all noise.
    """

    belief: Belief
    anchor: Anchor
    time: Float[np.ndarray, " batch"]
    u: Float[np.ndarray, "batch inputs"]
    steps: int
    seed: int

    def __repr__(self) -> str:
        count, batch = self.belief.log_weight.shape
        return f"TrackBelief({count} particles of {batch} tracks after {self.steps} steps)"

    @property
    def weights(self) -> Float[np.ndarray, "particle batch"]:
        """Weight of each particle; they add up to 1 for each track."""
        return self.belief.log_weight.exp().cpu().double().numpy()

    @property
    def effective(self) -> Float[np.ndarray, " batch"]:
        """Effective sample size, 1 / sum of squared weights."""
        return 1 / (self.weights**2).sum(0)


class Observed(NamedTuple):
    """Hold what one observation brings.

    Attributes:
        belief: what is known after it.
        log_prob: log p(x_t | x_{<t}) in nats of data units, (batch,); NaN where nothing was scored: a missing row, or
            the first point of a track under a displacement transform.
    """

    belief: TrackBelief
    log_prob: Float[np.ndarray, " batch"]


@torch.inference_mode()
def initial_belief(
    *, model: ModelOrFolder, count: int = 1, particles: int = 100, seed: int = 0
) -> TrackBelief:
    """Give the belief about tracks of which nothing has been seen.

    Args:
        count: how many tracks run side by side.
        particles: states that each belief is made of; 1 is enough for an RNN.
        seed: of all noise that filtering draws.

    Raises:
        UnsupportedError: a model that cannot begin without a prefix: a RolloutVAE that forecasts, or one with a heading
            transform; `filter_tracks` gives the belief after a prefix.
    """
    check_seed(seed)
    if count < 1 or particles < 1:
        raise ConfigError(
            f"expected count and particles of at least 1, found {count} and {particles}"
        )
    model = resolve_model(model)
    network, transform = model.network, model.preprocessor.transform
    if network.conditions or transform.heading is not None:
        why = "reads its prefix at once" if network.conditions else "turns tracks to their heading"
        raise UnsupportedError(
            f"this model {why} and cannot begin without one: begin with vrnn.filter_tracks(prefix, model=model).belief"
        )
    weight = next(network.parameters())
    noise = draw_noise(network, particles, count, 0, seeded(seed, Stream.BELIEF))
    context = weight.new_zeros(count, 0)
    code = network.code_prior(context).sample(noise.code)
    dim = len(model.preprocessor.y_names) if network.supervised else transform.dim
    nowhere = np.full((count, transform.dim), np.nan)
    return TrackBelief(
        belief=start_belief(network, code, context, dim),
        anchor=Anchor(nowhere, np.zeros(nowhere.shape), np.zeros(count), nowhere),
        time=np.full(count, np.nan),
        u=np.full((count, len(model.preprocessor.u_names)), np.nan),
        steps=0,
        seed=seed,
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
    """Take in one observation of every track: a step of the particle filter, with the evidence of x_t alone.

    Args:
        belief: what is known so far; `initial_belief(model=model)` before the first point.
        x: the row in data units, (batch, dim), or (dim,) for one track; NaN is missing.
        u: known inputs of the row, (batch, inputs), for a model that has any; the last ones where NaN.
        y: target of the row, (batch, targets), for a supervised model; missing when None.
        time: of the row, (batch,); one usual step after the last when None. Rows that were left out are given as NaN.

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
    model = resolve_model(model)
    encoded = encode_row(model, belief, x, u, y, time)
    active = encoded.active
    if not active.any():
        return Observed(encoded.moved(belief.belief, belief.steps), np.full(len(active), np.nan))
    network, row, batch = model.network, encoded.row, encoded.batch
    count = len(belief.belief.log_weight)
    normals = _normals(network, count, len(batch.x), belief.seed, belief.steps, not row.plain)
    step = filter_step(network, belief.belief, row, normals, batch, online=online_step(network))
    moved = torch.from_numpy(active).to(row.x.device)
    after = step.belief.where(moved, belief.belief)
    density = step.log_prob + (row.present * batch.log_jacobian).sum(-1)
    log_prob = density.where(row.present.any(-1) & moved, torch.nan).cpu().double().numpy()
    return Observed(encoded.moved(after, belief.steps + 1), log_prob)


def check_begun(model: TrainedModel, belief: TrackBelief) -> None:
    """Refuse a belief without the point that displacements start from.

    Raises:
        DataError: which track has none.
    """
    is_increment = model.preprocessor.transform.is_increment
    unseen = np.isnan(belief.anchor.origin[:, is_increment]).any(-1)
    if is_increment.any() and unseen.any():
        raise DataError(
            f"track {unseen.argmax()} of the belief has no observed point yet, and displacements start from one; observe it first"
        )


class EncodedRow(NamedTuple):
    """Hold a row in model units, and what the next belief takes from the data itself."""

    row: Row
    batch: Batch
    active: np.ndarray
    anchor: Anchor
    time: np.ndarray
    u: np.ndarray
    seed: int

    def moved(self, belief: Belief, steps: int) -> TrackBelief:
        return TrackBelief(belief, self.anchor, self.time, self.u, steps, self.seed)


def encode_row(
    model: TrainedModel,
    belief: TrackBelief,
    x: np.ndarray,
    u: np.ndarray | None,
    y: np.ndarray | None,
    time: np.ndarray | float | None,
) -> EncodedRow:
    """Encode one row of each track; a track before its first point is not active, its model has not begun."""
    network, preprocessor, count = model.network, model.preprocessor, len(belief.time)
    transform = preprocessor.transform
    x = _row(x, count, preprocessor.x_names, "x")
    u_row = _row(u, count, preprocessor.u_names, "u")
    y_row = _row(y, count, preprocessor.y_names, "y")
    now = _time(time, belief, preprocessor.step)
    given, is_increment = transform.given, transform.is_increment
    before, there = np.isfinite(belief.anchor.origin), np.isfinite(x)
    begun, begins = (
        np.asarray(a[:, is_increment].all(-1) if given else a.any(-1)) for a in (before, there)
    )
    x = np.where(begun[:, None], preprocessor.mask_partial_points(x), x) if given else x
    active = begun if given else np.asarray(begun | begins)
    values, anchor = transform.encode_next(x[:, None], belief.anchor)
    found = (begun | begins)[:, None]
    anchor = anchor._replace(
        origin=np.where(found, anchor.origin, np.nan),
        since=np.where(before | np.isfinite(x), anchor.since, 0),
        first=np.where(found, anchor.first, np.nan),
    )
    earlier, u_before = (
        np.where(begun, belief.time, np.nan),
        np.where(begun[:, None], belief.u, np.nan),
    )
    inputs = _inputs(preprocessor, u_before, u_row, earlier, now, anchor.first)
    target = y_row[:, None] if network.supervised else None
    batch = preprocessor.tensors(values, inputs, target, anchor.first).to(belief.belief.log_weight)
    batch = batch.swap_target() if network.supervised else batch
    known = network.embed_inputs(batch.u)
    seen = network.embed_observations(batch.x, known)
    evidence = network.embed_evidence(batch.x, known, seen, batch)
    whole = bool(batch.present.all()) or bool(batch.present[torch.from_numpy(active)].all())
    plain = whole and not bool(belief.belief.gap.any())
    row = Row(known[:, 0], seen[:, 0], evidence[:, 0], batch.x[:, 0], batch.present[:, 0], plain)
    last = np.where(np.isnan(u_row), u_before, u_row) if preprocessor.u_names else belief.u
    return EncodedRow(row, batch, active, anchor, now, last, belief.seed)


def _row(values: np.ndarray | None, count: int, names: tuple[str, ...], role: str) -> np.ndarray:
    """Take a row (batch, width) of numbers; NaN where none is given."""
    if values is None:
        if role == "x":
            raise DataError("expected a row of x, found None; a missing row is NaN")
        return np.full((count, len(names)), np.nan)
    row = np.asarray(values, np.float64)
    row = row[None] if row.ndim == 1 else row
    if row.shape != (count, len(names)):
        raise DataError(
            f"expected {role} of shape {(count, len(names))}, a row ({', '.join(names) or 'no columns'}) for each of "
            f"{count} tracks, found {np.asarray(values).shape}"
        )
    if np.isinf(row).any():
        raise DataError(
            f"expected finite {role} or NaN where it is missing, found an infinite value"
        )
    return row


def _time(time: np.ndarray | float | None, belief: TrackBelief, step: float) -> np.ndarray:
    """Take the time of a row, (batch,); one step after the last when None, 0 for the first row."""
    count, last = len(belief.time), belief.time
    if time is None:
        return np.where(np.isnan(last), 0.0, last + step)
    given = np.asarray(time, np.float64)
    if given.shape not in ((), (count,)):
        raise DataError(
            f"expected a time or one for each of {count} tracks, found shape {given.shape}"
        )
    now = np.broadcast_to(given, (count,))
    if not np.isfinite(now).all():
        raise DataError(
            "expected a finite time, found NaN or infinity; leave it out for one usual step after the last"
        )
    late = np.flatnonzero(now <= last)
    if len(late):
        raise DataError(
            f"expected a time after the last row's, {last[late[0]]:g}, found {now[late[0]]:g}; rows come in order of time"
        )
    return now


def _inputs(
    preprocessor: Preprocessor,
    u_before: np.ndarray,
    u: np.ndarray,
    earlier: np.ndarray,
    now: np.ndarray,
    first: np.ndarray,
) -> Tensor | None:
    """Encode the inputs of a row, (batch, 1, width), with the last known values and time before it; None of a model without."""
    if not preprocessor.u_dim:
        return None
    times = np.stack([np.where(np.isnan(earlier), now - preprocessor.step, earlier), now], -1)[
        ..., None
    ]
    return preprocessor.inputs(np.stack([u_before, u], 1), times, first)[:, 1:]


def _normals(
    model: Model, particles: int, batch: int, seed: int, step: int, draws: bool
) -> Normals:
    """Draw the normals of a step, a function of (seed, step) alone; none are resampled before the first."""
    noise = draw_noise(
        model,
        particles,
        batch,
        1,
        seeded(seed, Stream.FILTER, step),
        observations=draws,
        resampling=True,
    )
    return Normals(
        noise.latent[:, :, 0],
        noise.observation[:, :, 0] if draws else None,
        noise.resampling[:, :, 0] if step else None,
    )
