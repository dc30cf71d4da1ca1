"""Scores of all tracks beside the calibration set, or of the time steps of one track."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from vrnn.errors import DataError, require
from vrnn.plots import canvas

NAMED = 10
"""Most tracks above the threshold that are named; without a threshold the three highest are."""
FAR = 12.0
"""The axis bends where a score is this many interquartile ranges above the median."""


def plot_scores(
    score: Float[np.ndarray, " tracks"],
    path: str | Path = "scores.png",
    ids: Sequence[str] | None = None,
    threshold: float | None = None,
    calibration: Float[np.ndarray, " calibration"] | None = None,
    title: str | None = None,
) -> Path:
    """Draw the scores of tracks in rising order, with those of the calibration set as a line.

    Tracks like those of the calibration set lie along the line. Unusual ones leave it at the right
    end. Those above the threshold are marked and named.

    Args:
        score: mean minus log-density of the time steps of each track, (N,); NaN is left out.
        path: the picture to write; its ending names the format.
        ids: names of the tracks.
        threshold: score above which a track is unusual.
        calibration: scores of the calibration set, (M,).
        title: shown over the picture.

    Returns:
        The path written.

    Raises:
        DataError: no score to draw.
        MissingExtraError: matplotlib is absent.
    """
    order = np.argsort(score, kind="stable")
    order = order[np.isfinite(score[order])]
    if not len(order):
        raise DataError("expected at least one finite score to draw, found none")
    normal = np.sort(np.zeros(0) if calibration is None else calibration)
    normal = normal[np.isfinite(normal)]
    value, place = score[order], 100 * (np.arange(len(order)) + 0.5) / len(order)
    fig, axes = canvas.figure(1, 1, panel=(7.2, 4.2))
    axis = axes[0, 0]
    _bend(axis, np.concatenate([value, normal]))
    if len(normal):
        share = 100 * (np.arange(len(normal)) + 0.5) / len(normal)
        axis.plot(share, normal, color=canvas.QUIET, linewidth=2.0, zorder=2)
    above = value > (np.inf if threshold is None else threshold)
    axis.scatter(place[~above], value[~above], s=14, color=canvas.MEAN, linewidth=0, zorder=3)
    _mark(axis, place[above], value[above], s=34, zorder=4)
    if threshold is not None:
        limit = {"linewidth": 1.2, "linestyle": canvas.DASHED}
        axis.axhline(threshold, color=canvas.TRUTH, **limit, zorder=1)
    named = min(NAMED, int(above.sum()) if threshold is not None else 3, len(value))
    axis.set_xlim(-1, 101)
    axis.set_ylim(*axis.get_ylim())  # so that drawing names does not move it
    if ids is not None:
        _name(axis, [(place[-i], value[-i], ids[order[-i]]) for i in range(1, named + 1)])
    axis.set_xlabel("tracks, in order of score (%)")
    axis.set_ylabel("score (nats a time step)")
    _legend(fig, len(value), len(normal), threshold, int(above.sum()))
    canvas.add_title(fig, title)
    return canvas.save(fig, path)


def plot_time_steps(
    times: Float[np.ndarray, " time"],
    log_prob: Float[np.ndarray, " time"],
    pit: Float[np.ndarray, " time"] | None = None,
    path: str | Path = "steps.png",
    unlikely: float = 0.01,
    title: str | None = None,
) -> Path:
    """Draw minus the log-density of each time step of a track, with unlikely ones marked.

    Args:
        times: times of the steps, (time,).
        log_prob: log p(x_t | x_{<t}) in nats, (time,); NaN where nothing is scored.
        pit: probability integral transform of log_prob, (time,); None marks nothing.
        path: the picture to write; its ending names the format.
        unlikely: time steps whose `pit` is below this probability are marked.
        title: shown over the picture.

    Returns:
        The path written.

    Raises:
        DataError: no scored time step.
        MissingExtraError: matplotlib is absent.
    """
    there = np.isfinite(log_prob)
    if not there.any():
        raise DataError("expected at least one scored time step to draw, found none")
    fig, axes = canvas.figure(1, 1, panel=(7.2, 3.4))
    axis = axes[0, 0]
    _bend(axis, -log_prob[there])
    value, marked = np.where(there, -log_prob, np.nan), np.zeros(len(there), bool)
    if pit is not None:
        marked = there & (pit < unlikely)
    axis.plot(times, value, color=canvas.MEAN, linewidth=1.4, marker="o", markersize=3.2, zorder=2)
    _mark(axis, times[marked], value[marked], s=40, zorder=3)
    axis.margins(x=0.02)
    axis.set_xlabel("time")
    axis.set_ylabel("minus log-density (nats)")
    handles = [
        canvas.line(canvas.MEAN, linewidth=1.4, marker="o", markersize=4),
        canvas.line(canvas.TRUTH, linestyle="", marker="o", markersize=6),
    ]
    count = int(marked.sum())
    names = [
        f"{int(there.sum())} time steps",
        f"{count} less likely than {100 * (1 - unlikely):g} % of the model's own draws",
    ]
    canvas.add_legend(fig, handles[: 1 + (count > 0)], names[: 1 + (count > 0)])
    canvas.add_title(fig, title)
    return canvas.save(fig, path)


def _mark(axis: Any, x: np.ndarray, y: np.ndarray, **style: Any) -> None:
    """Draw the points that a picture points out."""
    axis.scatter(x, y, color=canvas.TRUTH, edgecolor="white", linewidth=0.8, **style)


def _bend(axis: Any, values: Float[np.ndarray, " scores"]) -> None:
    """Compress the axis far above the median, so that one high score does not hide the others."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    width = max(high - low, 1e-9 * max(1.0, abs(middle)))
    if values.max() - middle <= FAR * width:
        return
    forward = lambda v: np.arcsinh((v - middle) / (2 * width))  # noqa: E731
    axis.set_yscale("function", functions=(forward, lambda v: np.sinh(v) * 2 * width + middle))
    ticker = require("matplotlib.ticker", "plot")
    near = ticker.MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(values.min(), middle + 2 * width)
    powers = np.arange(np.floor(np.log10(width)), np.ceil(np.log10(np.abs(values).max())) + 1)
    round_ones = (0.0, *(m * 10.0**p for p in powers for m in (1, 2, 5)))
    far = [tick for tick in round_ones if near[-1] < tick < 2 * values.max()]
    ticks: list[float] = []
    for tick in (*near, *far):  # far enough above the one below that their numbers do not meet
        if not ticks or forward(tick) - forward(ticks[-1]) > 0.06 * (
            forward(values.max()) - forward(low)
        ):
            ticks.append(float(tick))
    axis.set_yticks(ticks, [ticker.ScalarFormatter.fix_minus(f"{tick:g}") for tick in ticks])
    axis.minorticks_off()


