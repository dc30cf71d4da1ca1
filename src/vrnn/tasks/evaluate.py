"""Evaluation of forecasts against what happened, beside constant velocity, with the rule of every number."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Float, Int

from vrnn.data.batch import Batch
from vrnn.data.tracks import Tracks
from vrnn.data.windows import windows
from vrnn.errors import ConfigError, DataError, Function, Setting, UnsupportedError, check_seed
from vrnn.geo import great_circle, to_cartesian
from vrnn.inference.noise import Stream, draw_noise, seeded
from vrnn.kernels import embed, unroll
from vrnn.metrics.clusters import cluster_paths
from vrnn.metrics.displacement import (
    average_displacement,
    best_of,
    constant_velocity,
    euclidean,
    final_displacement,
)
from vrnn.metrics.scores import energy_score
from vrnn.objectives.elbo import log_jacobian
from vrnn.tasks.futures import PASS_SIZE, Futures, futures
from vrnn.tasks.modes import predict_modes
from vrnn.trained import TrainedModel
from vrnn.training.resolve import ModelOrFolder, resolve_model

Selection = Literal["samples", "clusters", "modes"]


@dataclass(frozen=True)
class ForecastScores:
    """Hold the scores of a model, means over windows; distances in data units, of a geographic transform in its own, `nll` in nats per
    step of data units."""

    ade: float
    fde: float
    min_ade: float
    min_fde: float
    nll: float
    energy_score: float


@dataclass(frozen=True)
class Baseline:
    """Hold the scores of constant velocity: the last displacement repeated."""

    ade: float
    fde: float


RULES = """\
ADE, FDE: mean and final distance of the mean of all samples from the truth. minADE, minFDE: the best of K futures a window, each
by its own best. samples: K plain samples (quasi-random ones repel each other); clusters: the K centres of {pool} samples, chosen without the truth;
modes: the K futures of a mode set, which was fitted for the best of K.
NLL: minus the log of the mean, over K filtered states, of the (bounded) density of the true future, per step.
Energy score: of plain samples, the whole future one vector, unbiased form (of quasi-random ones that of the K points themselves). Constant velocity: the last displacement repeated.
Windows: every run of {rows} complete rows at the usual time step, stride 1."""


@dataclass(frozen=True)
class Evaluation:
    """Hold the evaluation of a forecasting model."""

    windows: int
    samples: int
    selection: Selection
    model: ForecastScores
    constant_velocity: Baseline
    observe: int
    horizon: int
    samples_per_cluster: int = 10
    qmc: bool = False
    unit: str = ""
    temperature: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Give what `vrnn evaluate --json` prints."""
        values = asdict(self)
        shown = ["windows", "samples", "selection", "model", "constant_velocity"]
        shown += ["qmc"] if self.qmc else []
        shown += ["temperature"] if self.temperature != 1 else []
        return {k: values[k] for k in shown}

    def to_text(self) -> str:
        """Give the table, the baseline beside the model, and the rules."""
        m, c = self.model, self.constant_velocity
        names = (
            "",
            "ADE",
            "FDE",
            f"minADE{self.samples}",
            f"minFDE{self.samples}",
            "NLL/step",
            "energy",
        )
        rows = [
            ("model", m.ade, m.fde, m.min_ade, m.min_fde, m.nll, m.energy_score),
            ("constant velocity", c.ade, c.fde, c.ade, c.fde, math.nan, math.nan),
        ]
        head = f"{self.windows} windows, {self.observe} observed, {self.horizon} forecast, {self.samples} {'quasi-random ' if self.qmc else ''}{self.selection}"
        head += f", distances in {self.unit} along great circles" if self.unit else ""
        head += (
            f", at temperature {self.temperature:g} (the NLL at 1)" if self.temperature != 1 else ""
        )
        lines = [
            head,
            "",
            "".join(f"{n:>18}" if not i else f"{n:>11}" for i, n in enumerate(names)),
        ]
        for name, *values in rows:
            cells = "".join(f"{v:>11.3f}" if not math.isnan(v) else f"{'-':>11}" for v in values)
            lines.append(f"{name:>18}{cells}")
        rules = RULES.format(
            pool=self.samples * self.samples_per_cluster, rows=self.observe + self.horizon
        )
        return "\n".join([*lines, "", rules])


