"""What all pictures share: colours, panels, legends and saving.

Figures are plain `matplotlib.figure.Figure` objects and never those of pyplot. They need no display
and leave no global state.
"""

import io
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from vrnn.console import visible
from vrnn.errors import ConfigError, require
from vrnn.files import user_path, whole_file

INK = "#1d2433"
QUIET = "#8a93a3"
GRID = "#e9ecf1"
TRUTH = "#e4572e"
MEAN = "#2f4bb8"
NEAR_TO_FAR = ("#4b2fb0", "#2f6fd6", "#12a5b8", "#3fc380")
"""Colours of a future from its first step to its last."""
CATEGORIES = (
    "#2f6fd6",
    "#e08a1e",
    "#2a9d5c",
    "#b0408f",
    "#6b5bd2",
    "#0f9fb0",
    "#a3622c",
    "#7d8596",
)
"""Colours of categories, in turn."""
DASHED = (0, (3.2, 1.6))
"""Line style of what is true, and of limits."""


def figure(
    rows: int, columns: int, panel: tuple[float, float], share: bool = False
) -> tuple[Any, Shaped[np.ndarray, "rows columns"]]:
    """Return a figure and the axes (rows, columns) of its panels.

    Args:
        rows, columns: how many panels.
        panel: width and height of a panel, in inches.
        share: whether all panels have the same limits.

    Raises:
        MissingExtraError: matplotlib is absent.
    """
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
        for side in (axis.xaxis, axis.yaxis):
            side.label.set(color=INK, fontsize=9)
        axis.grid(color=GRID, linewidth=0.8)
        axis.set_axisbelow(True)
    return fig, axes


def panels(
    count: int, columns: int, panel: tuple[float, float]
) -> tuple[Any, Shaped[np.ndarray, "rows columns"]]:
    """Return a figure and its axes like `figure`; those past the `count`-th are left empty."""
    fig, axes = figure(-(-count // columns), columns, panel)
    for axis in axes.flat[count:]:
        axis.set_axis_off()
    return fig, axes


def save(fig: Any, path: str | Path) -> Path:
    """Write a figure, whole or not at all, and return its path.

    Raises:
        ConfigError: a file ending that matplotlib does not know.
        DataError: a place that cannot be written.
    """
    path = user_path(path)
    kind, known = path.suffix.lstrip(".").lower(), sorted(fig.canvas.get_supported_filetypes())
    if kind not in known:
        raise ConfigError(
            f"{path}: expected a picture ending in one of .{', .'.join(known)}, "
            f"found '{path.suffix}'; try {path.with_suffix('.png')}"
        )
    make_inert(fig)
    picture = io.BytesIO()  # a full disk in the middle of a picture is more than matplotlib takes
    with (
        warnings.catch_warnings(),
        require("matplotlib", "plot").rc_context({"text.usetex": False}),
    ):
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # it is drawn as a box
        fig.savefig(picture, format=kind, dpi=180)
    with whole_file(path) as temporary:
        temporary.write_bytes(picture.getbuffer())
    return path


def make_inert(fig: Any) -> None:
    """Have all names drawn as they are, whatever they hold and whatever matplotlibrc says.

    A name with two dollar signs would be read as mathematics, and with `text.usetex` as LaTeX.
    Numbers at ticks may stay mathematics.
    """
    text, tick = require("matplotlib.text", "plot").Text, require("matplotlib.axis", "plot").Tick
    numbers = [label for t in fig.findobj(tick) for label in (t.label1, t.label2)]
    numbers += [axis.offsetText for part in fig.axes for axis in (part.xaxis, part.yaxis)]
    for found in fig.findobj(text):
        found.set_usetex(False)
        if not any(found is number for number in numbers):
            found.set_parse_math(False)
            found.set_text(visible(found.get_text()))


def axis_label(name: str, units: str | None) -> str:
    """Return the name of an axis, with its units if they are known.

    >>> axis_label("x", "m"), axis_label("x", None)
    ('x (m)', 'x')
    """
    return f"{name} ({units})" if units else name


def near_to_far() -> Any:
    """Return the colour scale of time within a future."""
    return require("matplotlib.colors", "plot").LinearSegmentedColormap.from_list(
        "near_to_far", NEAR_TO_FAR
    )


def line(color: Any, **style: Any) -> Any:
    """Return a line that only a legend shows."""
    return require("matplotlib.lines", "plot").Line2D([], [], color=color, **style)


def strip() -> tuple[Any, ...]:
    """Return the lines of a legend that show the colours of a future."""
    colours = near_to_far()(np.linspace(0.0, 1.0, 7))
    return tuple(line(colour, linewidth=2.4, solid_capstyle="butt") for colour in colours)


def name_panels(axes: Iterable[Any], names: Sequence[str] | None) -> None:
    """Place the name of each track over its panel, where names are given."""
    for axis, name in zip(axes, names or (), strict=False):
        axis.set_title(name, color=INK, fontsize=10, loc="left")


def add_legend(fig: Any, handles: list[Any], names: list[str]) -> None:
    """Place a legend below the panels, in one row if it fits.

    Args:
        fig: the figure.
        handles: lines and patches; a tuple of lines is drawn as one strip.
        names: one name for each handle.
    """
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


def add_title(fig: Any, title: str | None) -> None:
    """Place the title over all panels."""
    if title:
        fig.suptitle(title, color=INK, fontsize=13, fontweight="bold")
