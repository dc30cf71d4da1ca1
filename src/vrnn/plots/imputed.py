"""Imputed gaps: sampled paths through the longest gap of each track."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from vrnn.errors import DataError
from vrnn.plots import canvas, maps, series

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
    fig, axes, ticks = maps.panels(len(parts))
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
        maps.set_map(axis, maps.map_limits([seen], whole), ticks)
    canvas.name_panels(axes.flat, ids)
    maps.name_axes(axes, names, units)
    handles = [
        canvas.line(canvas.INK, linewidth=2.0, marker="o", markersize=4),
        canvas.line(canvas.NEAR_TO_FAR[2], linewidth=1.6),
        canvas.line(canvas.MEAN, linewidth=1.8, marker="o", markersize=4),
    ]
    shown = min(PATHS, len(parts[0][2]))
    canvas.add_legend(fig, handles, ["observed", f"{shown} sampled paths", "mean of all paths"])
    return fig


def _series(
    parts: list[Any], names: tuple[str, ...], units: str | None, ids: list[str] | None
) -> Any:
    """Return a figure with a column for each part of a track and a row for each dimension."""
    fig, axes = series.figure(len(names), len(parts))
    for (times, seen, drawn), column in zip(parts, axes.T, strict=True):
        for d, axis in enumerate(column):
            paths = np.where(_beside(np.isnan(seen[:, d])), drawn[..., d], np.nan)
            series.draw_paths(axis, times, paths, paths.mean(0))
            axis.plot(
                times, seen[:, d], color=canvas.INK, linewidth=1.8, marker="o", markersize=2.6
            )
            axis.margins(x=0.02)
    canvas.name_panels(axes[0], ids)
    series.finish(fig, axes, names, units, "time", f"mean of {len(parts[0][2])} paths")
    return fig


def _beside(missing: Bool[np.ndarray, " time"]) -> Bool[np.ndarray, " time"]:
    """Return True at missing rows and at the observed ones next to them, where paths begin.

    >>> _beside(np.array([False, False, True, False])).tolist()
    [False, True, True, True]
    """
    wide = np.concatenate([[False], missing, [False]])
    return wide[1:-1] | wide[2:] | wide[:-2]
