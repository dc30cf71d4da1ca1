"""Without training: the model that was trained on simulated motion, on tracks it has never seen.

    python -m benchmarks.without_training            every set (minutes)
    python -m benchmarks.without_training eth-val    one set; those that end in -val were used for choices
    python -m benchmarks.without_training --tables   the tables alone, from the kept results

8 rows are observed and 12 forecast, by 20 samples. Constant velocity, a random walk of the velocity
and a Kalman filter are the baselines. The prior over motion and the training of the model were
chosen on the sets whose names end in -val. The others were scored in the end.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

import vrnn
from benchmarks.common import data_folder, keep, kept, parser, write_table
from vrnn.baselines.constant_velocity import constant_velocity
from vrnn.baselines.gaussian_paths import GaussianPaths
from vrnn.baselines.kalman import Kalman
from vrnn.baselines.random_walk import random_walk
from vrnn.data.synthetic import Crossroads
from vrnn.metrics.displacement import best_of
from vrnn.metrics.scores import energy_score

OBSERVE, HORIZON, SAMPLES = 8, 12, 20
SEEDS = (0, 1, 2)
SCENES = ("eth", "hotel", "univ", "zara1", "zara2")
LETTERS = 300
EVERY = 4  # rows of a letter per row that is kept
NMI = 60.0  # nautical miles in a degree of latitude
REGIONS = (0.5, 0.9)


def cut(tracks: vrnn.Tracks, most: int, stride: int = 1) -> np.ndarray:
    """Return windows (count, 20, 2) of complete rows, at most so many, drawn at random."""
    found = vrnn.windows(tracks, OBSERVE + HORIZON, stride=stride)
    x = np.stack(found.x)
    chosen = np.random.default_rng(0).permutation(len(x))[:most]
    return x[np.sort(chosen)]


def thinned(tracks: vrnn.Tracks, every: int) -> vrnn.Tracks:
    """Return every so many rows of tracks."""
    return vrnn.Tracks([x[::every] for x in tracks.x], times=[t[::every] for t in tracks.times])


def pedestrians(scene: str, part: str, folder: Path, every: int = 1) -> np.ndarray:
    """Return windows of a fold of ETH/UCY, in metres."""
    return cut(thinned(vrnn.read_tracks(folder / "eth_ucy" / scene / part), every), 3000)


def storm_tracks(first: int, last: int, folder: Path) -> vrnn.Tracks:
    """Return six-hourly fixes of the storms of some years, in nautical miles of a local plane."""
    tracks = vrnn.read_tracks(
        folder / "hurdat2" / "hurdat2.txt", columns=vrnn.Columns(x=("lat", "lon"))
    )
    year = np.array([int(name[-4:]) for name in tracks.ids])
    planes = []
    for i in np.flatnonzero((year >= first) & (year <= last)):
        on_time = tracks.times[i] % 6 == 0
        lat, lon = tracks.x[i][on_time].T
        if len(lat) > OBSERVE + HORIZON:
            east = np.cos(np.radians(np.nanmean(lat)))
            planes.append((np.stack([lon * east * NMI, lat * NMI], -1), tracks.times[i][on_time]))
    return vrnn.Tracks([x for x, _ in planes], times=[t for _, t in planes])


def storms(first: int, last: int, folder: Path, every: int = 1) -> np.ndarray:
    """Return windows of storms."""
    return cut(thinned(storm_tracks(first, last, folder), every), 3000)


def letter_tracks(part: str, folder: Path, every: int = EVERY) -> vrnn.Tracks:
    """Return every so many rows of pen tracks."""
    with np.load(folder / "uci_characters" / "char_trajectories.npz", allow_pickle=False) as data:
        moves = np.split(data[f"{part}_X"], np.cumsum(data[f"{part}_len"])[:-1])
    tracks = []
    for move in moves:
        moving = np.flatnonzero(np.abs(move).sum(1) > 0)
        tracks.append(move[moving[0] : moving[-1] + 1, :2].cumsum(0)[::every])
    return vrnn.Tracks(tracks)


def letters(part: str, folder: Path, every: int = EVERY) -> np.ndarray:
    """Return windows of the first letters, a window every twelfth row of the file."""
    return cut(letter_tracks(part, folder, every)[:LETTERS], 3000, stride=12 // every)


def junction(folder: Path) -> np.ndarray:
    """Return simulated walks to a junction, a process that is no part of the simulator."""
    return np.stack(Crossroads().sample(3000, OBSERVE + HORIZON, seed=0).x)


SETS: dict[str, Callable[[Path], np.ndarray]] = {
    **{scene: partial(pedestrians, scene, "test") for scene in SCENES},
    "storms": partial(storms, 2014, 2018),
    "letters": partial(letters, "test"),
    "univ-2nd": partial(pedestrians, "univ", "test", every=2),
    "univ-4th": partial(pedestrians, "univ", "test", every=4),
    "storms-2nd": partial(storms, 2014, 2018, every=2),
    "letters-1st": partial(letters, "test", every=1),
    "letters-2nd": partial(letters, "test", every=2),
    "crossroads": junction,
    "eth-val": partial(pedestrians, "eth", "val"),
    "zara1-val": partial(pedestrians, "zara1", "val"),
    "storms-val": partial(storms, 1990, 2013),
    "letters-val": partial(letters, "train"),
}


def by_model(past: np.ndarray, seed: int) -> np.ndarray:
    """Return futures of the model that needs no training, (sample, batch, horizon, 2)."""
    return vrnn.forecast(past, horizon=HORIZON, samples=SAMPLES, seed=seed).samples


def by_random_walk(past: np.ndarray, seed: int) -> np.ndarray:
    """Return futures whose velocity is a random walk, of the scale of each track's own past."""
    return drawn(random_walk(past, HORIZON), seed)


