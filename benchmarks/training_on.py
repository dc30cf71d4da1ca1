"""Training on from the model that needs no training.

    python -m benchmarks.training_on               everything that is not kept yet (hours)
    python -m benchmarks.training_on folds/eth     one fold of ETH/UCY, all its training tracks
    python -m benchmarks.training_on zara1/20      20 tracks of one set, from both starts
    python -m benchmarks.training_on --tables      the tables alone, from the kept results

How good is a model that starts from `tracks-2d`? How many tracks make training worthwhile? In the
second question, both starts have the default settings of the library. 8 rows are observed and 12
forecast, by 20 samples. Validation tracks choose the weights, except of 5 tracks, which have none.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

import vrnn
from benchmarks.common import data_folder, keep, kept, parser, spread, write_table
from benchmarks.without_training import (
    HORIZON,
    OBSERVE,
    SAMPLES,
    SCENES,
    SETS,
    letter_tracks,
    scores,
    storm_tracks,
)
from vrnn.trained import TrainedModel

FOLD = vrnn.TrainConfig(steps=2500, ema_decay=0.99, validate_every=250)
SEEDS = (0,)  # of a fold
COUNTS = (5, 20, 100, None)  # tracks; None are all
DRAWS = {5: 3, 20: 3, 100: 1}  # choices of tracks
STARTS = ("tracks-2d", "scratch")


def pedestrians(folder: Path) -> vrnn.Tracks:
    """Return the training tracks of the fold of ZARA1, those of 20 rows or more."""
    tracks = vrnn.read_tracks(folder / "eth_ucy" / "zara1" / "train")
    return tracks[np.flatnonzero(tracks.lengths >= OBSERVE + HORIZON)]


POOLS: dict[str, Callable[[Path], vrnn.Tracks]] = {
    "zara1": pedestrians,
    "storms": partial(storm_tracks, 1990, 2013),
    "letters": partial(letter_tracks, "train"),
}


EXPERIMENTS = [
    *(f"folds/{scene}" for scene in SCENES),
    *(f"{name}/{count or 'all'}" for count in COUNTS for name in POOLS),
]


def scored(model: TrainedModel | None, x: np.ndarray) -> dict[str, float]:
    """Return the scores of a model on windows; None is the model as it comes."""
    past, truth = x[:, :OBSERVE], x[:, OBSERVE:]
    found = vrnn.forecast(past, model=model, horizon=HORIZON, samples=SAMPLES)
    return scores(found.samples, truth)


def fold(scene: str, folder: Path, seed: int, threads: int) -> None:
    """Train on all tracks of a fold, and score the forecasts of all its test windows."""
    data = folder / "eth_ucy" / scene
    train, val, test = (vrnn.read_tracks(data / part) for part in ("train", "val", "test"))
    started = time.perf_counter()
    settings = vrnn.TrainConfig(**{**vars(FOLD), "seed": seed})
    run = vrnn.train(train, val=val, training=settings, start="tracks-2d")
    seconds = time.perf_counter() - started
    found = vrnn.evaluate(test, model=run.model, observe=OBSERVE, horizon=HORIZON)
    result = {
        "scene": scene,
        "seed": seed,
        "threads": threads,
        "seconds": round(seconds, 1),
        "plain": found.to_dict(),
    }
    keep(f"training_on-fold-{scene}-{seed}", result)
    print(scene, seed, round(seconds), found.to_text(), flush=True)


def curve(name: str, count: int | None, folder: Path) -> None:
    """Train on some tracks of a set from both starts, and score the forecasts of its test windows."""
    tracks, x = POOLS[name](folder), SETS[name](folder)
    result = {"set": name, "count": count, "of": len(tracks), "shipped": scored(None, x)}
    for start in STARTS:
        result[start] = []
        for draw in range(DRAWS.get(count, 1)):
            order = np.random.default_rng([draw, count or 0]).permutation(len(tracks))
            some = tracks[np.sort(order[:count])]
            started = time.perf_counter()
            chosen = None if count == 5 and start != "scratch" else start
            run = vrnn.train(some, start=chosen, training=vrnn.TrainConfig(seed=draw), quiet=True)
            seconds = round(time.perf_counter() - started, 1)
            result[start].append({"seconds": seconds, **scored(run.model, x)})
    keep(f"training_on-{name}-{count or 'all'}", result)
    short = {start: [round(r["energy"], 3) for r in result[start]] for start in STARTS}
    print(name, count, round(result["shipped"]["energy"], 3), short, flush=True)


def write_tables() -> None:
    """Write the tables of the page from the kept results."""
    folds = kept("training_on-fold-")
    rows, means = [], []
    for scene in SCENES:
        runs = sorted((r for r in folds if r["scene"] == scene), key=lambda r: r["seed"])
        if runs:
            parts = [r["plain"]["model"] for r in runs]
            columns = [[p[key] for p in parts] for key in ("min_ade", "min_fde", "energy_score")]
            means.append([np.mean(c) for c in columns])
            seconds = np.mean([r["seconds"] for r in runs]) / 60
            cells = [spread(c, 3) for c in columns]
            rows.append([scene, *cells, f"{seconds:.1f}", str(len(runs))])
    if len(means) == len(SCENES):
        rows.append(["**mean**", *(f"**{m:.3f}**" for m in np.mean(means, 0)), "", ""])
    head = ["scene", "ADE, 20 samples", "FDE, 20 samples", "energy score"]
    if rows:
        write_table("training-on-folds", [*head, "minutes of training", "seeds"], rows)
    curves, rows = [r for r in kept("training_on-") if "set" in r], []
    for name in POOLS:
        ordered = sorted((r for r in curves if r["set"] == name), key=lambda r: r["count"] or 1e9)
        digits = 1 if name in ("storms", "letters") else 3
        for r in ordered:
            cells = [spread([run["energy"] for run in r[start]], digits) for start in STARTS]
            untrained = f"{r['shipped']['energy']:.{digits}f}"
            label = str(r["count"] or f"all {r['of']}")
            minutes = [np.mean([run["seconds"] for run in r[s]]) / 60 for s in STARTS]
            times = [f"{m:.1f}" for m in minutes]
            rows.append([name, label, untrained, *cells, *times, str(len(r[STARTS[0]]))])
    if rows:
        head = ["set", "tracks", "without training", "from tracks-2d", "from scratch"]
        head += ["minutes, tracks-2d", "minutes, scratch", "choices of tracks"]
        write_table("training-on-curves", head, rows)


def main() -> None:
    made = parser(__doc__, "all sets", threads=2)
    made.add_argument("experiments", nargs="*", help="folds/SCENE or SET/COUNT")
    given = made.parse_args()
    torch.set_num_threads(given.threads)
    if not given.tables:
        folder = data_folder(given.data, "")
        done = kept("training_on-")
        for name in given.experiments or EXPERIMENTS:
            of, what = name.split("/")
            if of == "folds":
                for seed in SEEDS:
                    there = any(r.get("scene") == what and r["seed"] == seed for r in done)
                    if given.experiments or not there:
                        fold(what, folder, seed, given.threads)
            else:
                count = None if what == "all" else int(what)
                there = any(r.get("set") == of and r["count"] == count for r in done)
                if given.experiments or not there:
                    curve(of, count, folder)
    write_tables()


if __name__ == "__main__":
    main()
