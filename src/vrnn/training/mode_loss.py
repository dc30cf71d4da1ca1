"""The loss of a mode head: distances to the nearest future, and the probability of that one."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.data.preprocessor import Change
from vrnn.data.tracks import Tracks
from vrnn.errors import Function, NonFiniteError
from vrnn.inference.random_numbers import Stream, seeded
from vrnn.models.modes import ModeHead, ModesConfig
from vrnn.objectives.best_of import BestOf, best_of_paths
from vrnn.objectives.energy import cut_at, positions
from vrnn.trained import TrainedModel
from vrnn.training.config import TrainConfig
from vrnn.training.mode_context import context_of

BATCH_SIZE = 512  # tracks of a validation batch


class ModeFit(NamedTuple):
    """A mode head in training, with its data.

    Attributes:
        model: the trained model whose states the head reads.
        head: the head.
        settings: the settings that the model was trained with.
        train: training tracks or windows.
        val: validation tracks or windows.
        observe: time steps of a batch before the future begins; None for anywhere.
        unit: length of a model unit in each column, in the units of distances, (dim,).
    """

    model: TrainedModel
    head: ModeHead
    settings: TrainConfig
    train: Tracks
    val: Tracks
    observe: int | None
    unit: Float[Tensor, " dim"]

    @property
    def config(self) -> ModesConfig:
        """Settings of the head and its training."""
        return self.head.config


class ModeTerms(NamedTuple):
    """The terms of the loss of each track of a batch.

    Attributes:
        best: distances to the nearest future.
        log_weight: log-probability that the head gives it, (batch,).
        counted: whether a track has a future, (batch,).
    """

    best: BestOf
    log_weight: Float[Tensor, " batch"]
    counted: Bool[Tensor, " batch"]

    def loss(self, final_weight: float) -> Float[Tensor, ""]:
        """Return the mean loss of the tracks that have a future."""
        each = self.best.average + final_weight * self.best.final - self.log_weight
        return torch.where(self.counted, each, 0.0).sum() / self.counted.sum().clamp(min=1)


class ModeDistances(NamedTuple):
    """What a validation of a mode head found, means over the tracks that have a future.

    Attributes:
        average: distance to the nearest future, mean over its rows.
        final: distance at the last row.
        log_weight: log-probability of the nearest future.
    """

    average: float = 0.0
    final: float = 0.0
    log_weight: float = 0.0


def mode_terms(
    fit: ModeFit, tracks: Tracks, generator: torch.Generator, change: Change | None = None
) -> ModeTerms:
    """Return the terms of some tracks.

    Args:
        fit: the head and its model.
        tracks: the tracks of one batch.
        generator: draws where each future begins, for a head that begins anywhere.
        change: a random change of the tracks.
    """
    network, horizon = fit.model.network, fit.config.horizon
    batch = fit.model.preprocessor.batch(tracks, change)[0].to(fit.unit)
    prefix, rest = cut_at(batch, generator, steps=horizon, observe=fit.observe)
    rows = rest.x.shape[1]
    u = torch.nn.functional.pad(rest.u, (0, 0, 0, horizon - rows))
    context = context_of(network, prefix, u)
    x, log_weight = fit.head(context.state, context.rollout)
    paths = positions(x[:, :, :rows], context.pending, rest.is_increment) * fit.unit
    truth = positions(rest.x, torch.zeros_like(context.pending), rest.is_increment) * fit.unit
    there = rest.present.all(-1)
    best = best_of_paths(paths, truth, there)
    return ModeTerms(best, log_weight.gather(0, best.nearest[None])[0], there.any(-1))


@torch.no_grad()
def mode_distances(fit: ModeFit, step: int) -> ModeDistances:
    """Return the distances on the validation tracks, which must not be empty.

    Args:
        fit: the head and its data.
        step: the step to name in errors.

    Raises:
        NonFiniteError: a distance that is not finite.
    """
    order = fit.val.lengths.argsort(kind="stable")
    parts = [
        mode_terms(
            fit,
            fit.val[order[i : i + BATCH_SIZE]],
            seeded(fit.config.seed, Stream.VALIDATE_MODES, i),
        )
        for i in range(0, len(order), BATCH_SIZE)
    ]
    counted = torch.cat([part.counted for part in parts])
    if not bool(counted.any()):
        return ModeDistances()
    columns = zip(*((p.best.average, p.best.final, p.log_weight) for p in parts), strict=True)
    found = ModeDistances(*(float(torch.cat(c)[counted].double().mean()) for c in columns))
    if not math.isfinite(found.average + found.final):
        raise NonFiniteError(
            "the distances on the validation tracks are not finite",
            where=f"step {step}",
            hint=("look at them with ", Function("describe")),
        )
    return found
