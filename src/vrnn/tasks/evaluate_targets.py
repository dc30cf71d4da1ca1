"""Evaluation of a supervised model on y of whole tracks."""

import math
from typing import NamedTuple

import numpy as np
import torch

from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, DataError, Function, Setting
from vrnn.inference.noise import draw_noise
from vrnn.inference.random_numbers import Stream, track_numbers
from vrnn.inference.unroll import unroll
from vrnn.objectives.terms import log_jacobian
from vrnn.tasks.evaluation import TargetEvaluation
from vrnn.tasks.memory import tracks_at_once
from vrnn.trained import Chunk, TrainedModel, to_numpy


class Sums(NamedTuple):
    """Sums over some tracks.

    Attributes:
        squares: squared errors of the mean over samples.
        mean_squares: squared errors of the mean of the training data.
        log_likelihood: log-density of y, in nats of data units.
        rows, entries: observed rows and entries of y.
    """

    squares: float
    mean_squares: float
    log_likelihood: float
    rows: int
    entries: int


@torch.no_grad()
def evaluate_targets(
    model: TrainedModel, tracks: Tracks, samples: int, seed: int
) -> TargetEvaluation:
    """Return the scores of a supervised model on y of whole tracks."""
    names = ", ".join(model.output_names)
    if not tracks.y_dim:
        raise ConfigError(
            f"a supervised model is evaluated on its targets ({names})",
            hint=("map columns to ", Setting("Columns.y")),
        )
    tracks = model.preprocessor.trim(tracks, 1 + model.preprocessor.transform.given)
    if not len(tracks):
        raise DataError(
            "no track has a usable row of x to evaluate on", hint=("see ", Function("describe"))
        )
    parts = [
        _sums(model, chunk, samples, seed)
        for chunk in model.batches(tracks, at_once=tracks_at_once(samples))
    ]
    total = Sums(*(sum(column) for column in zip(*parts, strict=True)))
    if not total.rows:
        raise DataError(
            f"no row of y ({names}) is observed",
            cause="there is nothing to evaluate on",
            hint=("are the columns of ", Setting("Columns.y"), " the right ones?"),
        )
    return TargetEvaluation(
        tracks=len(tracks),
        rows=total.rows,
        samples=samples,
        rmse=math.sqrt(total.squares / total.entries),
        nll=-total.log_likelihood / total.rows,
        mean_rmse=math.sqrt(total.mean_squares / total.entries),
    )


def _sums(model: TrainedModel, chunk: Chunk, samples: int, seed: int) -> Sums:
    """Return the sums over a chunk of tracks."""
    network, batch = model.network, chunk.batch
    source = track_numbers(seed, Stream.TARGETS, chunk.names)
    count, time = batch.x.shape[:2]
    noise = draw_noise(network, samples, count, time, source)
    blind = unroll(network, batch, noise, proposal="prior")  # its samples do not see y
    predicted = model.decode(blind.emission.mean.mean(0), chunk.anchor)
    truth = model.decode(batch.x, chunk.anchor)
    there = batch.present.cpu().numpy()
    weight = (unroll(network, batch, noise) if model.has_posterior else blind).log_weight
    log_mean = torch.logsumexp(weight, 0) - math.log(samples) + log_jacobian(batch)
    return Sums(
        squares=float(((predicted - truth) ** 2)[there].sum()),
        mean_squares=float(((truth - np.array(model.preprocessor.y_mean)) ** 2)[there].sum()),
        log_likelihood=float(to_numpy(log_mean).sum()),
        rows=int(batch.mask.sum()),
        entries=int(there.sum()),
    )
