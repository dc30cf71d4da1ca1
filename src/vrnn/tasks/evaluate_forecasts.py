"""Evaluation of forecasts over all windows of tracks, beside constant velocity."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from vrnn.data.tracks import Tracks
from vrnn.data.windows import windows
from vrnn.errors import ConfigError, Setting
from vrnn.inference.embed import embed
from vrnn.inference.noise import Stream, draw_noise, seeded
from vrnn.inference.particle_filter import particle_filter
from vrnn.inference.traits import reads_prefix
from vrnn.metrics.clusters import cluster_paths
from vrnn.metrics.displacement import (
    average_displacement,
    best_of,
    constant_velocity,
    final_displacement,
)
from vrnn.metrics.scores import energy_score
from vrnn.objectives.terms import log_jacobian
from vrnn.tasks.evaluation import Baseline, Evaluation, ForecastScores, Selection
from vrnn.tasks.futures import Futures, futures
from vrnn.tasks.modes import predict_modes
from vrnn.tasks.position_space import position_space
from vrnn.tasks.sampling import SamplingConfig
from vrnn.trained import TrainedModel, to_numpy


@dataclass(frozen=True)
class ForecastTest:
    """What is forecast and how its best futures are chosen; see `evaluate` for each setting."""

    observe: int
    horizon: int
    selection: Selection
    samples_per_cluster: int


def evaluate_forecasts(
    model: TrainedModel, tracks: Tracks, test: ForecastTest, sampling: SamplingConfig
) -> Evaluation:
    """Return the scores of forecasts over all windows of tracks."""
    observe, samples, space = test.observe, sampling.samples, position_space(model)
    cut = windows(tracks, observe + test.horizon)
    points = np.stack(cut.x)[..., space.columns]
    past, truth = points[:, :observe], points[:, observe:]
    modes = _modes(model, cut, test, samples) if test.selection == "modes" else None
    drawn = sampling
    if test.selection == "clusters":
        drawn = replace(sampling, samples=samples * test.samples_per_cluster)
    prefixes, u = cut.cut(stop=observe), _future_inputs(cut, observe)
    parts = []
    for f in futures(model, prefixes, test.horizon, drawn, inputs=u):
        paths, true = f.decode()[..., space.columns], truth[f.rows]
        plain = chosen = paths[:samples]
        if modes is not None:
            chosen = modes[:, f.rows][..., space.columns]
        elif test.selection == "clusters":
            chosen = cluster_paths(paths, samples, seed=sampling.seed)[0]
        mean = paths.mean(0)
        parts.append(
            (
                average_displacement(mean, true, space.distance),
                final_displacement(mean, true, space.distance),
                *best_of(chosen, true, space.distance),
                future_nll(f, cut[f.rows], observe, samples, sampling.seed),
                energy_score(space.embed(plain), space.embed(true), fair=not sampling.qmc),
            )
        )
    values = [float(np.concatenate(column).mean()) for column in zip(*parts, strict=True)]
    straight = constant_velocity(past, test.horizon)
    return Evaluation(
        windows=len(cut),
        samples=samples,
        selection=test.selection,
        model=ForecastScores(*values),
        constant_velocity=Baseline(
            float(average_displacement(straight, truth, space.distance).mean()),
            float(final_displacement(straight, truth, space.distance).mean()),
        ),
        observe=observe,
        horizon=test.horizon,
        samples_per_cluster=test.samples_per_cluster,
        qmc=sampling.qmc,
        unit=space.unit,
        temperature=sampling.temperature,
    )


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
    generator = seeded(seed, Stream.FUTURE_NLL, f.rows.start)
    noise = draw_noise(
        network, samples, count, horizon, generator, observations=False, resampling=True
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
