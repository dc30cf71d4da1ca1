"""Reliability: how often the truth lies in the predictive regions of each size."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from vrnn.errors import DataError
from vrnn.plots import canvas

STEPS = 4
"""Most time steps ahead that are drawn: the first, the last, and others between."""


def plot_reliability(
    level: Float[np.ndarray, "window horizon"],
    path: str | Path = "reliability.png",
    ahead: Float[np.ndarray, " horizon"] | None = None,
    units: str | None = None,
    title: str | None = None,
) -> Path:
    """Draw the coverage of predictive regions of every size.

    A calibrated model lies on the diagonal. Above it regions are too wide, below it too narrow.

    Args:
        level: fraction of the predictive distribution that is likelier than the truth, see
            `vrnn.reliability`.
        path: the picture to write; its ending names the format.
        ahead: how far ahead each time step is, in units of time; steps are counted when None.
        units: units of that time.
        title: shown over the picture.

    Returns:
        The path written.

    Raises:
        DataError: no window.
        MissingExtraError: matplotlib is absent.
    """
    if not level.size:
        raise DataError("expected at least one window to draw the reliability of, found none")
    count, horizon = level.shape
    steps = np.unique(np.linspace(0, horizon - 1, min(STEPS, horizon)).round().astype(int))
    fig, axes = canvas.figure(1, 1, panel=(5.0, 4.6))
    axis, colours = axes[0, 0], canvas.near_to_far()
    diagonal = {"linewidth": 1.2, "linestyle": canvas.DASHED, "zorder": 1}
    axis.plot([0, 100], [0, 100], color=canvas.QUIET, **diagonal)
    nominal = np.linspace(0, 100, 101)
    handles, names = [], []
    for t in steps:
        covered = 100 * np.searchsorted(np.sort(level[:, t]), nominal / 100, side="left") / count
        colour = colours(t / max(1, horizon - 1))
        handles += axis.plot(nominal, covered, color=colour, linewidth=2.0, zorder=3)
        names.append(
            f"step {t + 1}"
            if ahead is None
            else f"{ahead[t]:.4g}{f' {units}' if units else ''} ahead"
        )
    axis.set(xlim=(0, 100), ylim=(0, 100), aspect="equal")
    axis.set_xlabel("region should hold (%)")
    axis.set_ylabel(f"truth inside it (% of {count} windows)")
    canvas.add_legend(fig, handles, names)
    canvas.add_title(fig, title)
    return canvas.save(fig, path)
