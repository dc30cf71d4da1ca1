"""From tracks to what one pass of the objective works on: a batch, its noise and its futures."""

import torch

from vrnn.data.batch import Batch
from vrnn.data.preprocessor import Change
from vrnn.data.tracks import Tracks
from vrnn.inference.noise import Noise, draw_noise
from vrnn.trained import TrainedModel
from vrnn.training.objective import Objective, Work


def assemble(
    trained: TrainedModel,
    objective: Objective,
    tracks: Tracks,
    *,
    samples: int,
    noise: torch.Generator,
    futures: torch.Generator | None,
    change: Change | None = None,
) -> Work:
    """Return what a pass over some tracks works on.

    Args:
        trained: the model and its preprocessor.
        objective: the objective that makes the pass.
        tracks: the tracks of one batch.
        samples: latent samples of each track.
        noise: draws the noise of the pass.
        futures: cuts the tracks and draws their futures; None draws none.
        change: a random change of the tracks.
    """
    prefix, batch = prefix_and_batch(trained, objective, tracks, change)
    drawn = noise_of(objective, batch, samples, noise)
    future = None if futures is None else objective.cut(prefix, batch, futures)
    return Work(prefix, batch, drawn, future)


def noise_of(objective: Objective, batch: Batch, samples: int, source: torch.Generator) -> Noise:
    """Return the noise of a pass over a batch."""
    return draw_noise(
        objective.model,
        samples,
        len(batch.x),
        batch.x.shape[1],
        source,
        observations=batch.has_missing,
        resampling=objective.config.objective == "fivo",
    )


def prefix_and_batch(
    trained: TrainedModel, objective: Objective, tracks: Tracks, change: Change | None = None
) -> tuple[Batch | None, Batch]:
    """Return tracks as the prefix of a model that reads one, else None, and what is scored."""
    return objective.split(trained.batch(tracks, change)[0])
