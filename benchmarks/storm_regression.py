"""A kernel ridge regression as a yardstick for the storms: what the predictors of a case tell."""

from collections import Counter

import numpy as np
from scipy.linalg import solve

from benchmarks.storm_cases import HORIZONS, STEP, by_year, verification_cases
from vrnn.data.tracks import Tracks
from vrnn.data.transforms.plane import Plane
from vrnn.geo import great_circle

WIDTH, RIDGE = 5.0, 1.0
MAP = Plane(0, 1, "nmi")


def regression(tracks: dict[str, Tracks]) -> dict:
    """Return errors of a kernel ridge regression of the position at each horizon on a case.

    One fit a horizon, of one point: a yardstick, not a model of a track. Width and ridge were
    chosen on the validation years.
    """
    cases = {name: verification_cases(t) for name, t in tracks.items()}
    known = {
        name: np.stack([predictors(*c) for c in zip(v.prefix.x, v.prefix.u, strict=True)])
        for name, v in cases.items()
    }
    degree = {name: MAP.metric_scale(k[:, :2]) for name, k in known.items()}
    mean, scale = known["train"].mean(0), known["train"].std(0)
    parts = {name: {"rows": []} for name in tracks if name != "train"}
    for hours in HORIZONS:
        i = hours // int(STEP) - 1
        there = {name: np.isfinite(v.truth[:, i]).all(-1) for name, v in cases.items()}
        points = {name: ((known[name] - mean) / scale)[rows] for name, rows in there.items()}
        residual = (cases["train"].truth[:, i] - cases["train"].straight[:, i]) * degree["train"]
        kernel = gram(points["train"], points["train"]) + RIDGE * np.eye(len(points["train"]))
        weights = solve(kernel, residual[there["train"]], assume_a="pos")
        for name, found in parts.items():
            rows, case = there[name], cases[name]
            off = gram(points[name], points["train"]) @ weights / degree[name][rows]
            errors = great_circle(case.straight[rows, i] + off, case.truth[rows, i])
            straight = great_circle(case.straight[rows, i], case.truth[rows, i])
            years = Counter(n[4:8] for n, seen in zip(case.prefix.ids, rows, strict=True) if seen)
            found["rows"].append(
                {
                    "hours": hours,
                    "cases": len(errors),
                    "model": float(errors.mean()),
                    "constant_velocity": float(straight.mean()),
                    "years": by_year(errors, case, rows),
                    "year_cases": years,
                }
            )
    return parts


def predictors(x: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Return what the regression knows of a case: position, four motions and the season.

    The motions are per step, over the last 12 h, the last 6 h, from 24 to 12 h and from 48 to 24 h
    before. Where a motion was not seen, the one before it in this order stands.
    """
    x, motions = x[:, :2], []
    for first, last in ((2, 0), (1, 0), (4, 2), (8, 4)):
        ends = x[[-1 - last, -1 - first]] if len(x) > first else np.full((2, 2), np.nan)
        motion = (ends[0] - ends[1]) * MAP.metric_scale(x[-1:])[0] / (first - last)
        motions.append(motion if np.isfinite(motion).all() else motions[-1])
    return np.concatenate([x[-1], *motions, u[-1, -2:]])


def gram(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the Gaussian kernel of two sets of points (n, d), (m, d)."""
    squared = (a**2).sum(-1)[:, None] + (b**2).sum(-1) - 2 * a @ b.T
    return np.exp(-squared / (2 * WIDTH**2))