@dataclass(frozen=True)
class TargetEvaluation:
    """Hold the evaluation of a supervised model on whole tracks; `nll` in nats per observed row of y, in data units."""

    tracks: int
    rows: int
    samples: int
    rmse: float
    nll: float
    mean_rmse: float  # of always saying the training mean

    def to_dict(self) -> dict[str, Any]:
        return {
            "tracks": self.tracks,
            "rows": self.rows,
            "samples": self.samples,
            "model": {"rmse": self.rmse, "nll": self.nll},
            "training_mean": {"rmse": self.mean_rmse},
        }

    def to_text(self) -> str:
        return (
            f"{self.tracks} tracks, {self.rows} rows of y, {self.samples} samples\n\n"
            f"{'':>15}{'RMSE':>10}{'NLL/row':>10}\n"
            f"{'model':>15}{self.rmse:>10.3f}{self.nll:>10.3f}\n"
            f"{'training mean':>15}{self.mean_rmse:>10.3f}{'-':>10}\n\n"
            "RMSE: of the mean over samples that have not seen y. NLL: minus the log of the "
            "mean importance weight of K "
            "samples, an upper bound on -log p(y | x), per observed row."
        )


def evaluate(
    tracks: Tracks | np.ndarray,
    *,
    model: ModelOrFolder,
    observe: int = 8,
    horizon: int = 12,
    samples: int = 20,
    selection: Selection = "samples",
    samples_per_cluster: int = 10,
    seed: int = 0,
    qmc: bool = False,
    temperature: float = 1.0,
) -> Evaluation | TargetEvaluation:
    """Evaluate forecasts of every window of tracks, beside constant velocity.

    Distances are over the columns that the transform takes displacements of, all columns when it takes none; of a geographic transform
    they are great circles, in its unit. A supervised model is
    evaluated on y of whole tracks, and `observe` and `horizon` are not used.

    Args:
        observe: rows known.
        horizon: rows to forecast.
        samples: futures a window, K.
        selection: where the K futures of minADE and minFDE come from: plain samples, the centres of K clusters of samples,
            or the K modes that `fit_modes` has fitted.
        samples_per_cluster: samples drawn for each cluster.
        seed: of all noise.
        qmc: draw them by quasi-random normals, see `forecast`.
        temperature: of the futures, see `forecast`; the NLL is the model's at 1.

    Raises:
        DataError: no track has `observe` + `horizon` consecutive complete rows.
        ConfigError: sizes that make no sense, or that the modes do not have.
        UnsupportedError: a temperature other than 1 of a supervised model, or with an emission whose draws are not reparameterised.

    Example:
        >>> import numpy as np, vrnn
        >>> walk = lambda i: np.cumsum(np.random.default_rng(i).normal(size=(12, 2)), 0)
        >>> tracks = vrnn.Tracks([walk(i) for i in range(20)])
        >>> config = vrnn.VRNNConfig(x_dim=2, hidden=8)
        >>> run = vrnn.train(tracks, config=config, training=vrnn.TrainConfig(steps=5), quiet=True)
        >>> vrnn.evaluate(tracks, model=run.model, observe=4, horizon=6).windows
        60
    """
    _check(observe, horizon, samples, selection, seed, samples_per_cluster)
    model = resolve_model(model)
    tracks = model.as_tracks(tracks)
    if model.network.supervised:
        if temperature != 1:
            raise UnsupportedError(
                "a supervised model is evaluated on the distribution that it has",
                found=temperature,
                hint=("leave ", Setting("temperature"), " 1"),
            )
        return _evaluate_targets(model, tracks, samples, seed)
    cut, space = windows(tracks, observe + horizon), _space(model)
    points = np.stack(cut.x)[..., space.columns]
    past, truth = points[:, :observe], points[:, observe:]
    u = np.stack(cut.u)[:, observe:] if cut.u_dim else None
    modes = _modes(model, cut, observe, horizon, samples) if selection == "modes" else None
    clustered = selection == "clusters"
    drawn = futures(
        model,
        cut.cut(stop=observe),
        horizon,
        samples * samples_per_cluster if clustered else samples,
        seed,
        u,
        qmc=qmc,
        temperature=temperature,
    )
    parts = []
    for f in drawn:
        paths, true = f.decode()[..., space.columns], truth[f.rows]
        plain = chosen = paths[:samples]
        if modes is not None:
            chosen = modes[:, f.rows][..., space.columns]
        elif clustered:
            chosen = cluster_paths(paths, samples, seed=seed)[0]
        mean = paths.mean(0)
        parts.append(
            (
                average_displacement(mean, true, space.distance),
                final_displacement(mean, true, space.distance),
                *best_of(chosen, true, space.distance),
                _future_nll(f, cut[f.rows], observe, samples, seed),
                energy_score(space.embed(plain), space.embed(true), fair=not qmc),
            )
        )
    values = [float(np.concatenate(column).mean()) for column in zip(*parts, strict=True)]
    straight = constant_velocity(past, horizon)
    return Evaluation(
        windows=len(cut),
        samples=samples,
        selection=selection,
        model=ForecastScores(*values),
        constant_velocity=Baseline(
            float(average_displacement(straight, truth, space.distance).mean()),
            float(final_displacement(straight, truth, space.distance).mean()),
        ),
        observe=observe,
        horizon=horizon,
        samples_per_cluster=samples_per_cluster,
        qmc=qmc,
        unit=space.unit,
        temperature=temperature,
    )


