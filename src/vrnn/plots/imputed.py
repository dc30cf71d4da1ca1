"""Imputed gaps: sampled paths through the longest gap of each track."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from vrnn.errors import DataError, require
from vrnn.plots import canvas, maps
from vrnn.plots.forecast import MOST_ROWS

AROUND = 4
"""Least number of rows shown on each side of a gap; a longer gap gets its own length."""
PATHS = 60
"""Most paths that are drawn as lines."""


def plot_imputed(
    tracks: Sequence[np.ndarray],
    samples: Sequence[Float[np.ndarray, "sample time dim"]],
    path: str | Path = "imputed.png",
    times: Sequence[np.ndarray] | None = None,
    count: int = 6,
    names: Sequence[str] = ("x", "y"),
    units: str | None = None,
    title: str | None = None,
    ids: Sequence[str] | None = None,
) -> Path:
    """Draw the longest gap of the first tracks that have one: sampled paths and their mean.

    A path in the plane (dim 2) gets a map, both axes in one scale. Any other dim gets one row for
    each of the first 4 dimensions. These panels show the mean and the central 50 % and 90 % of the
    paths against time.

    Args:
        tracks: observed points, one array (time, dim) for each track; NaN where missing.
        samples: paths through the gaps, one array (sample, time, dim) for each track.
        path: the picture to write; its ending names the format.
        times: times of the rows, one array (time,) for each track; 0, 1, 2, ... when omitted.
        count: the most tracks to draw.
        names, units: those of the dimensions.
        title: shown over the picture.
        ids: names of the tracks, shown over the panels.

    Returns:
        The path written.

    Raises:
        DataError: no gap to draw.
        MissingExtraError: matplotlib is absent.
    """
    filled = [np.isnan(x) & np.isfinite(s[0]) for x, s in zip(tracks, samples, strict=True)]
    shown = [i for i, gap in enumerate(filled) if gap.any()][:count]
    if not shown:
        raise DataError("expected a track with a filled gap to draw, found none")
    planar, turned = tracks[0].shape[-1] == 2, maps.is_lat_lon(names)
    columns = slice(None, None, -1 if turned else 1)
    parts = []
    for i in shown:
        rows = _around(filled[i].any(-1))
        when = np.arange(len(tracks[i])) if times is None else times[i]
        parts.append((when[rows], tracks[i][rows, columns], samples[i][:, rows, columns]))
    dim = tracks[0].shape[-1]
    names = tuple(names)[columns] if len(names) == dim else tuple(f"x{d}" for d in range(dim))
    labels = None if ids is None else [ids[i] for i in shown]
    fig = (_maps if planar else _series)(parts if planar else parts[:3], names, units, labels)
    canvas.add_title(fig, title)
    return canvas.save(fig, path)


def _around(gap: Bool[np.ndarray, " time"]) -> slice:
    """Return the rows of the longest gap with some before and after it.

    >>> _around(np.arange(40) == 20)
    slice(16, 25, None)
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], gap.astype(int), [0]])))
    starts, ends = edges[::2], edges[1::2]
    longest = int((ends - starts).argmax())
    start, end = int(starts[longest]), int(ends[longest])
    room = max(AROUND, end - start)
    return slice(max(0, start - room), end + room)


