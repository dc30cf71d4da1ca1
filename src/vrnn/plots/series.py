"""Panels of values against time: a column for each track, a row for each dimension."""

from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from vrnn.errors import require
from vrnn.plots import canvas

MOST_ROWS = 4
"""Most dimensions that are drawn against time; further ones are left out."""


def figure(dims: int, columns: int) -> tuple[Any, Shaped[np.ndarray, "rows columns"]]:
    """Return a figure and the axes of its panels."""
    rows = min(MOST_ROWS, dims)
    size = (4.4 if columns > 1 else 7.0, 1.9 if rows > 1 else 2.9)
    return canvas.figure(rows, columns, panel=size)


def draw_paths(
    axis: Any,
    times: Shaped[np.ndarray, " time"],
    paths: Float[np.ndarray, "sample time"],
    middle: Float[np.ndarray, " time"],
) -> None:
    """Draw the central 50 % and 90 % of paths, a few of them, and a line through their middle."""
    low, inner_low, inner_high, high = np.quantile(paths, [0.05, 0.25, 0.75, 0.95], axis=0)
    near, far = canvas.NEAR_TO_FAR[1:3]
    axis.fill_between(times, low, high, color=far, alpha=0.18, linewidth=0)
    axis.fill_between(times, inner_low, inner_high, color=near, alpha=0.30, linewidth=0)
    axis.plot(times, paths[:12].T, color=canvas.MEAN, linewidth=0.6, alpha=0.3)
    axis.plot(times, middle, color=canvas.MEAN, linewidth=2.0)


def finish(
    fig: Any,
    axes: Shaped[np.ndarray, "rows columns"],
    names: tuple[str, ...],
    units: str | None,
    time: str,
    middle: str,
    truth: bool = False,
) -> None:
    """Name the axes, and place a legend below all panels.

    Args:
        fig, axes: from `figure`.
        names, units: those of the dimensions.
        time: name of the lowest axes.
        middle: name of the line through the middle of the paths.
        truth: whether a true future is drawn.
    """
    for axis in axes[:-1].flat:
        axis.tick_params(labelbottom=False)
    for axis in axes[-1]:
        axis.set_xlabel(time)
    for axis, name in zip(axes[:, 0], names, strict=False):
        axis.set_ylabel(canvas.axis_label(name, units))
    fig.align_ylabels(axes[:, 0])
    patch = require("matplotlib.patches", "plot").Patch
    handles = [
        canvas.line(canvas.INK, linewidth=1.8, marker="o", markersize=4),
        canvas.line(canvas.MEAN, linewidth=2.0),
        patch(color=canvas.NEAR_TO_FAR[1], alpha=0.42, linewidth=0),
        patch(color=canvas.NEAR_TO_FAR[2], alpha=0.18, linewidth=0),
    ]
    labels = ["observed", middle, "central 50 %", "90 %"]
    if truth:
        handles.append(canvas.line(canvas.TRUTH, linewidth=1.9, linestyle=canvas.DASHED))
        labels.append("ground truth")
    canvas.add_legend(fig, handles, labels)
