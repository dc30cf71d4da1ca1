"""New tracks, from nothing but the model."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float

from vrnn.data.batch import Batch
from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, Function, Setting, UnsupportedError, check_at_least, check_seed
from vrnn.inference.noise import draw_noise
from vrnn.inference.random_numbers import Stream, track_numbers
from vrnn.inference.rollout import condition, rollout
from vrnn.inference.traits import reads_prefix
from vrnn.tasks.constant_inputs import constant_inputs
from vrnn.trained import TrainedModel
from vrnn.training.resolve import ModelOrFolder, check_fitted, resolve_model


@torch.no_grad()
def generate(
    *,
    model: ModelOrFolder,
    count: int = 8,
    steps: int = 50,
    seed: int = 0,
    start: np.ndarray | None = None,
    inputs: np.ndarray | Mapping[str, str | float] | None = None,
) -> Tracks:
    """Return new tracks x_{1:T} ~ p.

    Latents are drawn from the prior, and the model reads its own draws. Under a displacement
    transform the first point is given: it is `start`, and `steps` - 1 points follow it.

    Args:
        model: a trained model, or the path of a run folder.
        count: number of tracks.
        steps: rows of each.
        seed: seed of all noise.
        start: first points in data units, (dim,) or (count, dim), for a displacement transform.
            None is the origin, and NaN in columns without displacements. Under a heading
            transform all tracks head along +x.
        inputs: known inputs in data units, (count, steps, inputs), for a model that has any. A
            mapping gives the value of each column, the same in every row: {"letter": "a"}.

    Raises:
        UnsupportedError: a forecasting RolloutVAE, which has no p(prefix), or a supervised model,
            which needs x.
        ConfigError: inputs that are missing, sizes below 1, or a start where none fits or where
            one is needed.

    Example:
        >>> import numpy as np, vrnn
        >>> walk = lambda i: np.cumsum(np.random.default_rng(i).normal(size=(12, 2)), 0)
        >>> tracks = vrnn.Tracks([walk(i) for i in range(20)])
        >>> config = vrnn.VRNNConfig(x_dim=2, hidden=8)
        >>> run = vrnn.train(tracks, config=config, training=vrnn.TrainConfig(steps=5), quiet=True)
        >>> vrnn.generate(model=run.model, count=3, steps=10).lengths.tolist()
        [10, 10, 10]
    """
    check_seed(seed)
    model = resolve_model(model)
    check_fitted(model, "tracks that it generates")
    _check_generates(model)
    network, preprocessor = model.network, model.preprocessor
    transform, given = preprocessor.transform, preprocessor.transform.given
    check_at_least(1, count=count)
    check_at_least(1 + given, steps=steps)
    origin = _origin(model, start, count)
    u = _inputs(model, inputs, count, steps)
    times = np.broadcast_to(preprocessor.step * np.arange(steps)[:, None], (count, steps, 1))
    known = preprocessor.inputs(u, times, origin)[:, given:].to(model.weight)
    source = track_numbers(seed, Stream.GENERATE, [str(i) for i in range(count)])
    noise = draw_noise(network, 1, count, steps - given, source)
    empty = Batch.of(known.new_zeros(count, 0, transform.dim), u=known[:, :0])
    drawn = rollout(network, condition(network, empty, noise), known, noise).x
    path = model.decode(drawn, transform.begin(origin))[0]
    if given:
        path = np.concatenate([origin[:, None], path], 1)
    return Tracks(
        list(path),
        times=list(times[..., 0]),
        u=list(u),
        x_names=preprocessor.x_names,
        u_names=preprocessor.u_names,
    )


def _check_generates(model: TrainedModel) -> None:
    """Refuse a model without a distribution of whole tracks."""
    if reads_prefix(model.network):
        raise UnsupportedError(
            "a RolloutVAE that forecasts has no distribution of prefixes to generate from",
            hint=(
                "train it with ",
                Setting("task", "autoencoding"),
                ", or use ",
                Function("forecast"),
            ),
        )
    if model.network.supervised:
        raise UnsupportedError(
            "a supervised model draws y given x and cannot generate x",
            hint=("use ", Function("forecast")),
        )


def _origin(
    model: TrainedModel, start: np.ndarray | None, count: int
) -> Float[np.ndarray, "{count} dim"]:
    """Return the first point of every track."""
    preprocessor, transform = model.preprocessor, model.preprocessor.transform
    if start is None:
        if preprocessor.position_mean or transform.plane:
            raise ConfigError(
                "this model knows where on the map it is",
                hint=(
                    "give a ",
                    Setting("start"),
                    f", first points of {', '.join(preprocessor.x_names)}",
                ),
            )
        start = np.where(transform.is_increment, 0.0, np.nan)
    elif not transform.given:
        raise ConfigError(
            "this model works in positions and draws the first point itself",
            hint=("leave ", Setting("start"), " out"),
        )
    elif not np.isfinite(np.asarray(start, np.float64)).all():
        raise ConfigError(setting="start", expected="finite numbers", found="NaN or infinity")
    return np.broadcast_to(np.asarray(start, np.float64), (count, transform.dim))


def _inputs(
    model: TrainedModel,
    inputs: np.ndarray | Mapping[str, str | float] | None,
    count: int,
    steps: int,
) -> Float[np.ndarray, "{count} {steps} inputs"]:
    """Return the inputs in data units."""
    names = model.preprocessor.u_names
    if isinstance(inputs, Mapping):
        inputs = constant_inputs(names, inputs, count, steps)
    if names and inputs is None:
        raise ConfigError(
            f"the model has known inputs ({', '.join(names)})",
            expected=f"values of the shape {(count, steps, len(names))}",
            found="none",
            hint="give them, or one value for each column",
        )
    u = np.zeros((count, steps, 0)) if inputs is None else np.asarray(inputs, np.float64)
    if u.shape != (count, steps, len(names)):
        expected = (count, steps, len(names))
        raise ConfigError(expected=f"known inputs of the shape {expected}", found=u.shape)
    return u