def _check(
    observe: int,
    horizon: int,
    samples: int,
    selection: Selection,
    seed: int,
    samples_per_cluster: int,
) -> None:
    """Refuse settings out of range."""
    check_seed(seed)
    if observe < 2 or horizon < 1 or samples < 2:
        raise ConfigError(
            expected=(
                Setting("observe"),
                " and ",
                Setting("samples"),
                " of at least 2 and ",
                Setting("horizon"),
                " of at least 1",
            ),
            found=f"{observe}, {samples}, {horizon}",
        )
    if selection not in get_args(Selection):
        raise ConfigError(
            setting="selection",
            expected=f"one of {', '.join(get_args(Selection))}",
            found=repr(selection),
        )
    if samples_per_cluster < 2:
        raise ConfigError(
            setting="samples_per_cluster", expected="at least 2", found=samples_per_cluster
        )


class _Space(NamedTuple):
    """Hold what positions are and how far apart they are: in a plane, or on the globe.

    Attributes:
        columns: those of x that are positions.
        distance: between points.
        embed: puts points where the distance is that of a vector, for the energy score.
        unit: of the distance, "" where it is the data's own.
    """

    columns: Int[np.ndarray, " position"]
    distance: Callable[[np.ndarray, np.ndarray], np.ndarray]
    embed: Callable[[np.ndarray], np.ndarray]
    unit: str


def _space(model: TrainedModel) -> _Space:
    transform = model.preprocessor.transform
    if (plane := transform.plane) is not None:
        return _Space(
            np.array([plane.lat, plane.lon]),
            partial(great_circle, radius=plane.radius),
            partial(to_cartesian, radius=plane.radius),
            plane.unit,
        )
    columns = (
        np.flatnonzero(transform.is_increment)
        if transform.is_increment.any()
        else np.arange(len(transform.is_increment))
    )
    return _Space(columns, euclidean, lambda points: points, "")


def _modes(
    model: TrainedModel, cut: Tracks, observe: int, horizon: int, samples: int
) -> Float[np.ndarray, "k batch horizon dim"]:
    """Return the modes of every window."""
    head = model.modes
    if head is not None and head.config.count != samples:
        raise ConfigError(
            f"the model has {head.config.count} modes",
            expected=("as many ", Setting("samples")),
            found=samples,
        )
    inputs = np.stack(cut.u)[:, observe:] if cut.u_dim else None
    past = cut.cut(stop=observe)
    return predict_modes(past, model=model, horizon=horizon, inputs=inputs).samples


