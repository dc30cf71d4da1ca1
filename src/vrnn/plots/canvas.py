"""What all pictures share: colours, panels, legends, the drawing of paths, and saving.

Figures are plain `matplotlib.figure.Figure` objects, never pyplot's, so nothing needs a display, nothing is
global and nothing leaks.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from vrnn.errors import ConfigError, require
from vrnn.files import whole_file

INK = "#1d2433"
QUIET = "#8a93a3"
GRID = "#e9ecf1"
TRUTH = "#e4572e"
MEAN = "#2f4bb8"
NEAR_TO_FAR = ("#4b2fb0", "#2f6fd6", "#12a5b8", "#3fc380")
"""Colours of a future from its first step to its last."""


def figure(
    rows: int, columns: int, panel: tuple[float, float], share: bool = False
) -> tuple[Any, np.ndarray]:
    """Make a figure of panels of a size in inches; return it and its axes (rows, columns)."""
    matplotlib_figure = require("matplotlib.figure", "plot")
    fig = matplotlib_figure.Figure(
        figsize=(columns * panel[0], rows * panel[1] + 0.7), layout="compressed"
    )
    fig.set_facecolor("white")
    fig.get_layout_engine().set(w_pad=0.08, h_pad=0.08, wspace=0.02, hspace=0.03)
    axes = fig.subplots(rows, columns, squeeze=False, sharex=share, sharey=share)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["left", "bottom"]].set_color(QUIET)
        axis.tick_params(colors=QUIET, labelsize=8, length=3)
        axis.grid(color=GRID, linewidth=0.8)
        axis.set_axisbelow(True)
    return fig, axes


def save(fig: Any, path: str | Path) -> Path:
    """Write a figure beside its target and move it into place, so that no half-written picture is ever seen.

    Raises:
        ConfigError: a file ending that matplotlib does not know.
    """
    path = Path(path)
    kind, known = path.suffix.lstrip(".").lower(), sorted(fig.canvas.get_supported_filetypes())
    if kind not in known:
        raise ConfigError(
            f"{path}: expected a picture ending in one of .{', .'.join(known)}, found '{path.suffix}'; "
            f"try {path.with_suffix('.png')}"
        )
    with whole_file(path) as temporary:
        fig.savefig(temporary, format=kind, dpi=180)
    return path


def turned(names: Sequence[str]) -> bool:
    """Tell whether a plane is given as latitude and longitude, which a map draws the other way round.

    >>> turned(("lat", "lon")), turned(("x", "y"))
    (True, False)
    """
    return (
        len(names) == 2
        and names[0].lower().startswith("lat")
        and names[1].lower().startswith("lon")
    )


def label(name: str, units: str | None) -> str:
    """Name an axis, with its units if they are known.

    >>> label("x", "m"), label("x", None)
    ('x (m)', 'x')
    """
    return f"{name} ({units})" if units else name


def name_axes(axes: np.ndarray, names: tuple[str, ...], units: str | None) -> None:
    """Name the axes of maps on the outer panels: the first column, and the lowest panel of each column."""
    for column in axes.T:
        [axis for axis in column if axis.axison][-1].set_xlabel(
            label(names[0], units), color=INK, fontsize=9
        )
    for axis in axes[:, 0]:
        if axis.axison:
            axis.set_ylabel(label(names[1], units), color=INK, fontsize=9)


def near_to_far() -> Any:
    """Give the colour scale of time within a future."""
    return require("matplotlib.colors", "plot").LinearSegmentedColormap.from_list(
        "near_to_far", NEAR_TO_FAR
    )


def draw_fan(
    axis: Any,
    paths: Float[np.ndarray, "sample time 2"],
    width: float = 1.1,
    alpha: float | None = None,
    ends: bool = True,
) -> None:
    """Draw many paths as thin translucent lines, coloured from near to far in time."""
    collection = require("matplotlib.collections", "plot").LineCollection
    alpha = opacity(len(paths)) if alpha is None else alpha
    pieces = np.stack([paths[:, :-1], paths[:, 1:]], axis=2)
    colour = np.broadcast_to(np.linspace(0.0, 1.0, pieces.shape[1]), pieces.shape[:2])
    keep = np.isfinite(pieces).all(axis=(2, 3))
    lines = collection(
        pieces[keep],
        array=colour[keep],
        cmap=near_to_far(),
        alpha=alpha,
        linewidth=width,
        capstyle="butt",
        zorder=2,
    )
    lines.set_clim(0.0, 1.0)
    axis.add_collection(lines, autolim=False)
    if ends:
        last = paths[:, -1]
        axis.scatter(
            *last.T, s=5, color=NEAR_TO_FAR[-1], alpha=min(1.0, 2.5 * alpha), linewidth=0, zorder=3
        )


def draw_history(axis: Any, path: Float[np.ndarray, "time 2"]) -> None:
    """Draw what was observed: a dark line with a dot a point and a large one at the last."""
    axis.plot(
        *path.T,
        color=INK,
        linewidth=2.0,
        marker="o",
        markersize=2.6,
        solid_capstyle="round",
        zorder=5,
    )
    axis.plot(
        *last_point(path), color=INK, marker="o", markersize=6.5, markeredgecolor="white", zorder=6
    )


def draw_truth(axis: Any, path: Float[np.ndarray, "time 2"]) -> None:
    """Draw what came: a dashed line in the contrasting colour, edged in white to read over samples."""
    effects = require("matplotlib.patheffects", "plot")
    edge = [effects.withStroke(linewidth=3.4, foreground="white", alpha=0.85)]
    axis.plot(
        *path.T, color=TRUTH, linewidth=1.9, linestyle=(0, (3.2, 1.6)), zorder=4, path_effects=edge
    )
    axis.plot(
        *path[-1],
        color=TRUTH,
        marker="X",
        markersize=6.5,
        markeredgecolor="white",
        linestyle="",
        zorder=4,
    )


def opacity(count: int) -> float:
    """Choose how opaque one of count lines is.

    >>> round(opacity(1), 2), round(opacity(20), 2), round(opacity(400), 2)
    (0.8, 0.56, 0.12)
    """
    return float(np.clip(2.5 / np.sqrt(count), 0.04, 0.8))


def last_point(path: Float[np.ndarray, "time dim"]) -> Float[np.ndarray, "dim"]:
    """Give the last point that is not missing; NaN if none is.

    >>> last_point(np.array([[1.0, 2.0], [np.nan, np.nan]])).tolist()
    [1.0, 2.0]
    """
    whole = np.flatnonzero(np.isfinite(path).all(axis=-1))
    return path[whole[-1]] if len(whole) else np.full(path.shape[-1], np.nan)


def bounds(
    always: list[np.ndarray], samples: Float[np.ndarray, "... time 2"], square: bool = True
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Find limits of x and y that hold all of `always` and all sampled paths but far strays, with a margin.

    Args:
        always: arrays (..., 2) that must be seen whole.
        samples: paths (..., time, 2); where the outermost hundredth of them would stretch the picture by more
            than a third, they run out of it.
        square: equal extents in x and y.

    >>> bounds([np.zeros((1, 2))], np.array([[[0.0, 0.0], [1.0, 2.0]]]))
    ((-0.58, 1.58), (-0.08, 2.08))
    """
    paths = samples.reshape(-1, *samples.shape[-2:])
    paths = paths[np.isfinite(paths).all(axis=(1, 2))]
    held = np.concatenate([a.reshape(-1, 2) for a in always] + [np.zeros((0, 2))])
    held = held[np.isfinite(held).all(axis=1)]
    if len(paths):
        lows, highs = paths.min(axis=1), paths.max(axis=1)
        inner = np.stack([np.quantile(lows, 0.01, axis=0), np.quantile(highs, 0.99, axis=0)])
        inner, outer = np.concatenate([held, inner]), np.concatenate([held, lows, highs])
        held = (
            outer if (np.ptp(outer, axis=0) <= 4 / 3 * np.ptp(inner, axis=0).max()).all() else inner
        )
    low, high = (held.min(axis=0), held.max(axis=0)) if len(held) else (np.zeros(2), np.ones(2))
    centre, half = (low + high) / 2, (high - low) / 2
    widest = max(half.max(), 1e-9 * np.abs(centre).max(), 1e-6)
    half = np.full(2, widest) if square else np.maximum(half, 0.25 * widest)
    low, high = centre - half - 0.08 * widest, centre + half + 0.08 * widest
    return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))


