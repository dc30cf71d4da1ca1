"""Maps of paths in the plane: observed points, sampled futures, the true future."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from vrnn.column_names import latitude_longitude
from vrnn.errors import require
from vrnn.plots import canvas


def is_lat_lon(names: Sequence[str]) -> bool:
    """Return whether the names are latitude and longitude, which a map draws in reverse order.

    >>> is_lat_lon(("lat", "lon")), is_lat_lon(("x", "y"))
    (True, False)
    """
    return len(names) == 2 and latitude_longitude(names) == (0, 1)


def panels(count: int) -> tuple[Any, Shaped[np.ndarray, "rows columns"], int]:
    """Return a figure, the axes of its maps, and about how many ticks their axes have room for."""
    columns = min(3, count) if count != 4 else 2
    several = count > 1
    fig, axes = canvas.panels(count, columns, panel=(3.7, 3.5) if several else (5.4, 5.2))
    return fig, axes, 6 if several else 9


def set_map(
    axis: Any, limits: tuple[tuple[float, float], tuple[float, float]], ticks: int = 6
) -> None:
    """Turn a panel into a map: both axes in one scale, the given limits, round ticks."""
    axis.set(xlim=limits[0], ylim=limits[1], aspect="equal")
    axis.locator_params(nbins=ticks, steps=[1, 2, 5, 10])


def map_limits(
    always: list[np.ndarray], samples: Float[np.ndarray, "... time 2"], square: bool = True
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return limits of x and y with a margin, for all points but far sampled ones.

    Args:
        always: arrays (..., 2) of points that must be inside.
        samples: paths (..., time, 2). The outermost hundredth of them leaves the picture where it
            would enlarge it by more than a third.
        square: whether x and y have equal extents.

    Returns:
        (low, high) of x and (low, high) of y.

    >>> map_limits([np.zeros((1, 2))], np.array([[[0.0, 0.0], [1.0, 2.0]]]))
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


def name_axes(
    axes: Shaped[np.ndarray, "rows columns"], names: tuple[str, ...], units: str | None
) -> None:
    """Name the axes of the outer panels: the first column, and the lowest panel of each column."""
    for column in axes.T:
        lowest = [axis for axis in column if axis.axison][-1]
        lowest.set_xlabel(canvas.axis_label(names[0], units))
    for axis in axes[:, 0]:
        if axis.axison:
            axis.set_ylabel(canvas.axis_label(names[1], units))


def draw_history(axis: Any, path: Float[np.ndarray, "time 2"]) -> None:
    """Draw observed points: a dark line with a dot at each point and a large one at the last."""
    axis.plot(
        *path.T,
        color=canvas.INK,
        linewidth=2.0,
        marker="o",
        markersize=2.6,
        solid_capstyle="round",
        zorder=5,
    )
    axis.plot(
        *last_point(path),
        color=canvas.INK,
        marker="o",
        markersize=6.5,
        markeredgecolor="white",
        zorder=6,
    )


def draw_fan(
    axis: Any,
    paths: Float[np.ndarray, "sample time 2"],
    width: float = 1.1,
    alpha: float | None = None,
    ends: bool = True,
    colour: str | None = None,
) -> None:
    """Draw many paths as thin translucent lines, coloured from near to far in time.

    Args:
        axis: the panel.
        paths: positions (sample, time, 2); a piece with a NaN is left out.
        width: of the lines, in points.
        alpha: opacity of the lines; chosen by their number when None.
        ends: whether a dot marks the end of each path.
        colour: one colour for all of them, in place of those of time.
    """
    collection = require("matplotlib.collections", "plot").LineCollection
    alpha = opacity(len(paths)) if alpha is None else alpha
    pieces = np.stack([paths[:, :-1], paths[:, 1:]], axis=2)
    times = np.broadcast_to(np.linspace(0.0, 1.0, pieces.shape[1]), pieces.shape[:2])
    keep = np.isfinite(pieces).all(axis=(2, 3))
    coloured = {"array": times[keep], "cmap": canvas.near_to_far()}
    lines = collection(
        pieces[keep],
        **(coloured if colour is None else {"color": colour}),
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
            *last.T,
            s=5,
            color=canvas.NEAR_TO_FAR[-1] if colour is None else colour,
            alpha=min(1.0, 2.5 * alpha),
            linewidth=0,
            zorder=3,
        )


def draw_truth(axis: Any, path: Float[np.ndarray, "time 2"]) -> None:
    """Draw the true future: a dashed line with a white edge, which stands out from samples."""
    effects = require("matplotlib.patheffects", "plot")
    edge = [effects.withStroke(linewidth=3.4, foreground="white", alpha=0.85)]
    axis.plot(
        *path.T,
        color=canvas.TRUTH,
        linewidth=1.9,
        linestyle=canvas.DASHED,
        zorder=4,
        path_effects=edge,
    )
    axis.plot(
        *path[-1],
        color=canvas.TRUTH,
        marker="X",
        markersize=6.5,
        markeredgecolor="white",
        linestyle="",
        zorder=4,
    )


def add_path_legend(fig: Any, truth: bool, future: str, categories: Sequence[int] = ()) -> None:
    """Place a legend of the lines below all panels.

    Args:
        fig: the figure.
        truth: whether a true future is drawn.
        future: the name of the sampled futures.
        categories: those that futures are coloured by.
    """
    observed = canvas.line(canvas.INK, linewidth=2.0, marker="o", markersize=4)
    handles, names = [observed, canvas.strip()], ["observed", future]
    if truth:
        handles.append(canvas.line(canvas.TRUTH, linewidth=1.9, linestyle=canvas.DASHED))
        names.append("ground truth")
    for category in categories:
        handles.append(canvas.line(category_colour(category), linewidth=1.9))
        names.append(f"category {category + 1}")
    canvas.add_legend(fig, handles, names)


def category_colour(category: int) -> str:
    """Return the colour of a category, 0 the first."""
    return canvas.CATEGORIES[category % len(canvas.CATEGORIES)]


def opacity(count: int) -> float:
    """Return the opacity of one line among several.

    >>> round(opacity(1), 2), round(opacity(20), 2), round(opacity(400), 2)
    (0.8, 0.56, 0.12)
    """
    return float(np.clip(2.5 / np.sqrt(count), 0.04, 0.8))


def last_point(path: Float[np.ndarray, "time dim"]) -> Float[np.ndarray, "dim"]:
    """Return the last point that is not missing; NaN if all are.

    >>> last_point(np.array([[1.0, 2.0], [np.nan, np.nan]])).tolist()
    [1.0, 2.0]
    """
    whole = np.flatnonzero(np.isfinite(path).all(axis=-1))
    return path[whole[-1]] if len(whole) else np.full(path.shape[-1], np.nan)
