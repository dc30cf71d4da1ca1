"""New sequences from nothing but the model."""

from collections.abc import Mapping

import numpy as np
import torch

from vrnn.data.batch import Batch
from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, Function, Setting, UnsupportedError, check_seed
from vrnn.inference.begin import begin
from vrnn.inference.noise import Stream, draw_noise, seeded
from vrnn.kernels import imagine
from vrnn.tasks.constant_inputs import constant_inputs
from vrnn.training.resolve import ModelOrFolder, resolve_model


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
    """Sample new tracks x_{1:T} ~ p, latents from the prior, the model's own draws fed back.

    Under a displacement transform the first point is given: it is `start`, and `steps` - 1 points follow it.

    Args:
        count: tracks.
        steps: rows of each.
        seed: of all noise.
        start: first points in data units, (dim,) or (count, dim), for a displacement transform; when None the origin, and NaN
            in columns that the transform does not take displacements of. Under a heading transform all tracks head along +x.
        inputs: known inputs in data units, (count, steps, inputs), for a model that has any; or what stays the same in every
            row, by column, such as {"letter": "a"}.

    Raises:
        UnsupportedError: a forecasting RolloutVAE, which has no p(prefix), or a supervised model, which needs x.
        ConfigError: missing inputs, sizes below 1, a start for a model that draws the first point itself, or none for one
            that knows its position.

    Example:
        >>> import numpy as np, vrnn
        >>> walk = lambda i: np.cumsum(np.random.default_rng(i).normal(size=(12, 2)), 0)
        >>> tracks = vrnn.Tracks([walk(i) for i in range(20)])
        >>> config = vrnn.VRNNConfig(x_dim=2, hidden=8)
        >>> run = vrnn.train(tracks, config=config, training=vrnn.TrainConfig(steps=5), quiet=True)
        >>> vrnn.generate(model=run.model, count=3, steps=10).lengths.tolist()
        [10, 10, 10]
    """
    model = resolve_model(model)
    network, preprocessor = model.network, model.preprocessor
    transform = preprocessor.transform
    check_seed(seed)
    if network.conditions:
        raise UnsupportedError(
            "a forecasting RolloutVAE models the future of a prefix and has no distribution "
            "of prefixes to generate from",
            hint=(
                "train it with ",
                Setting("task", "autoencoding"),
                ", or use ",
                Function("forecast"),
            ),
        )
    if network.supervised:
        raise UnsupportedError(
            "a supervised model draws y given x and cannot generate x",
            hint=("use ", Function("forecast")),
        )
    if count < 1 or steps < 1 + transform.given:
        raise ConfigError(
            expected=(
                Setting("count"),
                f" of at least 1 and at least {1 + transform.given} ",
                Setting("steps"),
            ),
            found=f"{count} and {steps}",
        )
    if start is not None and not transform.given:
        raise ConfigError(
            "this model works in positions and draws the first point itself",
            hint=("leave ", Setting("start"), " out"),
        )
    if start is None and (preprocessor.position_mean or transform.plane):
        raise ConfigError(
            "this model knows where on the map it is",
            hint=(
                "give a ",
                Setting("start"),
                f", first points of {', '.join(preprocessor.x_names)}",
            ),
        )
    if start is not None and not np.isfinite(np.asarray(start, np.float64)).all():
        raise ConfigError(setting="start", expected="finite numbers", found="NaN or infinity")
    width = len(preprocessor.u_names)
    if isinstance(inputs, Mapping):
        inputs = constant_inputs(preprocessor.u_names, inputs, count, steps)
    if width and inputs is None:
        raise ConfigError(
            f"the model has known inputs ({', '.join(preprocessor.u_names)}): give them, "
            f"(count, steps, {width})"
        )
    u = np.zeros((count, steps, 0)) if inputs is None else np.asarray(inputs, np.float64)
    if u.shape != (count, steps, width):
        raise ConfigError(f"expected inputs of shape {(count, steps, width)}, found {u.shape}")
    times = np.broadcast_to(preprocessor.step * np.arange(steps)[:, None], (count, steps, 1))
    dim, drawn = transform.dim, steps - transform.given
    unknown = np.where(transform.is_increment, 0.0, np.nan)
    origin = np.broadcast_to(
        unknown if start is None else np.asarray(start, np.float64), (count, dim)
    )
    known = preprocessor.inputs(u, times, origin)[:, transform.given :].to(
        next(network.parameters())
    )
    noise = draw_noise(network, 1, count, drawn, seeded(seed, Stream.GENERATE))
    empty = Batch.of(known.new_zeros(count, 0, dim), u=known[:, :0])
    x = imagine(network, begin(network, empty, noise), known, noise).x.cpu().double().numpy()
    path = transform.decode(x, transform.begin(origin))[0]
    if transform.given:
        path = np.concatenate([origin[:, None], path], 1)
    return Tracks(
        list(path),
        times=list(times[..., 0]),
        u=list(u),
        x_names=preprocessor.x_names,
        u_names=preprocessor.u_names,
    )