def set_map(
    axis: Any, limits: tuple[tuple[float, float], tuple[float, float]], ticks: int = 6
) -> None:
    """Make a panel a map: the given limits, both axes in one scale, round ticks."""
    axis.set(xlim=limits[0], ylim=limits[1], aspect="equal")
    axis.locator_params(nbins=ticks, steps=[1, 2, 5, 10])


def legend(fig: Any, truth: bool, future: str, history: bool = True) -> None:
    """Name the lines once, below all panels."""
    lines = require("matplotlib.lines", "plot")
    handles: list[Any] = []
    names: list[str] = []
    if history:
        handles.append(lines.Line2D([], [], color=INK, linewidth=2.0, marker="o", markersize=4))
        names.append("observed")
    scale = near_to_far()(np.linspace(0.0, 1.0, 7))
    handles.append(
        tuple(lines.Line2D([], [], color=c, linewidth=2.4, solid_capstyle="butt") for c in scale)
    )
    names.append(future)
    if truth:
        handles.append(lines.Line2D([], [], color=TRUTH, linewidth=1.9, linestyle=(0, (3.2, 1.6))))
        names.append("ground truth")
    place_legend(fig, handles, names)


def place_legend(fig: Any, handles: list[Any], names: list[str]) -> None:
    """Put a legend outside, below the panels, in a row if it fits; a tuple of lines is drawn as one strip."""
    inches = [0.85 + 0.078 * len(name) for name in names]
    row = sum(inches) <= fig.get_figwidth()
    handler = require("matplotlib.legend_handler", "plot").HandlerTuple(ndivide=None, pad=0.0)
    fig.legend(
        handles,
        names,
        loc="outside lower center",
        ncols=len(names) if row else max(1, int(fig.get_figwidth() / max(inches))),
        frameon=False,
        fontsize=9.5,
        labelcolor=INK,
        handlelength=2.8,
        columnspacing=2.2,
        handler_map={tuple: handler},
    )


def head(fig: Any, title: str | None) -> None:
    """Put the title over all panels."""
    if title:
        fig.suptitle(title, color=INK, fontsize=13, fontweight="bold")
