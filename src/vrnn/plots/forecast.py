"""Forecasts beside observed points and the true future, one panel for each track."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from vrnn.errors import DataError
from vrnn.plots import canvas, maps, series


def plot_forecast(
    history: Sequence[np.ndarray] | np.ndarray,
    samples: Float[np.ndarray, "sample batch horizon dim"],
    truth: Float[np.ndarray, "batch horizon dim"] | None = None,
    path: str | Path = "forecast.png",
    count: int = 6,
    names: Sequence[str] = ("x", "y"),
    units: str | None = None,
    title: str | None = None,
    ids: Sequence[str] | None = None,
) -> Path:
    """Draw sampled futures of the first tracks, with observed points and the true future.

    A path in the plane (dim 2) gets one map for each track, both axes in one scale. Any other dim
    gets one column for each track and one row for each of the first 4 dimensions. These panels show
    the median and the central 50 % and 90 % of the samples against time.

    Args:
        history: observed points (batch, time, dim), or one array (time, dim) for each track; NaN
            where missing.
        samples: sampled futures (sample, batch, horizon, dim).
        truth: true futures (batch, horizon, dim).
        path: the picture to write; its ending names the format.
        count: the most tracks to draw.
        names: names of the dimensions.
        units: units of the dimensions, shown on the axes.
        title: shown over the picture.
        ids: names of the tracks, shown over the panels.

    Returns:
        The path written.

    Raises:
        DataError: no track to draw, or numbers of tracks that differ.
        MissingExtraError: matplotlib is absent.
    """
    batch, dim = samples.shape[1], samples.shape[-1]
    if not batch or len(history) != batch or (truth is not None and len(truth) != batch):
        raise DataError(
            "expected the same tracks in history, samples and truth, at least one, found "
            f"{len(history)}, {batch} and {'none' if truth is None else len(truth)}"
        )
    if not np.isfinite(samples).all():
        raise DataError("expected finite samples to draw, found NaN or infinity")
    if maps.is_lat_lon(names):
        history, samples, names = [h[:, ::-1] for h in history], samples[..., ::-1], names[::-1]
        truth = None if truth is None else truth[..., ::-1]
    history, samples = history[:count], samples[:, :count]
    if dim != 2 and len(names) != dim:
        names = [f"x{d}" for d in range(dim)]
    fig = (_maps if dim == 2 else _series)(history, samples, truth, tuple(names), units, ids)
    canvas.add_title(fig, title)
    return canvas.save(fig, path)


def _maps(
    history: Any, samples: Any, truth: Any, names: tuple[str, ...], units: str | None, ids: Any
) -> Any:
    """Return a figure with one map for each track."""
    fig, axes, ticks = maps.panels(len(history))
    for i, (points, axis) in enumerate(zip(history, axes.flat, strict=False)):
        seen = np.asarray(points, np.float64)
        now = maps.last_point(seen)
        maps.draw_fan(axis, _joined(now, samples[:, i]))
        maps.draw_history(axis, seen)
        if truth is not None:
            maps.draw_truth(axis, _joined(now, truth[i]))
        limits = maps.map_limits([seen] if truth is None else [seen, truth[i]], samples[:, i])
        maps.set_map(axis, limits, ticks)
    canvas.name_panels(axes.flat[: len(history)], ids)
    maps.name_axes(axes, names, units)
    maps.add_path_legend(fig, truth is not None, future=_futures(len(samples)))
    return fig


def _series(
    history: Any, samples: Any, truth: Any, names: tuple[str, ...], units: str | None, ids: Any
) -> Any:
    """Return a figure with a column for each track and a row for each dimension."""
    fig, axes = series.figure(samples.shape[-1], min(3, len(history)))
    ahead = np.arange(samples.shape[2] + 1)
    for i, column in enumerate(axes.T):
        seen = np.asarray(history[i], np.float64)
        for d, axis in enumerate(column):
            now = seen[np.isfinite(seen[:, d]), d][-1:]
            start = now if len(now) else np.full(1, np.nan)
            first = np.broadcast_to(start, (len(samples), 1))
            future = np.concatenate([first, samples[:, i, :, d]], axis=1)
            series.draw_paths(axis, ahead, future, np.median(future, axis=0))
            past = np.arange(1 - len(seen), 1)
            axis.plot(past, seen[:, d], color=canvas.INK, linewidth=1.8, marker="o", markersize=2.2)
            if truth is not None:
                came = np.concatenate([start, truth[i][:, d]])
                axis.plot(ahead, came, color=canvas.TRUTH, linewidth=1.9, linestyle=canvas.DASHED)
            axis.axvline(0, color=canvas.QUIET, linewidth=0.8, linestyle=":")
            axis.margins(x=0.02)
            axis.xaxis.get_major_locator().set_params(integer=True)
    canvas.name_panels(axes[0], ids)
    time, middle = "steps from the last observation", f"median of {len(samples)} samples"
    series.finish(fig, axes, names, units, time, middle, truth is not None)
    return fig


def _joined(
    now: Float[np.ndarray, "2"], future: Float[np.ndarray, "*sample time 2"]
) -> Float[np.ndarray, "*sample joined 2"]:
    """Return futures that begin at the last observed point."""
    return np.concatenate([np.broadcast_to(now, (*future.shape[:-2], 1, 2)), future], axis=-2)


def _futures(count: int) -> str:
    return "future" if count == 1 else f"{count} futures"
