"""Futures of one prefix from several sources, side by side in one scale."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vrnn.errors import DataError
from vrnn.plots import canvas, maps


def plot_futures(
    history: Float[np.ndarray, "time 2"],
    futures: Mapping[str, np.ndarray],
    path: str | Path = "futures.png",
    truth: Float[np.ndarray, "horizon 2"] | None = None,
    notes: Mapping[str, str] | None = None,
    names: tuple[str, str] = ("x", "y"),
    units: str | None = None,
    title: str | None = None,
    categories: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """Draw the futures that several sources sample for one observed prefix.

    Each source, such as a model or the true process, gets one panel.

    Args:
        history: the observed prefix (time, 2).
        futures: sampled futures (sample, horizon, 2) by the name of their source; panels come in
            this order.
        path: the picture to write; its ending names the format.
        truth: the true future (horizon, 2), drawn in every panel.
        notes: short lines under the names of some sources, such as a score.
        names, units: those of the axes.
        title: shown over the picture.
        categories: for some sources, a whole number for each of its futures (sample,), which
            colours it.

    Returns:
        The path written.

    Raises:
        DataError: no source, samples that are not finite paths in the plane, or not one category
            for each of them.
        MissingExtraError: matplotlib is absent.
    """
    if not futures:
        raise DataError("expected at least one set of futures to draw, found none")
    for name, samples in futures.items():
        if samples.ndim != 3 or samples.shape[-1] != 2 or not np.isfinite(samples).all():
            raise DataError(
                f"{name}: expected finite futures (sample, horizon, 2) of one prefix, "
                f"found {samples.shape}"
                + ("" if np.isfinite(samples).all() else " with NaN or infinity")
            )
    notes, categories = notes or {}, categories or {}
    for name, of in categories.items():
        if of.shape != (len(futures[name]),):
            raise DataError(
                f"{name}: expected a category for each of {len(futures[name])} futures, "
                f"found {of.shape}"
            )
    now = maps.last_point(history)
    always = [history] if truth is None else [history, truth]
    edges = np.array(
        [maps.map_limits(always, samples, square=False) for samples in futures.values()]
    )
    low, high = edges[..., 0].min(axis=0), edges[..., 1].max(axis=0)
    ratio = float(np.clip((high - low)[1] / (high - low)[0], 0.5, 1.6))
    width = 4.0 if len(futures) > 1 else 5.6
    fig, axes = canvas.figure(1, len(futures), panel=(width, width * ratio + 0.8), share=True)
    for axis, (name, samples) in zip(axes.flat, futures.items(), strict=True):
        start = np.broadcast_to(now, (len(samples), 1, 2))
        paths = np.concatenate([start, samples], axis=1)
        if name in categories:
            for category in np.unique(categories[name]).tolist():
                chosen, colour = categories[name] == category, maps.category_colour(category)
                maps.draw_fan(axis, paths[chosen], alpha=maps.opacity(len(paths)), colour=colour)
        else:
            maps.draw_fan(axis, paths)
        maps.draw_history(axis, history)
        if truth is not None:
            maps.draw_truth(axis, np.concatenate([now[None], truth]))
        maps.set_map(axis, ((low[0], high[0]), (low[1], high[1])))
        space = 20 if notes else 8
        axis.set_title(name, color=canvas.INK, fontsize=12, fontweight="bold", pad=space)
        if name in notes:
            axis.annotate(
                notes[name], (0.5, 1.0), (0, 7),
                xycoords="axes fraction", textcoords="offset points",
                ha="center", color=canvas.QUIET, fontsize=9,
            )  # fmt: skip
    maps.name_axes(axes, names, units)
    counts = sorted({len(samples) for samples in futures.values()})
    number = f"{counts[0]} sampled futures" if len(counts) == 1 else "sampled futures"
    used = sorted({int(c) for of in categories.values() for c in np.unique(of)})
    maps.add_path_legend(fig, truth is not None, f"{number}, early to late", used)
    canvas.add_title(fig, title)
    return canvas.save(fig, path)
