"""The mode set of a track: k futures of a track and how likely each is, in the units of the data."""

from typing import Literal

import numpy as np
import torch

from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, Function
from vrnn.tasks.forecast import Forecast
from vrnn.tasks.futures import PASS_SIZE, future_inputs, future_times, readable
from vrnn.training.mode_context import context_of
from vrnn.training.resolve import ModelOrFolder, resolve_model


@torch.no_grad()
def predict_modes(
    tracks: Tracks | np.ndarray,
    *,
    model: ModelOrFolder,
    horizon: int | None = None,
    inputs: np.ndarray | Literal["hold"] | None = None,
) -> Forecast:
    """Give k futures of tracks that are to have one near whatever happens, and how likely each is to be that one.

    They have been learned (`vrnn.fit_modes`), for pasts as long as those of that training; one call of a network, and nothing
    is drawn: no samples of the model's distribution, but what best covers it and what the model gets wrong about it. For typical futures of a model without them,
    `Forecast.cluster` takes the centres of many samples.

    Args:
        tracks: what the future follows, or an array, as of `forecast`.
        horizon: rows of a future, at most those that were learned; all of them when None.
        inputs: known inputs of the horizon as of `forecast`; the head sees the model's own way through them alone.

    Returns:
        a forecast whose `samples` are the k futures, likeliest first, `weights` their probabilities.

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
    learned = head.config.horizon
    horizon = learned if horizon is None else horizon
    if not 1 <= horizon <= learned:
        raise ConfigError(
            f"the modes were fitted for {learned} rows",
            setting="horizon",
            expected="no more than that",
            found=horizon,
        )
    preprocessor, read = model.preprocessor, readable(model, tracks)
    if isinstance(inputs, np.ndarray) and inputs.ndim == 3 and inputs.shape[1] == horizon:
        inputs = np.concatenate(
            [inputs, np.repeat(inputs[:, -1:], learned - horizon, 1)], 1
        )  # beyond what is asked for
    u = future_inputs(model, read, learned, inputs, np.stack([x[0] for x in read.x]))
    paths, weights = [], []
    for start in range(0, len(read), PASS_SIZE):
        part = slice(start, start + PASS_SIZE)
        batch, anchor = preprocessor.batch(read[part])
        batch = batch.to(next(model.network.parameters()))
        seen = context_of(model.network, batch, u[part].to(batch.x))
        x, log_weight = head(seen.state, seen.rollout)
        log_weight, order = log_weight.sort(dim=0, descending=True, stable=True)
        x = x.gather(0, order[..., None, None].expand_as(x))[:, :, :horizon].cpu().double().numpy()
        paths.append(
            preprocessor.transform.decode(
                x, anchor, seen.pending.expand(len(x), -1, -1).cpu().double().numpy()
            )
        )
        weights.append(log_weight.double().softmax(0).cpu().numpy())
    return Forecast(
        samples=np.concatenate(paths, 1),
        times=future_times(tracks, preprocessor.step, horizon),
        history=tracks,
        names=preprocessor.x_names,
        weights=np.concatenate(weights, 1),
    )