def whole_rows(f: Futures, cut: Tracks, observe: int) -> tuple[Batch, int]:
    """Encode whole windows, prefix and future, and give the rows of the prefix."""
    preprocessor = f.model.preprocessor
    heading = preprocessor.transform.heading
    if heading is not None:
        cut, observe = cut.cut(start=observe - heading.row - 1), heading.row + 1
    return preprocessor.batch(cut)[0].to(f.u), observe - preprocessor.transform.given


@torch.no_grad()
def _future_nll(
    f: Futures, cut: Tracks, observe: int, samples: int, seed: int
) -> Float[np.ndarray, " batch"]:
    """Minus log of the mean over filtered states of the density of the true future, nats per step of data units."""
    network = f.model.network
    whole, rows = whole_rows(f, cut, observe)
    prefix, rest = whole.split(rows)
    if network.conditions:
        embedded = embed(network, rest, prefix)
    else:
        embedded = embed(network, whole, row_by_row=True).after(rows)
    belief = f.belief.map(lambda s: s[:samples])
    horizon = rest.x.shape[1]
    noise = draw_noise(
        network,
        samples,
        len(rest.x),
        horizon,
        seeded(seed, Stream.FUTURE_NLL, f.rows.start),
        observations=False,
    )
    log_weight = unroll(network, rest, noise, embedded=embedded, start=belief).log_weight
    log_mean = torch.logsumexp(log_weight, 0) - math.log(samples) + log_jacobian(rest)
    return -(log_mean / horizon).cpu().double().numpy()


@torch.no_grad()
def _evaluate_targets(
    model: TrainedModel, tracks: Tracks, samples: int, seed: int
) -> TargetEvaluation:
    network, preprocessor = model.network, model.preprocessor
    if not tracks.y_dim:
        raise ConfigError(
            f"a supervised model is evaluated on its targets ({', '.join(preprocessor.y_names)})",
            hint=("map columns to ", Setting("Columns.y")),
        )
    tracks = preprocessor.trim(tracks, 1 + preprocessor.transform.given)
    if not len(tracks):
        raise DataError(
            "no track has a usable row of x to evaluate on", hint=("see ", Function("describe"))
        )
    squares, mean_squares, log_likelihood, rows, entries = 0.0, 0.0, 0.0, 0, 0
    size = max(1, PASS_SIZE // samples)
    scale, mean = np.array(preprocessor.y_scale), np.array(preprocessor.y_mean)
    for start in range(0, len(tracks), size):
        batch = (
            preprocessor.batch(tracks[start : start + size])[0]
            .swap_target()
            .to(next(network.parameters()))
        )
        count, time = batch.x.shape[:2]
        noise = draw_noise(network, samples, count, time, seeded(seed, Stream.TARGETS, start))
        blind = unroll(network, batch, noise, proposal="prior")
        predicted = blind.emission.mean.mean(0).cpu().double().numpy() * scale + mean
        truth = batch.x.cpu().double().numpy() * scale + mean
        there = batch.present.cpu().numpy()
        squares += float(((predicted - truth) ** 2)[there].sum())
        mean_squares += float(((truth - mean) ** 2)[there].sum())
        weight = (blind if network.tied else unroll(network, batch, noise)).log_weight
        log_likelihood += float(
            (torch.logsumexp(weight, 0) - math.log(samples) + log_jacobian(batch)).sum()
        )
        rows, entries = rows + int(batch.mask.sum()), entries + int(there.sum())
    if not rows:
        raise DataError(
            f"no row of y ({', '.join(preprocessor.y_names)}) is observed; there is nothing "
            "to evaluate on"
        )
    return TargetEvaluation(
        tracks=len(tracks),
        rows=rows,
        samples=samples,
        rmse=math.sqrt(squares / entries),
        nll=-log_likelihood / rows,
        mean_rmse=math.sqrt(mean_squares / entries),
    )
