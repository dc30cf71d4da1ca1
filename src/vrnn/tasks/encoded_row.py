"""One row of every track, encoded as it arrives."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.data.preprocessor import Preprocessor
from vrnn.data.transforms import Anchor
from vrnn.errors import DataError
from vrnn.inference.embed import embed
from vrnn.inference.step import Belief, TimeStep
from vrnn.tasks.belief import TrackBelief
from vrnn.trained import TrainedModel


class EncodedRow(NamedTuple):
    """A row of every track in model units, and what the next belief takes from the data.

    Attributes:
        step: features, observation and mask of the row.
        batch: the row as a batch of one time step.
        active: whether each track has begun, (batch,). The model of one that has not, stands still.
        anchor: where the tracks are after the row.
        time: time of the row, (batch,).
        u: last values of the known inputs, (batch, inputs).
        seed: seed of the belief.
        ids: ids of the tracks.
        preprocessor: of the model.
    """

    step: TimeStep
    batch: Batch
    active: Bool[np.ndarray, " batch"]
    anchor: Anchor
    time: Float[np.ndarray, " batch"]
    u: Float[np.ndarray, "batch inputs"]
    seed: int
    ids: list[str]
    preprocessor: Preprocessor

    def moved(self, belief: Belief, steps: int) -> TrackBelief:
        """Return the belief about the tracks after this row."""
        return TrackBelief(
            belief, self.anchor, self.time, self.u, steps, self.seed, self.ids, self.preprocessor
        )


class RowValues(NamedTuple):
    """A row of every track in data units; NaN is missing."""

    x: Float[np.ndarray, "batch dim"]
    u: Float[np.ndarray, "batch inputs"]
    y: Float[np.ndarray, "batch targets"]
    time: Float[np.ndarray, " batch"]


def encode_row(
    model: TrainedModel,
    belief: TrackBelief,
    x: np.ndarray,
    *,
    u: np.ndarray | None = None,
    y: np.ndarray | None = None,
    time: np.ndarray | float | None = None,
) -> EncodedRow:
    """Return one row of every track in model units.

    Raises:
        DataError: a row that does not fit the model or the belief.
    """
    given = _checked(model, belief, x, u, y, time)
    preprocessor, transform = model.preprocessor, model.preprocessor.transform
    is_increment, incremental = transform.is_increment, bool(transform.given)
    before, there = np.isfinite(belief.anchor.origin), np.isfinite(given.x)
    if incremental:
        begun = np.asarray(before[:, is_increment].all(-1))
        begins = np.asarray(there[:, is_increment].all(-1))
        position = np.where(begun[:, None], preprocessor.mask_partial_points(given.x), given.x)
    else:
        begun, begins = np.asarray(before.any(-1)), np.asarray(there.any(-1))
        position = given.x
    # A displacement needs two points: the first one only says where the track begins.
    active = np.asarray(begun if incremental else begun | begins)
    values, anchor = transform.encode_next(position[:, None], belief.anchor)
    found = (begun | begins)[:, None]
    anchor = anchor._replace(
        origin=np.where(found, anchor.origin, np.nan),
        since=np.where(before | np.isfinite(position), anchor.since, 0),
        first=np.where(found, anchor.first, np.nan),
    )
    u_before = np.where(begun[:, None], belief.u, np.nan)
    earlier = np.where(begun, belief.time, np.nan)
    inputs = _inputs(model, given, u_before, earlier, anchor.first)
    target = given.y[:, None] if model.network.supervised else None
    batch = preprocessor.tensors(values, inputs, target, anchor.first)
    batch = batch.to(belief.belief.log_weight)
    batch = batch.swap_target() if model.network.supervised else batch
    last = np.where(np.isnan(given.u), u_before, given.u) if preprocessor.u_names else belief.u
    step = _features(model, batch, active, belief.belief)
    return EncodedRow(
        step, batch, active, anchor, given.time, last, belief.seed, belief.ids, preprocessor
    )


def _features(
    model: TrainedModel, batch: Batch, active: Bool[np.ndarray, " batch"], belief: Belief
) -> TimeStep:
    """Return the features of a batch of one time step."""
    inputs, features, evidence, _ = embed(model.network, batch, batch)
    there = batch.present
    whole = bool(there.all()) or bool(there[torch.from_numpy(active)].all())
    return TimeStep(
        inputs=inputs[:, 0],
        features=features[:, 0],
        evidence=evidence[:, 0],
        x=batch.x[:, 0],
        present=there[:, 0],
        u=batch.u[:, 0],
        complete=whole and not bool(belief.pending.any()),
    )


def _checked(
    model: TrainedModel,
    belief: TrackBelief,
    x: np.ndarray,
    u: np.ndarray | None,
    y: np.ndarray | None,
    time: np.ndarray | float | None,
) -> RowValues:
    """Return a row as arrays of one row for each track."""
    preprocessor, count = model.preprocessor, len(belief.time)
    if x is None:
        raise DataError(expected="a row of x", found=None, hint="write a missing row as NaN")
    return RowValues(
        x=_row(x, count, preprocessor.x_names, "x"),
        u=_row(u, count, preprocessor.u_names, "u"),
        y=_row(y, count, preprocessor.y_names, "y"),
        time=_time(time, belief, preprocessor.step),
    )


def _row(values: np.ndarray | None, count: int, names: tuple[str, ...], role: str) -> np.ndarray:
    """Return values as an array (batch, width); NaN where none are given."""
    if values is None:
        return np.full((count, len(names)), np.nan)
    row = np.array(values, np.float64)  # the belief keeps it
    row = row[None] if row.ndim == 1 else row
    if row.shape != (count, len(names)):
        raise DataError(
            expected=(
                f"{role} of shape {(count, len(names))}, a row "
                f"({', '.join(names) or 'no columns'}) for each of {count} tracks"
            ),
            found=np.asarray(values).shape,
        )
    if np.isinf(row).any():
        raise DataError(
            expected=f"finite {role} or NaN where it is missing", found="an infinite value"
        )
    return row


def _time(
    time: np.ndarray | float | None, belief: TrackBelief, step: float
) -> Float[np.ndarray, " batch"]:
    """Return the time of a row: one usual step after the last when None, 0 for the first row."""
    count, last = len(belief.time), belief.time
    if time is None:
        return np.where(np.isnan(last), 0.0, last + step)
    given = np.array(time, np.float64)  # the belief keeps it
    if given.shape not in ((), (count,)):
        raise DataError(
            expected=f"a time or one for each of {count} tracks", found=f"shape {given.shape}"
        )
    now = np.broadcast_to(given, (count,))
    if not np.isfinite(now).all():
        raise DataError(
            expected="a finite time",
            found="NaN or infinity",
            hint="leave it out for one usual step after the last",
        )
    late = np.flatnonzero(now <= last)
    if len(late):
        raise DataError(
            expected=f"a time after the last row's, {last[late[0]]:g}",
            found=f"{now[late[0]]:g}",
            cause="rows come in order of time",
        )
    return now


def _inputs(
    model: TrainedModel,
    given: RowValues,
    u_before: Float[np.ndarray, "batch inputs"],
    earlier: Float[np.ndarray, " batch"],
    first: Float[np.ndarray, "batch dim"],
) -> Tensor | None:
    """Return the inputs of a row in model units, (batch, 1, width); None for a model without.

    Args:
        u_before, earlier: last values of the inputs and time of the row before.
        first: first point of each track.
    """
    preprocessor = model.preprocessor
    if not preprocessor.u_dim:
        return None
    before = np.where(np.isnan(earlier), given.time - preprocessor.step, earlier)
    times = np.stack([before, given.time], -1)[..., None]
    return preprocessor.inputs(np.stack([u_before, given.u], 1), times, first)[:, 1:]
