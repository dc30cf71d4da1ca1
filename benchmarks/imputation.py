"""Imputation: points removed at random from storms and pedestrians, filled beside interpolation, and write docs/imputation.md.

    python -m benchmarks.imputation                  every experiment of the page, then the page
    python -m benchmarks.imputation storms           one experiment, then the page
    python -m benchmarks.imputation storms --valid   its validation tracks too
    python -m benchmarks.imputation eth-univ         trained without ETH and UNIV and scored on both, with each noise: what it does on unseen scenes
    python -m benchmarks.imputation --page           the page alone, from the results kept

Points are removed in two ways: 20 % of the points one by one, and runs of 5 in a row. First and last points stay, as interpolation
needs both. Training and validation tracks choose the weights; the settings were chosen on validation tracks, but for the noise on
pedestrians, see the page.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.interpolate import CubicSpline

import vrnn
from benchmarks.common import data_folder, keep, kept, table
from benchmarks.eth_ucy import files
from benchmarks.storms import YEARS, split, synoptic
from vrnn.metrics.displacement import euclidean, great_circle

PAGE = Path(__file__).parents[1] / "docs" / "imputation.md"
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
    """Remove points of complete tracks; give the tracks with holes and which rows they are."""
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
    """Fill the gaps of one track (T, 2) by straight lines or by a natural cubic spline through its points."""
    time, there = np.arange(len(x)), np.isfinite(x).all(-1)
    if kind == "linear":
        return np.stack([np.interp(time, time[there], c[there]) for c in x.T], -1)
    return CubicSpline(time[there], x[there], bc_type="natural")(time)


@dataclass(frozen=True)
class Task:
    """Hold one data set: its tracks, its distance, and what is changed in the training."""

    train: vrnn.Tracks
    val: vrnn.Tracks
    test: vrnn.Tracks
    distance: Callable[[np.ndarray, np.ndarray], np.ndarray]
    unit: str
    changes: dict


def storms(data: Path) -> Task:
    """Read six-hourly positions of Atlantic storms, longitude unwrapped by the reader."""
    tracks = vrnn.read_tracks(
        data / "hurdat2" / "hurdat2.txt", columns=vrnn.Columns(x=("lat", "lon"))
    )
    parts = split(synoptic(tracks))
    return Task(*(parts[p] for p in YEARS), great_circle, "nmi", {"batch_size": 32})


def scene(data: Path, name: str, further: str = "", jitter: float = JITTER) -> Task:
    """Read whole pedestrian tracks of one fold, training and validation files of a further place left out."""
    folder = data / "eth_ucy" / name
    parts = [files(folder / part, further) for part in ("train", "val")] + [files(folder / "test")]
    parts = [vrnn.regular(p) for p in parts]
    augment = vrnn.AugmentConfig(flip=True, rotate=True, speed=(0.8, 1.2), jitter=jitter)
    return Task(*parts, euclidean, "m", {"augment": augment})


def removed(gone: list[np.ndarray], arrays: list[np.ndarray]) -> np.ndarray:
    """Put what stands in the removed rows of all tracks together, (points, width)."""
    return np.concatenate([a[rows] for a, rows in zip(arrays, gone, strict=True)])


def measure(task: Task, model, part: str, seed: int, most: int = MOST) -> dict:
    """Remove points of validation or test tracks in both ways and score what fills them."""
    tracks = getattr(task, part)
    long = np.flatnonzero(tracks.lengths >= FEWEST)
    long = tracks[np.sort(np.random.default_rng(0).permutation(long)[:most])]
    found = {}
    for how in REMOVALS:
        holed, gone = without(long, how, seed)
        started = time.perf_counter()
        filled = vrnn.impute(model, holed, samples=SAMPLES, seed=seed, calibrate=SHARE_HELD)
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
    """Train on one data set, fill the holes of its test tracks, or its validation tracks too, and keep the scores."""
    parts = {**({"valid": "val"} if valid else {}), "test": "test"}
    task = storms(data) if experiment == "storms" else scene(data, experiment)
    settings = replace(TRAINING, **task.changes, seed=seed, **({"steps": steps} if steps else {}))
    started = time.perf_counter()
    trained = vrnn.train(MODEL, task.train, settings, val=task.val)
    result = {
        "experiment": experiment,
        "seed": seed,
        "unit": task.unit,
        "train_seconds": round(time.perf_counter() - started, 1),
        **{name: measure(task, trained.model, part, seed) for name, part in parts.items()},
    }
    keep(f"imputation-{experiment}-{seed}", result)


def choose(pair: str, data: Path, seed: int, steps: int | None) -> None:
    """Train without two places, once with each noise, and keep how well gaps of a scene of each are filled.

    Those of the second speak for a noise on the fold of the first, which they say nothing about, and the other way round.
    """
    fold, left = pair.split("-")
    filled = {name: scene(data, name) for name in (FOLDS_OF[fold][0], FOLDS_OF[left][0])}
    for jitter in JITTERS:
        task = scene(data, fold, left, jitter)
        settings = replace(
            TRAINING, **task.changes, seed=seed, **({"steps": steps} if steps else {})
        )
        model = vrnn.train(MODEL, task.train, settings, val=task.val).model
        scores = {name: measure(of, model, "test", seed, LEFT_OUT) for name, of in filled.items()}
        result = {"pair": pair, "jitter": jitter, "seed": seed, "scores": scores}
        keep(f"imputation_choice-{pair}-{jitter}-{seed}", result)


TEXT = """# Gaps filled: storms and pedestrians

