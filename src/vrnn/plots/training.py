"""Training curves from the records of `metrics.jsonl`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from vrnn.errors import DataError
from vrnn.plots import canvas

FIRST = ("loss", "elbo", "bound", "nll", "kl")
"""Quantities that come first, in this order; the others follow in order of appearance."""
UNITS_OF_TIME = ("step", "epoch", "time", "seconds", "elapsed")
"""Numbers that count time and get no panel."""
MOST_PANELS = 8


def plot_training(
    records: Sequence[Mapping[str, Any]],
    path: str | Path = "training.png",
    title: str | None = None,
) -> Path:
    """Draw the numbers of a training log against the step.

    Training and validation of one quantity share a panel.

    Args:
        records: one mapping for each log line, with "step" and any numbers. A nested mapping is
            read as "outer/inner". A name with the part "val" or "valid", as in "val/loss" or
            "val_loss", is the validation of the rest of the name.
        path: the picture to write; its ending names the format.
        title: shown over the picture.

    Returns:
        The path written.

    Raises:
        DataError: no record holds a step and a number.
        MissingExtraError: matplotlib is absent.
    """
    curves = _curves(records)
    if not curves:
        raise DataError(
            "expected records with a 'step' and a number, found none; has training logged yet?"
        )
    order = sorted(curves, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))[
        :MOST_PANELS
    ]
    columns = min(len(order), 3 if len(order) not in (2, 4) else 2)
    fig, axes = canvas.panels(len(order), columns, panel=(4.0, 2.7))
    for axis, name in zip(axes.flat, order, strict=False):
        for validation, points in sorted(curves[name].items()):
            steps, values = np.array(points).T
            if validation:
                axis.plot(
                    steps, values, color=canvas.TRUTH, linewidth=1.6, marker="o", markersize=3.2
                )
            else:
                _draw_noisy(axis, steps, values)
        axis.set_title(
            name.replace("_", " "), color=canvas.INK, fontsize=10.5, fontweight="bold", loc="left"
        )
        axis.locator_params(axis="x", nbins=5)
        axis.margins(x=0.02)
    for column in axes.T:
        [axis for axis in column if axis.axison][-1].set_xlabel("step")
    if any(True in parts for parts in curves.values()):
        training = canvas.line(canvas.MEAN, linewidth=2.0)
        validation = canvas.line(canvas.TRUTH, linewidth=1.6, marker="o", markersize=4)
        canvas.add_legend(fig, [training, validation], ["training", "validation"])
    canvas.add_title(fig, title)
    return canvas.save(fig, path)


def _curves(
    records: Sequence[Mapping[str, Any]],
) -> dict[str, dict[bool, list[tuple[float, float]]]]:
    """Return the finite numbers: name -> whether it is validation -> list of (step, value)."""
    curves: dict[str, dict[bool, list[tuple[float, float]]]] = {}
    for record in records:
        if "step" not in record:
            continue
        for name, value in _flat(record):
            if name in UNITS_OF_TIME or not np.isfinite(value):
                continue
            parts = name.replace("/", "_").replace(".", "_").split("_")
            validation = bool({"val", "valid", "validation"} & set(parts))
            rest = "_".join(
                part for part in parts if part not in ("val", "valid", "validation", "train")
            )
            points = curves.setdefault(rest or "loss", {}).setdefault(validation, [])
            points.append((float(record["step"]), value))
    return curves


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the numbers of a record, with nested names joined by a slash."""
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}/")
        elif isinstance(value, int | float | np.number) and not isinstance(value, bool):
            yield f"{prefix}{name}", float(value)


def _draw_noisy(
    axis: Any, steps: Float[np.ndarray, " points"], values: Float[np.ndarray, " points"]
) -> None:
    """Draw a long curve faintly under its running mean, and a short one as it is."""
    window = len(values) // 40
    if window < 2:
        axis.plot(steps, values, color=canvas.MEAN, linewidth=1.8)
        return
    # The window of the mean shrinks towards the ends, so that the mean never lags.
    index = np.arange(len(values))
    reach = np.minimum(window, np.minimum(index, index[::-1]))
    total = np.concatenate([[0.0], values.cumsum()])
    mean = (total[index + reach + 1] - total[index - reach]) / (2 * reach + 1)
    axis.plot(steps, values, color=canvas.NEAR_TO_FAR[1], linewidth=0.7, alpha=0.35)
    axis.plot(steps, mean, color=canvas.MEAN, linewidth=2.0)
    low, high = np.quantile(values, [0.01, 0.99])
    room = 0.12 * max(high - low, 1e-12)
    if values.min() < low - 3 * room or values.max() > high + 3 * room:
        # A few far values do not set the scale.
        axis.set_ylim(low - room, high + room)