def by_kalman(past: np.ndarray, seed: int) -> np.ndarray:
    """Return futures of a Kalman filter, whose two variances fit all pasts of the set."""
    return drawn(Kalman.fit([past]).forecast(past, HORIZON), seed)


def drawn(paths: GaussianPaths, seed: int) -> np.ndarray:
    """Return samples of Gaussian paths, (sample, batch, horizon, 2)."""
    return paths.sample(np.random.default_rng(seed).standard_normal((SAMPLES, *paths.mean.shape)))


def scores(samples: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return best of 20, energy score, and how often regions around the mean hold the truth."""
    ade, fde = best_of(samples, truth)
    mean = samples.mean(0)
    away = np.linalg.norm(samples - mean, axis=-1)
    off = np.linalg.norm(truth - mean, axis=-1)
    found = {"ade": ade.mean(), "fde": fde.mean(), "energy": energy_score(samples, truth).mean()}
    found |= {f"in {q:.0%}": (off <= np.quantile(away, q, axis=0)).mean() for q in REGIONS}
    return {name: float(value) for name, value in found.items()}


def run(name: str, folder: Path) -> None:
    """Score the model and the baselines on one set, and keep the result."""
    x = SETS[name](folder)
    past, truth = x[:, :OBSERVE], x[:, OBSERVE:]
    off = np.linalg.norm(constant_velocity(past, HORIZON) - truth, axis=-1)
    ways = {"model": by_model, "random walk": by_random_walk, "Kalman": by_kalman}
    result = {
        "set": name,
        "windows": len(x),
        "constant velocity": {
            "ade": float(off.mean()),
            "fde": float(off[:, -1].mean()),
            "energy": float(np.sqrt((off**2).sum(1)).mean()),
        },
        **{way: [scores(draw(past, seed), truth) for seed in SEEDS] for way, draw in ways.items()},
    }
    keep(f"without_training-{name}", result)
    model = {k: np.mean([r[k] for r in result["model"]]) for k in result["model"][0]}
    print(name, len(x), {k: round(float(v), 3) for k, v in model.items()}, flush=True)
    for way in ("random walk", "Kalman"):
        print("   ", way, round(float(np.mean([r["energy"] for r in result[way]])), 3), flush=True)


def rows_of(results: list[dict]) -> Iterator[list[str]]:
    """Return the lines of the table of scores."""

    def over(runs: list[dict], key: str) -> float:
        return float(np.mean([r[key] for r in runs]))

    for r in results:
        digits = 1 if over(r["model"], "energy") > 10 else 3
        line = r["constant velocity"]
        cells = [f"{line['ade']:.{digits}f}/{line['fde']:.{digits}f}"]
        for way in ("random walk", "Kalman", "model"):
            cells.append(f"{over(r[way], 'ade'):.{digits}f}/{over(r[way], 'fde'):.{digits}f}")
        ways = ("random walk", "Kalman", "model")
        energies = [line["energy"], *(over(r[way], "energy") for way in ways)]
        shown = [f"{energy:.{digits}f}" for energy in energies]
        cells += [
            f"**{s}**" if e == min(energies) else s for e, s in zip(energies, shown, strict=True)
        ]
        cells += [f"{over(r['model'], f'in {q:.0%}'):.0%}" for q in REGIONS]
        yield [r["set"], str(r["windows"]), *cells]


def mean_over(results: list[dict]) -> list[str]:
    """Return the line of the mean over the scenes of ETH/UCY: of distances, no other scores."""
    cells = []
    for way in ("constant velocity", "random walk", "Kalman", "model"):
        runs = [r[way] if isinstance(r[way], list) else [r[way]] for r in results]
        ade, fde = (np.mean([np.mean([s[k] for s in run]) for run in runs]) for k in ("ade", "fde"))
        cells.append(f"{ade:.3f}/{fde:.3f}")
    return ["mean of ETH/UCY", "", *cells, *[""] * 6]


def write_tables() -> None:
    """Write the tables of the page from the kept results."""
    found = {r["set"]: r for r in kept("without_training-")}
    head = ["set", "windows", "constant velocity", "random walk", "Kalman", "model"]
    head += [f"energy, {way}" for way in ("constant velocity", "random walk", "Kalman", "model")]
    head += [f"{q:.0%} region holds" for q in REGIONS]
    val = [name for name in SETS if name.endswith("-val")]
    more = [
        name for name in SETS if name.endswith(("-1st", "-2nd", "-4th")) or name == "crossroads"
    ]
    main = [name for name in SETS if name not in (*val, *more)]
    for table, names in (("", main), ("-val", val), ("-more", more)):
        chosen = [found[name] for name in names if name in found]
        if chosen:
            rows = list(rows_of(chosen))
            if names is main:
                rows.append(mean_over([r for r in chosen if r["set"] in SCENES]))
            write_table(f"without-training{table}", head, rows)


def main() -> None:
    made = parser(__doc__, "all sets")
    made.add_argument("sets", nargs="*", help=f"sets; {tuple(SETS)}")
    given = made.parse_args()
    torch.set_num_threads(given.threads)
    if not given.tables:
        folder = data_folder(given.data, "")
        for name in given.sets or SETS:
            run(name, folder)
    write_tables()


if __name__ == "__main__":
    main()