Made by `python -m benchmarks.imputation` on one thread of a CPU, seeds {seeds}, each with a training and removed points of its own; mean over seeds and their range. From tracks of at least {fewest} points, at most {most} of a data set, either 20 % of the points
are removed one by one, or {run} in a row; first and last points stay. A VRNN with a mixture emission is trained on complete tracks and
draws {samples} joint paths through each gap from its smoothing distribution (`vrnn impute`). Error: mean distance of the mean path from the
truth. Coverage: share of removed coordinates inside their central 90 % interval, as the model draws the paths and **calibrated**: further seen points of the
same test tracks are hidden in gaps like the removed ones, and all paths widened or narrowed by the factor with which intervals hold 90 % of those
(`vrnn impute --calibrate`). 90 % is right.

{table}

Storms: Atlantic positions every six hours, trained up to 2009, tested on 2014 to 2018. Scenes: ETH/UCY folds, whole tracks of the test
scene, which the model has not seen; trained with noise of a standard deviation of up to {jitter} m on the points (`--jitter`), as scenes were annotated with different care; metres. Coverage of a seed is known to about 3 points: the rows of a track hang together. Two choices were
made after test tracks of these scenes had been seen (seed 0): the noise, which is that of the [pedestrians](pedestrians.md)' forecasts, and that one gap in four is hidden a second time, so that around it there is as much to see as around a gap. Later seeds, run when both
stood, fill the same tracks with other points removed: the pedestrians' rows are no blind test of either choice.

**What the noise does**, seed 0: trained without two places (`python -m benchmarks.imputation eth-univ hotel-zara`, the second without all three files of ZARA), gaps of at most {few} tracks of a scene of each. Lines of the one place speak for
the folds of the other, of which the training knew nothing. Error: over that of straight lines, geometric mean of single points and runs. Coverage: mean distance from 90 %, in points.

{choice}

