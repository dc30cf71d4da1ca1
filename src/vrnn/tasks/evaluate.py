"""Evaluation of a model against what happened, beside baselines."""

from typing import get_args

import numpy as np

from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, Setting, UnsupportedError, check_at_least
from vrnn.tasks.evaluate_forecasts import evaluate_forecasts
from vrnn.tasks.evaluate_targets import evaluate_targets
from vrnn.tasks.evaluation import Evaluation, Selection, TargetEvaluation
from vrnn.tasks.sampling import SamplingConfig
from vrnn.tasks.window_scores import ForecastTest
from vrnn.training.resolve import ModelOrFolder, resolve_model


def evaluate(
    tracks: Tracks | np.ndarray,
    *,
    model: ModelOrFolder | None = None,
    observe: int = 8,
    horizon: int = 12,
    samples: int = 20,
    selection: Selection = "samples",
    samples_per_cluster: int = 10,
    seed: int = 0,
    qmc: bool = False,
    temperature: float = 1.0,
) -> Evaluation | TargetEvaluation:
    """Return the scores of a model's forecasts over all windows of tracks, and of three baselines.

    Distances are over the columns with displacements, or over all columns where there are none.
    Under a geographic transform they are great circles, in its unit. A supervised model is
    evaluated on y of whole tracks, without `observe` and `horizon`.

    The baselines are constant velocity, a random walk of the velocity and a Kalman filter. They
    see the same rows and draw as many samples. Those of more than one path need 3 observed rows,
    but for a Kalman filter that was fitted in training. Columns of categories have no baselines.

    Args:
        tracks: tracks, or an array (batch, time, dim) or (time, dim).
        model: a trained model, the path of a run folder, or None for the one that needs no training.
        observe: rows of the prefix.
        horizon: rows to forecast.
        samples: futures of each window, K.
        selection: the K futures of minADE and minFDE: plain "samples", the centres of K
            "clusters" of samples, or the K "modes" that `fit_modes` has fitted.
        samples_per_cluster: samples drawn for each cluster.
        seed: seed of all noise.
        qmc: draw quasi-random normals, see `forecast`.
        temperature: of the model's futures, see `forecast`. The NLL is that of temperature 1.

    Raises:
        DataError: no track has `observe` + `horizon` consecutive complete rows.
        ConfigError: numbers that are too small, an unknown selection, or another number of modes.
        UnsupportedError: a temperature of a supervised model, or with an emission whose draws are
            not reparameterised.

    Example:
        >>> import numpy as np, vrnn
        >>> walk = lambda i: np.cumsum(np.random.default_rng(i).normal(size=(12, 2)), 0)
        >>> tracks = vrnn.Tracks([walk(i) for i in range(20)])
        >>> config = vrnn.VRNNConfig(x_dim=2, hidden=8)
        >>> run = vrnn.train(tracks, config=config, training=vrnn.TrainConfig(steps=5), quiet=True)
        >>> vrnn.evaluate(tracks, model=run.model, observe=4, horizon=6).windows
        60
    """
    check_at_least(2, observe=observe, samples=samples, samples_per_cluster=samples_per_cluster)
    check_at_least(1, horizon=horizon)
    if selection not in get_args(Selection):
        raise ConfigError(
            setting="selection",
            expected=f"one of {', '.join(get_args(Selection))}",
            found=repr(selection),
        )
    sampling = SamplingConfig(samples, seed, qmc, temperature=temperature)
    model = resolve_model(model, tracks)
    tracks = model.as_tracks(tracks)
    if not model.network.supervised:
        test = ForecastTest(observe, horizon, selection, samples_per_cluster)
        return evaluate_forecasts(model, tracks, test, sampling)
    if temperature != 1:
        raise UnsupportedError(
            "a supervised model is evaluated on the distribution that it has",
            setting="temperature",
            expected="1",
            found=temperature,
            hint=("leave ", Setting("temperature"), " 1"),
        )
    return evaluate_targets(model, tracks, samples, seed)
