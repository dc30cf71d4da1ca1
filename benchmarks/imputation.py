"""Imputation: points removed at random from storms and pedestrians, filled beside interpolation.

    python -m benchmarks.imputation                   every experiment, seed 0
    python -m benchmarks.imputation storms --seed 1   one experiment with one seed
    python -m benchmarks.imputation storms --valid    its validation tracks too
    python -m benchmarks.imputation eth-univ          trained without ETH and UNIV, both filled
    python -m benchmarks.imputation --tables          the tables alone, from the kept results

Points are removed in two ways: 20 % of the points one by one, and 5 in a row. First and last
points stay, because interpolation needs both. Validation tracks choose the weights. The settings
were chosen on validation tracks, but for the noise on pedestrians: see the page.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.interpolate import CubicSpline

import vrnn
from benchmarks.common import data_folder, keep, kept, parser, spread, with_training, write_table
from benchmarks.eth_ucy import files
from benchmarks.storms import YEARS, split, synoptic
from vrnn.geo import great_circle
from vrnn.metrics.displacement import euclidean

RUN = 5  # points in a row
SHARE = 0.2
FEWEST = 12  # points of a track that points are removed from
MOST = 100  # such tracks of a data set, chosen at random where it has more
SAMPLES = 100
SHARE_HELD = 0.9  # by intervals
JITTER = 0.06  # m, as in the pedestrians' recipe
JITTERS = (0.0, 0.03, 0.06)  # that scenes left out are filled with
PAIRS = ("eth-univ", "hotel-zara")  # places that a training is without
FOLDS_OF = {
    "eth": ("eth",),
    "univ": ("univ",),
    "hotel": ("hotel",),
    "zara": ("zara1", "zara2"),
}  # of a place
LEFT_OUT = 50  # tracks of a scene left out that are filled, at most
MODEL = vrnn.VRNNConfig(x_dim=2, hidden=64, latent_dim=8, emission="mixture(5)")
TRAINING = vrnn.TrainConfig(steps=3000, batch_size=64, validate_every=250)
SCENES = ("eth", "hotel", "univ", "zara1", "zara2")
REMOVALS = {"points": "20 % one by one", "runs": "runs of 5"}


def without(tracks: vrnn.Tracks, how: str, seed: int) -> tuple[vrnn.Tracks, list[np.ndarray]]:
    """Return the tracks with points removed, and which rows those are."""
    rng = np.random.default_rng([seed, len(how)])
    holed, gone = [], []
    for x in tracks.x:
        row = np.zeros(len(x), bool)
        inner = np.flatnonzero(np.isfinite(x).all(-1))[1:-1]
        if how == "points":
            row[inner[rng.random(len(inner)) < SHARE]] = True
        else:
            start = rng.integers(1, len(x) - RUN)
            row[start : start + RUN] = True
        row &= np.isfinite(x).all(-1)
        holed.append(np.where(row[:, None], np.nan, x))
        gone.append(row)
    return replace(tracks, x=holed), gone


def interpolated(x: np.ndarray, kind: str) -> np.ndarray:
    """Return one track (T, 2) filled by straight lines or by a natural cubic spline."""
    time, there = np.arange(len(x)), np.isfinite(x).all(-1)
    if kind == "linear":
        return np.stack([np.interp(time, time[there], c[there]) for c in x.T], -1)
    return CubicSpline(time[there], x[there], bc_type="natural")(time)


@dataclass(frozen=True)
class Task:
    """A data set: its tracks, its distance, and what is changed in the training."""

    train: vrnn.Tracks
    val: vrnn.Tracks
    test: vrnn.Tracks
    distance: Callable[[np.ndarray, np.ndarray], np.ndarray]
    unit: str
    changes: dict


def storms(data: Path) -> Task:
    """Return six-hourly positions of Atlantic storms, longitude unwrapped by the reader."""
    tracks = vrnn.read_tracks(
        data / "hurdat2" / "hurdat2.txt", columns=vrnn.Columns(x=("lat", "lon"))
    )
    parts = split(synoptic(tracks))
    return Task(*(parts[p] for p in YEARS), great_circle, "nmi", {"batch_size": 32})


def scene(data: Path, name: str, further: str = "", jitter: float = JITTER) -> Task:
    """Return whole pedestrian tracks of one fold; a further place is left out of the training."""
    folder = data / "eth_ucy" / name
    parts = [files(folder / part, further) for part in ("train", "val")] + [files(folder / "test")]
    parts = [vrnn.regular(p) for p in parts]
    augment = vrnn.AugmentConfig(flip=True, rotate=True, speed=(0.8, 1.2), jitter=jitter)
    return Task(*parts, euclidean, "m", {"augment": augment})


def removed(gone: list[np.ndarray], arrays: list[np.ndarray]) -> np.ndarray:
    """Return what stands in the removed rows of all tracks, (points, width)."""
    return np.concatenate([a[rows] for a, rows in zip(arrays, gone, strict=True)])


def measure(task: Task, model, part: str, seed: int, most: int = MOST) -> dict:
    """Return scores of what fills removed points of validation or test tracks, in both ways."""
    tracks = getattr(task, part)
    long = np.flatnonzero(tracks.lengths >= FEWEST)
    long = tracks[np.sort(np.random.default_rng(0).permutation(long)[:most])]
    found = {}
    for how in REMOVALS:
        holed, gone = without(long, how, seed)
        started = time.perf_counter()
        filled = vrnn.impute(holed, model=model, samples=SAMPLES, seed=seed, calibrate=SHARE_HELD)
        seconds = time.perf_counter() - started
        pick = partial(removed, gone)
        truth = pick(long.x)
        off = np.abs(truth - pick(filled.mean))
        ends = [np.abs(pick(end) - pick(filled.mean)) for end in filled.interval(SHARE_HELD)]
        room = np.where(truth > pick(filled.mean), ends[1], ends[0])
        errors = {"model": float(task.distance(pick(filled.mean), truth).mean())}
        for kind in ("linear", "cubic"):
            errors[kind] = float(
                task.distance(pick([interpolated(x, kind) for x in holed.x]), truth).mean()
            )
        found[how] = {
            "points": len(truth),
            "tracks": len(long),
            "errors": errors,
            "coverage": float((off <= room).mean()),
            "coverage_of_the_model": float((off <= room / filled.widening).mean()),
            "widening": filled.widening,
            "seconds": round(seconds, 1),
        }
        print(part, how, found[how], flush=True)
    return found


def run(experiment: str, data: Path, seed: int, steps: int | None, valid: bool) -> None:
    """Train on one data set, fill removed points of its test tracks, and keep the scores."""
    parts = {**({"valid": "val"} if valid else {}), "test": "test"}
    task = storms(data) if experiment == "storms" else scene(data, experiment)
    settings = replace(TRAINING, **task.changes, seed=seed, **({"steps": steps} if steps else {}))
    started = time.perf_counter()
    trained = vrnn.train(task.train, config=MODEL, training=settings, val=task.val)
    result = {
        "experiment": experiment,
        "seed": seed,
        "unit": task.unit,
        "train_seconds": round(time.perf_counter() - started, 1),
        **{name: measure(task, trained.model, part, seed) for name, part in parts.items()},
    }
    keep(f"imputation-{experiment}-{seed}", result)


def choose(pair: str, data: Path, seed: int, steps: int | None) -> None:
    """Train without two places, once with each noise, and keep the scores on a scene of each.

    The scores on the second place choose a noise for the fold of the first, and the reverse.
    """
    fold, left = pair.split("-")
    filled = {name: scene(data, name) for name in (FOLDS_OF[fold][0], FOLDS_OF[left][0])}
    for jitter in JITTERS:
        task = scene(data, fold, left, jitter)
        settings = replace(
            TRAINING, **task.changes, seed=seed, **({"steps": steps} if steps else {})
        )
        model = vrnn.train(task.train, config=MODEL, training=settings, val=task.val).model
        scores = {name: measure(of, model, "test", seed, LEFT_OUT) for name, of in filled.items()}
        result = {"pair": pair, "jitter": jitter, "seed": seed, "scores": scores}
        keep(f"imputation_choice-{pair}-{jitter}-{seed}", result)


def filled_left_out() -> list[dict]:
    """Return what each noise does on each scene left out: error, and coverage off 90 %."""
    found = []
    for result in (r for r in kept("imputation_choice-") if r["seed"] == 0):
        for name, scores in result["scores"].items():
            folds = [
                fold
                for part in result["pair"].split("-")
                for fold in FOLDS_OF[part]
                if name not in FOLDS_OF[part]
            ]
            ratio = [np.log(c["errors"]["model"] / c["errors"]["linear"]) for c in scores.values()]
            off = {
                key: np.mean([abs(100 * (c[key] - SHARE_HELD)) for c in scores.values()])
                for key in ("coverage_of_the_model", "coverage")
            }
            found.append(
                {
                    "folds": folds,
                    "scene": name,
                    "jitter": result["jitter"],
                    "error": float(np.exp(np.mean(ratio))),
                    "drawn": float(off["coverage_of_the_model"]),
                    "calibrated": float(off["coverage"]),
                }
            )
    return sorted((f for f in found if f["folds"]), key=lambda f: (f["folds"], f["jitter"]))


def upper(folds: list[str]) -> str:
    """Return the names of folds as tables write them."""
    return ", ".join(fold.upper() for fold in folds)


def write_tables() -> None:
    """Write the table of errors and coverage, and the two tables on the noise."""
    results = [r for r in kept("imputation-") if "widening" in r["test"]["points"]]
    rows = []
    for experiment in ("storms", *SCENES):
        runs = [r for r in results if r["experiment"] == experiment]
        for how, words in REMOVALS.items() if runs else ():
            cells = [r["test"][how] for r in runs]
            digits = 1 if runs[0]["unit"] == "nmi" else 3
            errors = [
                spread([c["errors"][k] for c in cells], digits)
                for k in ("linear", "cubic", "model")
            ]
            held = [
                spread([100 * c[k] for c in cells], 1)
                for k in ("coverage_of_the_model", "coverage")
            ]
            factor = spread([c["widening"] for c in cells], 2)
            points = str(sum(c["points"] for c in cells))
            data = experiment if experiment == "storms" else experiment.upper()
            rows.append([f"{data} ({runs[0]['unit']})", words, points, *errors, *held, factor])
    head = [
        "data",
        "removed",
        "points",
        "linear",
        "cubic spline",
        "VRNN",
        "90 % intervals cover, %",
        "calibrated, %",
        "factor",
    ]
    write_table("imputation", head, rows)
    write_noise_tables(filled_left_out())


def write_noise_tables(found: list[dict]) -> None:
    """Write what each noise does on the scenes left out, and the best noise of each fold."""
    head = [
        "for the fold of",
        "filled",
        "noise, m",
        "error",
        "coverage as drawn, off by",
        "calibrated, off by",
    ]
    rows = [
        [
            upper(f["folds"]),
            f["scene"].upper(),
            f"{f['jitter']:g}",
            f"{f['error']:.2f}",
            f"{f['drawn']:.1f}",
            f"{f['calibrated']:.1f}",
        ]
        for f in found
    ]
    write_table("imputation-noise", head, rows)
    best = []
    for folds in dict.fromkeys(upper(f["folds"]) for f in found):
        lines = [f for f in found if upper(f["folds"]) == folds]
        least = [min(lines, key=lambda f: f[key])["jitter"] for key in ("error", "drawn")]
        best.append([folds, *(f"{noise:g}" for noise in least)])
    head = ["for the fold of", "least error, m", "intervals as drawn nearest to 90 %, m"]
    write_table("imputation-noise-best", head, best)


def main() -> None:
    made = with_training(parser(__doc__, "hurdat2 and eth_ucy"), "0")
    made.add_argument("experiments", nargs="*", help="storms, scenes or pairs of places left out")
    made.add_argument("--valid", action="store_true", help="fill validation tracks too")
    given = made.parse_args()
    torch.set_num_threads(given.threads)
    if not given.tables:
        data, seed = data_folder(given.data, "."), given.seed or 0
        for experiment in given.experiments or (*PAIRS, "storms", *SCENES):
            if experiment in PAIRS:
                choose(experiment, data, seed, given.steps)
            else:
                run(experiment, data, seed, given.steps, given.valid)
    write_tables()


if __name__ == "__main__":
    main()
