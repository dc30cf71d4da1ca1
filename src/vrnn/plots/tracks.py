"""Whole tracks in a grid of panels or on one map."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vrnn.errors import DataError
from vrnn.plots import canvas, maps

MOST_PANELS = 24
"""Most panels in a grid; further tracks are left out."""
MOST_APART = 12
"""Paths in the plane that get a panel each by default; more of them share one map."""


def plot_tracks(
    tracks: Sequence[np.ndarray],
    path: str | Path = "tracks.png",
    overlay: bool | None = None,
    names: Sequence[str] = ("x", "y"),
    units: str | None = None,
    title: str | None = None,
) -> Path:
    """Draw tracks from start to end, in a grid of panels or on one map.

    Args:
        tracks: one array (time, dim) for each track; NaN where missing. A dim other than 2 is drawn
            against time.
        path: the picture to write; its ending names the format.
        overlay: whether all tracks share one map; by default more than 12 paths in the plane do.
        names, units: those of the dimensions.
        title: shown over the picture.

    Returns:
        The path written.

    Raises:
        DataError: no track to draw.
        MissingExtraError: matplotlib is absent.
    """
    if not len(tracks):
        raise DataError("expected at least one track to draw, found none")
    tracks = [np.asarray(track, np.float64) for track in tracks]
    if maps.is_lat_lon(names):
        tracks, names = [track[:, ::-1] for track in tracks], names[::-1]
    planar = tracks[0].shape[-1] == 2
    if planar and (len(tracks) > MOST_APART if overlay is None else overlay):
        fig = _overlay(tracks, tuple(names), units)
    else:
        fig = _grid(tracks[:MOST_PANELS], planar, tuple(names), units)
    canvas.add_title(fig, title)
    return canvas.save(fig, path)


def _overlay(tracks: list[np.ndarray], names: tuple[str, ...], units: str | None):
    """Return a figure with all tracks on one map."""
    x_limits, y_limits = maps.map_limits(tracks, np.zeros((0, 1, 2)), square=False)
    ratio = float(np.clip((y_limits[1] - y_limits[0]) / (x_limits[1] - x_limits[0]), 0.4, 1.5))
    fig, axes = canvas.figure(1, 1, panel=(6.4, 6.4 * ratio))
    axis = axes[0, 0]
    for track in tracks:
        maps.draw_fan(axis, track[None], width=1.3, alpha=maps.opacity(len(tracks)) + 0.15)
    starts = np.stack([track[0] for track in tracks])
    axis.scatter(*starts.T, s=11, color=canvas.INK, linewidth=0, alpha=0.8, zorder=4)
    maps.set_map(axis, (x_limits, y_limits), ticks=10)
    maps.name_axes(axes, names, units)
    _legend(fig, len(tracks))
    return fig


def _grid(tracks: list[np.ndarray], planar: bool, names: tuple[str, ...], units: str | None):
    """Return a figure with a panel for each track."""
    columns = min(len(tracks), 4 if len(tracks) <= MOST_APART else 6)
    panel = (2.5, 2.4) if planar else (3.0, 2.0)
    if len(tracks) == 1:
        panel = (5.0, 4.8) if planar else (7.0, 3.0)
    fig, axes = canvas.panels(len(tracks), columns, panel)
    for axis, track in zip(axes.flat, tracks, strict=False):
        if planar:
            maps.draw_fan(axis, track[None], width=2.0, alpha=1.0, ends=False)
            draw = {"color": canvas.INK, "marker": "o", "markersize": 5, "markeredgecolor": "white"}
            axis.plot(*track[0], **draw, zorder=4)
            maps.set_map(axis, maps.map_limits([track], np.zeros((0, 1, 2))), ticks=4)
        else:
            for series, colour in zip(track.T, _colours(track.shape[-1]), strict=True):
                axis.plot(series, color=colour, linewidth=1.4)
    if planar:
        maps.name_axes(axes, names, units)
        _legend(fig, len(tracks))
    else:
        dim = tracks[0].shape[-1]
        names = names if len(names) == dim else tuple(f"x{d}" for d in range(dim))
        maps.name_axes(
            axes, ("step", canvas.axis_label("value" if dim > 1 else names[0], units)), None
        )
        if 1 < dim <= 8:
            handles = [canvas.line(colour, linewidth=2.0) for colour in _colours(dim)]
            canvas.add_legend(fig, handles, list(names))
    return fig


def _legend(fig, count: int) -> None:
    """Place a legend with the start and the colours of the tracks."""
    start = canvas.line(canvas.INK, marker="o", markersize=5, linestyle="")
    noun = "track" if count == 1 else "tracks"
    canvas.add_legend(fig, [start, canvas.strip()], ["start", f"{count} {noun}, early to late"])


def _colours(count: int) -> Float[np.ndarray, "{count} 4"]:
    """Return colours from near to far in time."""
    return canvas.near_to_far()(np.linspace(0.0, 1.0, count))
