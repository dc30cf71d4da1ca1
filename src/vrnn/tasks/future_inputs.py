"""The inputs and times of the rows after a track."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError
from vrnn.trained import TrainedModel

Inputs = np.ndarray | Literal["hold"] | None
"""Inputs over a horizon in data units, (batch, horizon, inputs); "hold" repeats the last values."""


def future_times(tracks: Tracks, step: float, horizon: int) -> Float[np.ndarray, "batch {horizon}"]:
    """Return the times of the rows after each track, one usual time step apart."""
    last = np.array([t[-1] for t in tracks.times])
    return last[:, None] + step * np.arange(1, horizon + 1)


def future_inputs(
    model: TrainedModel,
    tracks: Tracks,
    horizon: int,
    inputs: Inputs,
    first: Float[np.ndarray, "batch dim"],
) -> Float[torch.Tensor, "batch {horizon} width"]:
    """Return the inputs of a horizon in model units.

    Args:
        first: first row of each track.

    Raises:
        ConfigError: inputs that are missing, or of another shape.
    """
    preprocessor = model.preprocessor
    width, count = len(preprocessor.u_names), len(tracks)
    if width and inputs is None:
        raise ConfigError(
            f"the model has known inputs ({', '.join(preprocessor.u_names)}): give their values "
            f"over the horizon as inputs (batch, horizon, {width}), or inputs='hold' to repeat "
            "the last values"
        )
    if isinstance(inputs, str) and inputs != "hold":
        raise ConfigError(f"expected inputs as an array or 'hold', found {inputs!r}")
    last = np.stack([last_known(u) for u in tracks.u])[:, None]
    if inputs is None or isinstance(inputs, str):
        values = np.repeat(last, horizon, axis=1)
    else:
        values = np.asarray(inputs, dtype=np.float64)
        if values.shape != (count, horizon, width):
            raise ConfigError(
                f"expected inputs of shape {(count, horizon, width)}, found {values.shape}"
            )
    # The row before the horizon leads, because a gap in an input or in time is measured from it.
    times = future_times(tracks, preprocessor.step, horizon)[..., None]
    now = np.array([t[-1:] for t in tracks.times])[:, None]
    u = preprocessor.inputs(
        np.concatenate([last, values], 1), np.concatenate([now, times], 1), first
    )
    return u[:, 1:]


def last_known(u: Float[np.ndarray, "time inputs"]) -> Float[np.ndarray, " inputs"]:
    """Return the last finite value of every column, NaN where there is none."""
    known = np.isfinite(u)
    index = np.where(known, np.arange(len(u))[:, None], 0).max(0)
    return u[index, np.arange(u.shape[1])]