def _name(axis: Any, points: list[tuple[float, float, str]]) -> None:
    """Place names beside the panel, from the highest point down, each near its point."""
    place, last = axis.transData + axis.transAxes.inverted(), 1.06
    for x, y, name in points:
        last = min(place.transform((x, y))[1], last - 0.06)
        axis.annotate(
            name, (x, y), (1.03, last), xycoords="data", textcoords="axes fraction", va="center",
            color=canvas.INK, fontsize=8.5, annotation_clip=False,
            arrowprops={
                "arrowstyle": "-", "color": canvas.QUIET, "linewidth": 0.6,
                "shrinkA": 1, "shrinkB": 3,
            },
        )  # fmt: skip


def _legend(fig: Any, count: int, normal: int, threshold: float | None, above: int) -> None:
    """Place a legend with the number of tracks, calibration tracks and tracks above a threshold."""
    dot = canvas.line(canvas.MEAN, linestyle="", marker="o", markersize=4)
    handles, names = [dot], [f"{count} track" + "s" * (count != 1)]
    if normal:
        handles.append(canvas.line(canvas.QUIET, linewidth=2.0))
        names.append(f"{normal} calibration track" + "s" * (normal != 1))
    if threshold is not None:
        limit = {"linewidth": 1.2, "linestyle": canvas.DASHED}
        handles.append(canvas.line(canvas.TRUTH, **limit, marker="o", markersize=6))
        names.append(f"{above} above threshold {threshold:.4g}")
    canvas.add_legend(fig, handles, names)
