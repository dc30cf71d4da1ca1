"""Evaluation of forecasts over all windows of tracks, beside baselines."""

import math

import numpy as np
import torch
from jaxtyping import Float

from vrnn.data.position_space import PositionSpace, position_space
from vrnn.data.tracks import Tracks
from vrnn.data.windows import window_places, windows
from vrnn.errors import ConfigError, Setting
from vrnn.inference.embed import embed
from vrnn.inference.noise import draw_noise
from vrnn.inference.particle_filter import particle_filter
from vrnn.inference.random_numbers import Stream, track_numbers
from vrnn.inference.traits import reads_prefix
from vrnn.objectives.terms import log_jacobian
from vrnn.tasks.evaluate_baselines import better_than, evaluate_baselines
from vrnn.tasks.evaluation import Evaluation
from vrnn.tasks.futures import Futures, futures
from vrnn.tasks.modes import predict_modes
from vrnn.tasks.sampling import SamplingConfig
from vrnn.tasks.window_scores import ForecastTest, WindowScores, concatenate, score_paths
from vrnn.trained import TrainedModel, to_numpy


def evaluate_forecasts(
    model: TrainedModel, tracks: Tracks, test: ForecastTest, sampling: SamplingConfig
) -> Evaluation:
    """Return the scores of forecasts over all windows of tracks, and of baselines."""
    cut = windows(tracks, test.rows)
    space = position_space(model.preprocessor.transform)
    scores = _model_scores(model, cut, space, test, sampling)
    baselines = evaluate_baselines(model, cut, test, sampling)
    track = window_places(tracks, test.rows).track
    return Evaluation(
        windows=len(cut),
        samples=sampling.samples,
        selection=test.selection,
        model=scores.means(),
        baselines={name: each.means() for name, each in baselines.scores.items()},
        better_baselines=better_than(scores, baselines.scores, track),
        observe=test.observe,
        horizon=test.horizon,
        samples_per_cluster=test.samples_per_cluster,
        qmc=sampling.qmc,
        unit=space.unit,
        temperature=sampling.temperature,
        kalman_fit=baselines.kalman_fit,
    )


def _model_scores(
    model: TrainedModel,
    cut: Tracks,
    space: PositionSpace,
    test: ForecastTest,
    sampling: SamplingConfig,
) -> WindowScores:
    """Return the scores of a model's forecasts of whole windows."""
    observe, samples = test.observe, sampling.samples
    truth = np.stack(cut.x)[:, observe:, space.columns]
    modes = _modes(model, cut, test, samples) if test.selection == "modes" else None
    prefixes, u = cut.cut(stop=observe), _future_inputs(cut, observe)
    parts = []
    for f in futures(model, prefixes, test.horizon, test.drawn(sampling), inputs=u):
        paths = f.decode()[..., space.columns]
        if modes is None:
            candidates = test.candidates(paths, sampling)
        else:
            candidates = modes[:, f.rows][..., space.columns]
        nll = future_nll(f, cut[f.rows], observe, samples, sampling.seed)
        parts.append(score_paths(paths, candidates, truth[f.rows], nll, space, sampling))
    return concatenate(parts)


@torch.no_grad()
def future_nll(
    f: Futures, cut: Tracks, observe: int, samples: int, seed: int
) -> Float[np.ndarray, " batch"]:
    """Return the negative log-density of the true future, in nats per step of data units.

    The density is averaged over the states that the prefix leaves, by a particle filter that starts
    from them. It is unbiased, so minus its logarithm is an upper bound of the value in expectation.

    Args:
        f: futures, for the states that they begin from.
        cut: the whole windows.
        observe: rows of the prefix.
        samples: number of states.
        seed: seed of the latents.
    """
    network = f.model.network
    whole, rows = f.windows(cut, observe)
    prefix, rest = whole.split(rows)
    if reads_prefix(network):
        embedded = embed(network, rest, prefix)
    else:
        embedded = embed(network, whole).after(rows)
    belief = f.belief.map(lambda s: s[:samples])
    count, horizon = rest.x.shape[:2]
    source = track_numbers(seed, Stream.FUTURE_NLL, f.names)
    noise = draw_noise(
        network, samples, count, horizon, source, observations=False, resampling=True
    )
    start = belief._replace(
        log_weight=torch.full_like(belief.log_weight, -math.log(belief.log_weight.shape[0]))
    )
    found = particle_filter(network, rest, noise, embedded=embedded, start=start)
    return -to_numpy((found.log_prob.sum(-1) + log_jacobian(rest)) / horizon)


def _modes(
    model: TrainedModel, cut: Tracks, test: ForecastTest, samples: int
) -> Float[np.ndarray, "k batch horizon dim"]:
    """Return the modes of every window."""
    head = model.modes
    if head is not None and head.config.count != samples:
        raise ConfigError(
            f"the model has {head.config.count} modes",
            expected=("as many ", Setting("samples")),
            found=samples,
            hint=("set ", Setting("samples", head.config.count)),
        )
    past, u = cut.cut(stop=test.observe), _future_inputs(cut, test.observe)
    return predict_modes(past, model=model, horizon=test.horizon, inputs=u).samples


def _future_inputs(cut: Tracks, observe: int) -> Float[np.ndarray, "batch horizon inputs"] | None:
    """Return the inputs of the rows to forecast, in data units; None where there are none."""
    return np.stack(cut.u)[:, observe:] if cut.u_dim else None
