"""The mode set of a track: k futures and the probability of each, in data units."""

import numpy as np
import torch

from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, Function, check_at_least
from vrnn.models.modes import ModeHead
from vrnn.tasks import memory
from vrnn.tasks.forecast import Forecast
from vrnn.tasks.future_inputs import Inputs, future_inputs, future_times
from vrnn.tasks.futures import long_enough, readable
from vrnn.tasks.time_step import at_model_step, own_step
from vrnn.trained import Chunk, TrainedModel, to_numpy
from vrnn.training.mode_context import context_of
from vrnn.training.resolve import ModelOrFolder, resolve_model


@torch.no_grad()
def predict_modes(
    tracks: Tracks | np.ndarray,
    *,
    model: ModelOrFolder,
    horizon: int | None = None,
    inputs: Inputs = None,
) -> Forecast:
    """Return k futures of each track, and the probability that each is the nearest to the truth.

    `vrnn.fit_modes` fits them so that one of them lies near whatever happens, for prefixes as long
    as in that training. One call of a network computes them. Nothing is drawn, so they are not
    samples of the model. For a model without modes, `Forecast.cluster` returns typical futures.

    Args:
        tracks: prefixes, as for `forecast`.
        model: a trained model with modes, or the path of its run folder.
        horizon: rows of a future, at most those of the fit; all of them when None.
        inputs: known inputs of the horizon, as for `forecast`. The head reads them only through
            the model's own prediction.

    Returns:
        a forecast whose `samples` are the k futures, likeliest first, and whose `weights` are
        their probabilities.

    Raises:
        ConfigError: a model without modes, or a longer horizon.
        DataError: tracks that do not fit the model.

    Example:
        >>> import numpy as np, vrnn
        >>> walk = lambda i: np.cumsum(np.random.default_rng(i).normal(size=(12, 2)), 0)
        >>> tracks = vrnn.Tracks([walk(i) for i in range(20)])
        >>> config = vrnn.VRNNConfig(x_dim=2, hidden=8)
        >>> run = vrnn.train(tracks, config=config, training=vrnn.TrainConfig(steps=5), quiet=True)
        >>> config = vrnn.ModesConfig(count=5, horizon=4, steps=5)
        >>> model = vrnn.fit_modes(tracks, model=run.model, config=config, quiet=True)
        >>> vrnn.predict_modes(tracks[:3], model=model)
        Forecast(5 paths of 4 steps for 3 tracks, x, y)
    """
    model = resolve_model(model)
    tracks, head = model.as_tracks(tracks), model.modes
    if head is None:
        raise ConfigError(
            "the model has no modes yet",
            hint=(
                "fit them with ",
                Function("fit_modes"),
                ", or take clusters of the samples of a forecast",
            ),
        )
    fitted = head.config.horizon
    horizon = fitted if horizon is None else horizon
    check_at_least(1, horizon=horizon)
    if horizon > fitted:
        raise ConfigError(
            f"the modes were fitted for {fitted} rows",
            setting="horizon",
            expected="no more than that",
            found=horizon,
            hint=("lower it, or fit modes for more rows with ", Function("fit_modes")),
        )
    tracks, inputs = long_enough(model, at_model_step(model, tracks), inputs)
    read = readable(model, tracks)
    first = np.stack([x[0] for x in read.x])
    u = future_inputs(model, read, fitted, _extended(inputs, horizon, fitted), first)
    found = [
        _modes(model, head, chunk, u[chunk.rows], horizon)
        for chunk in model.batches(read, at_once=memory.PATHS)
    ]
    paths, weights = (np.concatenate(parts, 1) for parts in zip(*found, strict=True))
    times = future_times(tracks, own_step(model, tracks), horizon)
    return Forecast(paths, times, tracks, model.preprocessor.x_names, weights)


def _modes(
    model: TrainedModel, head: ModeHead, chunk: Chunk, u: torch.Tensor, horizon: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the futures of a chunk in data units, likeliest first, and their probabilities."""
    past = context_of(model.network, chunk.batch, u.to(chunk.batch.x))
    x, log_weight = head(past.state, past.rollout)
    log_weight, order = log_weight.sort(dim=0, descending=True, stable=True)
    x = x.gather(0, order[..., None, None].expand_as(x))[:, :, :horizon]
    paths = model.decode(x, chunk.anchor, past.pending.expand(len(x), -1, -1))
    return paths, to_numpy(log_weight.double().softmax(0))


def _extended(inputs: Inputs, horizon: int, fitted: int) -> Inputs:
    """Return inputs for all fitted rows: the last values repeated after a shorter horizon."""
    if not isinstance(inputs, np.ndarray) or inputs.ndim != 3 or inputs.shape[1] != horizon:
        return inputs
    return np.concatenate([inputs, np.repeat(inputs[:, -1:], fitted - horizon, 1)], 1)