def _maps(
    parts: list[Any], names: tuple[str, ...], units: str | None, ids: list[str] | None
) -> Any:
    """Return a figure with one map for each part of a track."""
    columns = min(3, len(parts)) if len(parts) != 4 else 2
    fig, axes = canvas.figure(
        -(-len(parts) // columns), columns, panel=(3.7, 3.5) if len(parts) > 1 else (5.4, 5.2)
    )
    for axis in axes.flat[len(parts) :]:
        axis.set_axis_off()
    for axis, (_, seen, drawn) in zip(axes.flat, parts, strict=False):
        inside = _beside(np.isnan(seen).any(-1))
        mean = drawn.mean(0)
        axis.plot(*seen.T, color=canvas.INK, linewidth=2.0, marker="o", markersize=3.2, zorder=5)
        through = np.where(inside[:, None], drawn[:PATHS], np.nan)
        alpha = maps.opacity(len(through))
        lines = np.concatenate([through, np.full_like(through[:, :1], np.nan)], 1).reshape(-1, 2)
        axis.plot(*lines.T, color=canvas.NEAR_TO_FAR[2], linewidth=1.0, alpha=alpha, zorder=2)
        axis.plot(
            *np.where(inside[:, None], mean, np.nan).T,
            color=canvas.MEAN, linewidth=1.8, zorder=4,
        )  # fmt: skip
        axis.plot(
            *mean[np.isnan(seen).any(-1)].T,
            color=canvas.MEAN, marker="o", markersize=3.6, linestyle="", zorder=4,
        )  # fmt: skip
        whole = drawn[:, np.isfinite(drawn).all((0, 2))]
        maps.set_map(axis, maps.map_limits([seen], whole), ticks=6 if len(parts) > 1 else 9)
    _title(axes.flat, ids)
    maps.name_axes(axes, names, units)
    lines = require("matplotlib.lines", "plot")
    handles = [
        lines.Line2D([], [], color=canvas.INK, linewidth=2.0, marker="o", markersize=4),
        lines.Line2D([], [], color=canvas.NEAR_TO_FAR[2], linewidth=1.6),
        lines.Line2D([], [], color=canvas.MEAN, linewidth=1.8, marker="o", markersize=4),
    ]
    shown = min(PATHS, len(parts[0][2]))
    canvas.add_legend(fig, handles, ["observed", f"{shown} sampled paths", "mean of all paths"])
    return fig


def _series(
    parts: list[Any], names: tuple[str, ...], units: str | None, ids: list[str] | None
) -> Any:
    """Return a figure with a column for each part of a track and a row for each dimension."""
    dims = min(MOST_ROWS, len(names))
    fig, axes = canvas.figure(
        dims, len(parts), panel=(4.4 if len(parts) > 1 else 7.0, 1.9 if dims > 1 else 2.9)
    )
    for (times, seen, drawn), column in zip(parts, axes.T, strict=True):
        edges = np.quantile(drawn, [0.05, 0.25, 0.75, 0.95], axis=0)
        mean = drawn.mean(0)
        for d, axis in enumerate(column):
            inside = _beside(np.isnan(seen[:, d]))
            low, inner_low, inner_high, high = np.where(inside, edges[..., d], np.nan)
            axis.fill_between(
                times, low, high, color=canvas.NEAR_TO_FAR[2], alpha=0.18, linewidth=0
            )
            axis.fill_between(
                times, inner_low, inner_high, color=canvas.NEAR_TO_FAR[1], alpha=0.30, linewidth=0
            )
            paths = np.where(inside, drawn[:12, :, d], np.nan)
            axis.plot(times, paths.T, color=canvas.MEAN, linewidth=0.6, alpha=0.3)
            axis.plot(times, np.where(inside, mean[:, d], np.nan), color=canvas.MEAN, linewidth=2.0)
            axis.plot(
                times, seen[:, d], color=canvas.INK, linewidth=1.8, marker="o", markersize=2.6
            )
            axis.margins(x=0.02)
            axis.tick_params(labelbottom=d == dims - 1)
        column[-1].set_xlabel("time", color=canvas.INK, fontsize=9)
    _title(axes[0], ids)
    for axis, name in zip(axes[:, 0], names, strict=False):
        axis.set_ylabel(canvas.axis_label(name, units), color=canvas.INK, fontsize=9)
    fig.align_ylabels(axes[:, 0])
    lines, patches = require("matplotlib.lines", "plot"), require("matplotlib.patches", "plot")
    handles = [
        lines.Line2D([], [], color=canvas.INK, linewidth=1.8, marker="o", markersize=4),
        lines.Line2D([], [], color=canvas.MEAN, linewidth=2.0),
        patches.Patch(color=canvas.NEAR_TO_FAR[1], alpha=0.42, linewidth=0),
        patches.Patch(color=canvas.NEAR_TO_FAR[2], alpha=0.18, linewidth=0),
    ]
    canvas.add_legend(
        fig, handles, ["observed", f"mean of {len(parts[0][2])} paths", "central 50 %", "90 %"]
    )
    return fig


def _title(axes: Iterable[Any], ids: list[str] | None) -> None:
    """Place the name of each track over its panel."""
    for axis, name in zip(axes, ids or [], strict=False):
        axis.set_title(name, color=canvas.INK, fontsize=10, loc="left")


def _beside(missing: Bool[np.ndarray, " time"]) -> Bool[np.ndarray, " time"]:
    """Return True at missing rows and at the observed ones next to them, where paths begin.

    >>> _beside(np.array([False, False, True, False])).tolist()
    [False, True, True, True]
    """
    wide = np.concatenate([[False], missing, [False]])
    return wide[1:-1] | wide[2:] | wide[:-2]
