"""ModeHead that have been learned: k futures of a track and how likely each is, in the units of the data."""

from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, UnsupportedError
from vrnn.inference.begin import begin
from vrnn.inference.noise import no_noise
from vrnn.kernels import imagine
from vrnn.models.contract import Model
from vrnn.tasks.forecast import Forecast, as_tracks
from vrnn.tasks.futures import PASS_SIZE, future_inputs, future_times, readable
from vrnn.trained import TrainedModel


class Context(NamedTuple):
    """Hold what a head reads of the past.

    Attributes:
        state: everything that the past has left in the model, (batch, width).
        rollout: where the model goes from there with all normals at 0, in model units, (batch, horizon, dim).
        gap: what it has drawn since the last observed entry, (batch, dim).
    """

    state: Float[Tensor, "batch width"]
    rollout: Float[Tensor, "batch horizon dim"]
    gap: Float[Tensor, "batch dim"]


@torch.no_grad()
def context_of(model: Model, prefix: Batch, u: Float[Tensor, "batch horizon inputs"]) -> Context:
    """Follow a prefix with every latent at its posterior's mean, and go on with every normal at 0."""
    belief = begin(model, prefix, no_noise(model, *prefix.x.shape[:2]))
    rollout = imagine(model, belief, u, no_noise(model, len(u), u.shape[1])).x[0]
    gap = belief.gap[0]
    return Context(torch.cat([*(part[0] for part in belief.state), gap], -1), rollout, gap)


@torch.no_grad()
def predict_modes(
    model: TrainedModel,
    prefix: Tracks | np.ndarray,
    horizon: int | None = None,
    inputs: np.ndarray | Literal["hold"] | None = None,
) -> Forecast:
    """Give k futures of tracks that are to have one near whatever happens, and how likely each is to be that one.

    They have been learned (`vrnn.fit_modes`), for pasts as long as those of that training; one call of a network, and nothing
    is drawn: no samples of the model's distribution, but what best covers it and what the model gets wrong about it. For typical futures of a model without them,
    `Forecast.cluster` takes the centres of many samples.

    Args:
        prefix: tracks that the future follows, or an array, as of `forecast`.
        horizon: rows of a future, at most those that were learned; all of them when None.
        inputs: known inputs of the horizon as of `forecast`; the head sees the model's own way through them alone.

    Returns:
        a forecast whose `samples` are the k futures, likeliest first, `weights` their probabilities.

    Raises:
        ConfigError: a model whose representatives have not been learned, or a longer horizon.
        DataError: tracks that do not fit the model.

    Example:
        >>> import numpy as np, vrnn
        >>> tracks = vrnn.Tracks([np.cumsum(np.random.default_rng(i).normal(size=(12, 2)), 0) for i in range(20)])
        >>> run = vrnn.train(vrnn.VRNNConfig(x_dim=2, hidden=8), tracks, vrnn.TrainConfig(steps=5), quiet=True)
        >>> config = vrnn.ModesConfig(count=5, horizon=4, steps=5)
        >>> model = vrnn.fit_modes(run.model, tracks, config, quiet=True)
        >>> vrnn.predict_modes(model, tracks[:3])
        Forecast(5 paths of 4 steps for 3 tracks, x, y)
    """
    tracks, head = as_tracks(prefix, model), model.modes
    if head is None:
        raise ConfigError(
            "the model has no learned representatives yet: learn them with vrnn.fit_modes or vrnn modes RUN DATA, "
            "or take the centres of samples: forecast(...).cluster(k)"
        )
    learned = head.config.horizon
    horizon = learned if horizon is None else horizon
    if not 1 <= horizon <= learned:
        raise ConfigError(
            f"the representatives were learned for {learned} rows: expected a horizon up to that, found {horizon}"
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
                x, anchor, seen.gap.expand(len(x), -1, -1).cpu().double().numpy()
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


def check_modes(model: TrainedModel) -> None:
    """Refuse models whose futures no distance compares.

    Raises:
        UnsupportedError: a supervised model, or columns that are no positions.
    """
    is_increment, continuous = (
        model.preprocessor.transform.is_increment,
        model.network.family.continuous,
    )
    if model.network.supervised:
        raise UnsupportedError(
            "representatives are futures of x, which a supervised model does not draw"
        )
    if not all(continuous) or (is_increment.any() and not is_increment.all()):
        raise UnsupportedError(
            f"representatives are learned by distances between positions: expected every column to be one, found "
            f"{', '.join(model.preprocessor.x_names)}; train a model of the positions alone"
        )
