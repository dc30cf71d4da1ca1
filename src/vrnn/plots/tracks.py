"""Whole tracks, generated or observed: a grid of panels, or all of them on one map."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vrnn.errors import DataError, require
from vrnn.plots import canvas

MOST_PANELS = 24
"""Panels in a grid; further tracks are left out."""


def plot_tracks(
    tracks: Sequence[np.ndarray],
    path: str | Path = "tracks.png",
    overlay: bool | None = None,
    names: Sequence[str] = ("x", "y"),
    units: str | None = None,
    title: str | None = None,
) -> Path:
    """Draw tracks from start to end, in a grid or over one another.

    Args:
        tracks: one array (time, dim) a track; NaN where missing. A dim other than 2 is drawn against time.
        path: the picture to write; the ending says which kind.
        overlay: one map for all tracks; by default where there are more than 12 paths in the plane.
        names, units: of the dimensions.
        title: over the picture.

    Returns:
        The path written.

    Raises:
        DataError: no track to draw.
        MissingExtraError: matplotlib is absent.
    """
    if not len(tracks):
        raise DataError("expected at least one track to draw, found none")
    tracks = [np.asarray(track, np.float64) for track in tracks]
    if canvas.turned(names):
        tracks, names = [track[:, ::-1] for track in tracks], names[::-1]
    planar = tracks[0].shape[-1] == 2
    if planar and (len(tracks) > 12 if overlay is None else overlay):
        fig = _overlay(tracks, tuple(names), units)
    else:
        fig = _grid(tracks[:MOST_PANELS], planar, tuple(names), units)
    canvas.head(fig, title)
    return canvas.save(fig, path)


def _overlay(tracks: list[np.ndarray], names: tuple[str, ...], units: str | None):
    x_limits, y_limits = canvas.bounds(tracks, np.zeros((0, 1, 2)), square=False)
    ratio = float(np.clip((y_limits[1] - y_limits[0]) / (x_limits[1] - x_limits[0]), 0.4, 1.5))
    fig, axes = canvas.figure(1, 1, panel=(6.4, 6.4 * ratio))
    axis = axes[0, 0]
    for track in tracks:
        canvas.draw_fan(axis, track[None], width=1.3, alpha=canvas.opacity(len(tracks)) + 0.15)
    starts = np.stack([track[0] for track in tracks])
    axis.scatter(*starts.T, s=11, color=canvas.INK, linewidth=0, alpha=0.8, zorder=4)
    canvas.set_map(axis, (x_limits, y_limits), ticks=10)
    canvas.name_axes(axes, names, units)
    _legend(fig, len(tracks))
    return fig


def _grid(tracks: list[np.ndarray], planar: bool, names: tuple[str, ...], units: str | None):
    columns = min(len(tracks), 4 if len(tracks) <= 12 else 6)
    rows = -(-len(tracks) // columns)
    panel = (2.5, 2.4) if planar else (3.0, 2.0)
    if len(tracks) == 1:
        panel = (5.0, 4.8) if planar else (7.0, 3.0)
    fig, axes = canvas.figure(rows, columns, panel=panel)
    for axis in axes.flat[len(tracks) :]:
        axis.set_axis_off()
    for axis, track in zip(axes.flat, tracks, strict=False):
        if planar:
            canvas.draw_fan(axis, track[None], width=2.0, alpha=1.0, ends=False)
            draw = {"color": canvas.INK, "marker": "o", "markersize": 5, "markeredgecolor": "white"}
            axis.plot(*track[0], **draw, zorder=4)
            canvas.set_map(axis, canvas.bounds([track], np.zeros((0, 1, 2))), ticks=4)
        else:
            for series, colour in zip(track.T, _colours(track.shape[-1]), strict=True):
                axis.plot(series, color=colour, linewidth=1.4)
    if planar:
        canvas.name_axes(axes, names, units)
        _legend(fig, len(tracks))
    else:
        dim = tracks[0].shape[-1]
        names = names if len(names) == dim else tuple(f"x{d}" for d in range(dim))
        canvas.name_axes(
            axes, ("step", canvas.label("value" if dim > 1 else names[0], units)), None
        )
        if 1 < dim <= 8:
            lines = require("matplotlib.lines", "plot")
            handles = [
                lines.Line2D([], [], color=colour, linewidth=2.0) for colour in _colours(dim)
            ]
            canvas.place_legend(fig, handles, list(names))
    return fig


def _legend(fig, count: int) -> None:
    lines = require("matplotlib.lines", "plot")
    start = lines.Line2D([], [], color=canvas.INK, marker="o", markersize=5, linestyle="")
    strip = tuple(
        lines.Line2D([], [], color=c, linewidth=2.4, solid_capstyle="butt") for c in _colours(7)
    )
    noun = "track" if count == 1 else "tracks"
    canvas.place_legend(fig, [start, strip], ["start", f"{count} {noun}, early to late"])


def _colours(count: int) -> np.ndarray:
    return canvas.near_to_far()(np.linspace(0.0, 1.0, count))
