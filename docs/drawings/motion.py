"""Draw the kinds of simulated motion: a row of tracks for each, recorded and as they are.

    python docs/drawings/motion.py

It writes docs/images/motion.png.
"""

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from vrnn.data.synthetic.motion import motion
from vrnn.data.synthetic.motion.kinds import KINDS

EACH, ROWS = 6, 45
OUT = Path(__file__).parents[1] / "images" / "motion.png"


def panel(axis: plt.Axes, x: np.ndarray, colour: str) -> None:
    """Draw one track in its own scale; a ring is its first point."""
    axis.plot(*x.T, color=colour, linewidth=1)
    axis.scatter(*x.T, color=colour, s=3)
    axis.scatter(*x[0], facecolor="white", edgecolor=colour, s=18, zorder=3)
    axis.set_aspect("equal", adjustable="datalim")
    axis.set_xticks([]), axis.set_yticks([])
    for side in axis.spines.values():
        side.set_color("#dddddd")


def main() -> None:
    names = [*KINDS, "the prior"]
    figure, axes = plt.subplots(len(names), EACH, figsize=(9, 1.25 * len(names)))
    for i, name in enumerate(names):
        rng = np.random.default_rng(3)
        if name in KINDS:
            tracks = KINDS[name](rng, EACH, ROWS).cumsum(1)
        else:
            tracks = motion(rng, EACH, ROWS)
        for axis, x in zip(axes[i], tracks, strict=True):
            panel(axis, x, "#1f5fa8" if name in KINDS else "#333333")
        axes[i, 0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.tight_layout(pad=0.4)
    figure.savefig(OUT, dpi=100)


if __name__ == "__main__":
    main()