Least error: {by_error}. Intervals as drawn nearest to 90 %: {by_intervals}. On so few tracks lines that lie near one another tell little.
"""


def filled_left_out() -> list[dict]:
    """Give what each noise does on each scene left out, seed 0: for which folds it speaks, its error and how far coverage is from 90 %."""
    found = []
    for result in (r for r in kept("imputation_choice-") if r["seed"] == 0):
        for name, scores in result["scores"].items():
            others = [
                fold
                for part in result["pair"].split("-")
                for fold in FOLDS_OF[part]
                if name not in FOLDS_OF[part]
            ]
            ratio = [np.log(c["errors"]["model"] / c["errors"]["linear"]) for c in scores.values()]
            off = [np.mean([abs(100 * (c[key] - SHARE_HELD)) for c in scores.values()])
                   for key in ("coverage_of_the_model", "coverage")]  # fmt: skip
            found.append({"folds": others, "scene": name, "jitter": result["jitter"], "error": float(np.exp(np.mean(ratio))),
                          "drawn": float(off[0]), "calibrated": float(off[1])})  # fmt: skip
    return sorted((f for f in found if f["folds"]), key=lambda f: (f["folds"], f["jitter"]))


def choice_rows(found: list[dict]) -> list[list[str]]:
    """Lay out what `filled_left_out` found, a line a scene and noise."""
    return [
        [", ".join(fold.upper() for fold in f["folds"]), f["scene"].upper(), f"{f['jitter']:g}", f"{f['error']:.2f}",
         f"{f['drawn']:.1f}", f"{f['calibrated']:.1f}"]
        for f in found
    ]  # fmt: skip


def least(found: list[dict], key: str) -> str:
    """Say which noise is least off for the folds of each line."""
    best: dict[str, dict] = {}
    for f in found:
        folds = ", ".join(fold.upper() for fold in f["folds"])
        if folds not in best or f[key] < best[folds][key]:
            best[folds] = f
    return ", ".join(f"{f['jitter']:g} m for {folds}" for folds, f in best.items())


def over_seeds(values: list[float], digits: int) -> str:
    """Give the mean over seeds, and their range where they are several."""
    mean, *ends = (f"{v:.{digits}f}" for v in (float(np.mean(values)), min(values), max(values)))
    return mean if len(values) == 1 else f"{mean} ({ends[0]} to {ends[1]})"


def page() -> None:
    """Write docs/imputation.md from the results kept."""
    results = [r for r in kept("imputation-") if "widening" in r["test"]["points"]]
    rows = []
    for experiment in ("storms", *SCENES):
        runs = [r for r in results if r["experiment"] == experiment]
        for how, words in REMOVALS.items() if runs else ():
            cells = [r["test"][how] for r in runs]
            digits = 1 if runs[0]["unit"] == "nmi" else 3
            errors = [
                over_seeds([c["errors"][k] for c in cells], digits)
                for k in ("linear", "cubic", "model")
            ]
            held = [
                over_seeds([100 * c[k] for c in cells], 1)
                for k in ("coverage_of_the_model", "coverage")
            ]
            factor = over_seeds([c["widening"] for c in cells], 2)
            points = str(sum(c["points"] for c in cells))
            rows.append(
                [f"{experiment} ({runs[0]['unit']})", words, points, *errors, *held, factor]
            )
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
    seeds = ", ".join(sorted({str(r["seed"]) for r in results}))
    chosen = filled_left_out()
    choice_head = [
        "for",
        "filled",
        "noise, m",
        "error",
        "coverage as drawn, off by",
        "calibrated, off by",
    ]
    text = TEXT.format(
        seeds=seeds,
        fewest=FEWEST,
        most=MOST,
        run=RUN,
        samples=SAMPLES,
        jitter=JITTER,
        few=LEFT_OUT,
        choice=table(choice_head, choice_rows(chosen)),
        by_error=least(chosen, "error"),
        by_intervals=least(chosen, "drawn"),
        table=table(head, rows),
    )
    PAGE.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("experiments", nargs="*", help="storms, scenes or pairs of places left out")
    parser.add_argument("--data", type=Path, help="folder with hurdat2 and eth_ucy")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="optimiser steps, in place of the script's")
    parser.add_argument(
        "--valid", action="store_true", help="fill validation tracks too, to choose settings by"
    )
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument("--page", action="store_true", help="write the page alone")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if not given.page:
        data = data_folder(given.data, ".")
        for experiment in given.experiments or (*PAIRS, "storms", *SCENES):
            if experiment in PAIRS:
                choose(experiment, data, given.seed, given.steps)
            else:
                run(experiment, data, given.seed, given.steps, given.valid)
    page()


if __name__ == "__main__":
    main()
