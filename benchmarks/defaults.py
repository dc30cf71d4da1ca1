"""What `vrnn train FILE` chooses, beside other settings and baselines, on sets of many kinds.

    python -m benchmarks.defaults                     every set with every setting, not kept yet (hours)
    python -m benchmarks.defaults zara1/default       one setting on one set
    python -m benchmarks.defaults --tables            the tables alone, from the kept results

The default is what the command chooses, within 3 minutes on this machine. The other settings take
as many steps; whole tracks take fewer, if those do not fit into 3 minutes. Validation windows compare the settings, and test windows are scored in the end. Four
sets are simulated in the style of vessels, animals, buses and players. The first three have
irregular times and are in degrees. They are brought to a regular step as the command line does it.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

import vrnn
from benchmarks.common import data_folder, keep, kept, parser, write_table
from benchmarks.without_training import letter_tracks
from vrnn.cli.train import chosen_training
from vrnn.data.tidy import tidy
from vrnn.training.budget import MINUTES, steps_within
from vrnn.training.choose import choose_families

WINDOWS = 1000  # windows of a part that are scored
SIMULATED = 150  # tracks of a simulated set
MOVES = vrnn.AugmentConfig(flip=True, rotate=True)
LABELS = {
    "constant_velocity": "constant velocity",
    "random_walk": "random walk",
    "kalman": "Kalman",
    "shipped": "tracks-2d",
}
Parts = tuple[vrnn.Tracks, vrnn.Tracks, vrnn.Tracks]


def scene(name: str, folder: Path) -> Parts:
    """Return the parts of a fold of ETH/UCY."""
    parts = [
        vrnn.read_tracks(folder / "eth_ucy" / name / part) for part in ("train", "val", "test")
    ]
    return parts[0], parts[1], parts[2]


def storms(folder: Path) -> Parts:
    """Return storms of 1990 to 2010, to 2013, and to 2018, in degrees."""
    tracks = vrnn.read_tracks(folder / "hurdat2" / "hurdat2.txt")
    year = np.array([int(name[-4:]) for name in tracks.ids])
    cut = [(1990, 2010), (2011, 2013), (2014, 2018)]
    parts = [tracks[np.flatnonzero((year >= a) & (year <= b))] for a, b in cut]
    return parts[0], parts[1], parts[2]


def letters(folder: Path) -> Parts:
    """Return pen tracks, a tenth of the training tracks to validate on."""
    train, test = letter_tracks("train", folder), letter_tracks("test", folder)
    order = np.random.default_rng(0).permutation(len(train))
    count = len(train) // 10
    return train[np.sort(order[count:])], train[np.sort(order[:count])], test


def simulated(kind: str, folder: Path) -> Parts:
    """Return the parts of a simulated set."""
    random = np.random.default_rng([ord(letter) for letter in kind])
    made = [KINDS[kind](random) for _ in range(3 * SIMULATED)]
    names = ("lat", "lon") if kind in ("vessels", "animals", "buses") else ("x", "y")
    tracks = vrnn.Tracks([x for x, _ in made], times=[t for _, t in made], x_names=names)
    return tuple(tracks[i * SIMULATED : (i + 1) * SIMULATED] for i in range(3))


def vessel(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of a ship on straight legs, at the irregular times of its messages."""
    t = np.cumsum(random.choice([60, 60, 60, 70, 120, 180], 60)).astype(float)
    speed, course = random.uniform(5, 18) * 0.514, random.uniform(0, 2 * np.pi)
    xy, place = [], np.zeros(2)
    for dt in np.diff(t, prepend=t[0]):
        if random.random() < 0.03:
            course += random.normal(0, 0.6)
        course += random.normal(0, 0.01)
        speed = np.clip(speed + random.normal(0, 0.05), 1, 12)
        place = place + speed * dt * np.array([np.sin(course), np.cos(course)])
        xy.append(place)
    return degrees(np.array(xy) + random.normal(0, 5, (60, 2)), random, 55.0), t


def animal(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return hourly positions of an animal that rests and travels; some are missing."""
    travelling, heading, place, xy = False, random.uniform(0, 2 * np.pi), np.zeros(2), []
    home = random.normal(0, 500, 2)
    for _ in range(120):
        travelling = random.random() < (0.85 if travelling else 0.15)
        pull = np.arctan2(*(home - place)) if random.random() < 0.2 else heading
        heading = pull + random.normal(0, 0.4 if travelling else 1.5)
        length = random.gamma(2, 300) if travelling else random.gamma(1, 20)
        place = place + length * np.array([np.sin(heading), np.cos(heading)])
        xy.append(place)
    kept = np.sort(random.permutation(120)[: random.integers(80, 115)])
    t = 3600.0 * kept + random.normal(0, 60, len(kept))
    return degrees(np.array(xy)[kept] + random.normal(0, 10, (len(kept), 2)), random, 42.0), t


def bus(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of a bus that follows streets of a grid and stops."""
    t = np.cumsum(random.uniform(18, 32, 70))
    place, xy, wait = np.zeros(2), [], 0.0
    way = np.array([[0, 1], [1, 0], [0, -1], [-1, 0]], float)
    turn, left = random.integers(4), random.uniform(100, 800)
    for dt in np.diff(t, prepend=t[0]):
        go = max(0.0, dt - wait) * random.uniform(5, 11)
        wait = max(0.0, wait - dt)
        while go > 0:
            step = min(go, left)
            place, go, left = place + step * way[turn], go - step, left - step
            if left <= 0:
                left = random.uniform(200, 1200)
                turn = (turn + random.choice([0, 0, 1, -1])) % 4
                if random.random() < 0.5:
                    wait, go = random.uniform(10, 40), 0.0
        xy.append(place)
    return degrees(np.array(xy) + random.normal(0, 4, (70, 2)), random, 53.0), t


def player(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of a player, 25 a second, who runs from goal to goal."""
    place, velocity, goal, xy = random.uniform(0, 60, 2), np.zeros(2), random.uniform(0, 60, 2), []
    fast = random.uniform(1.5, 7)
    for _ in range(250):
        if random.random() < 0.01 or np.hypot(*(goal - place)) < 2:
            goal, fast = random.uniform(0, 60, 2), random.uniform(1.5, 7)
        wish = fast * (goal - place) / max(np.hypot(*(goal - place)), 1e-9)
        velocity = velocity + 0.06 * (wish - velocity) + random.normal(0, 0.03, 2)
        place = place + velocity / 25
        xy.append(place)
    return np.array(xy) + random.normal(0, 0.01, (250, 2)), np.arange(250) / 25


def degrees(xy: np.ndarray, random: np.random.Generator, latitude: float) -> np.ndarray:
    """Return metres as latitude and longitude around a place."""
    lat = latitude + random.normal(0, 0.5)
    scale = np.array([111_195.0, 111_195.0 * np.cos(np.radians(lat))])
    return np.array([lat, 10.0]) + xy[:, ::-1] / scale


KINDS = {"vessels": vessel, "animals": animal, "buses": bus, "players": player}
SETS: dict[str, Callable[[Path], Parts]] = {
    "eth": partial(scene, "eth"),
    "zara1": partial(scene, "zara1"),
    "storms": storms,
    "letters": letters,
    **{kind: partial(simulated, kind) for kind in KINDS},
}


def as_rnn(tracks: vrnn.Tracks) -> vrnn.ModelConfig:
    return vrnn.RNNConfig(x_dim=tracks.x_dim, **choose_families(tracks, vrnn.RNNConfig))


def as_vrnn(tracks: vrnn.Tracks) -> vrnn.ModelConfig:
    return vrnn.VRNNConfig(x_dim=tracks.x_dim, **choose_families(tracks, vrnn.VRNNConfig))


def whole(settings: vrnn.TrainConfig) -> vrnn.TrainConfig:
    """Return the settings for whole tracks, with their learning rate."""
    return replace(settings, window=None, learning_rate=vrnn.TrainConfig().learning_rate)


def causal(settings: vrnn.TrainConfig, turned: bool = True) -> vrnn.TrainConfig:
    return replace(settings, transform=replace(settings.transform, causal=turned))


Change = Callable[[vrnn.TrainConfig], vrnn.TrainConfig]
SETTINGS: dict[str, tuple[Callable[[vrnn.Tracks], vrnn.ModelConfig], Change]] = {
    "default": (as_vrnn, lambda s: s),
    "causal": (as_vrnn, causal),
    "not causal": (as_vrnn, partial(causal, turned=False)),
    "whole tracks": (as_vrnn, whole),
    "low learning rate": (as_vrnn, lambda s: replace(s, learning_rate=1e-3)),
    "RNN": (as_rnn, lambda s: s),
}


def score(tracks: vrnn.Tracks, model: object, observe: int, horizon: int) -> dict:
    """Return the scores of a model and of the baselines on windows of a part."""
    cut = vrnn.windows(tracks, observe + horizon)
    chosen = np.unique(np.linspace(0, len(cut) - 1, min(WINDOWS, len(cut))).astype(int))
    return vrnn.evaluate(cut[chosen], model=model, observe=observe, horizon=horizon).to_dict()


def run(name: str, setting: str, folder: Path, seed: int) -> None:
    """Train with one setting on one set, and keep its scores."""
    train, *others = SETS[name](folder)
    train = tidy(train).tracks
    val, test = (tidy(part, step=train.step).tracks for part in others)
    found = vrnn.describe(val)
    observe, horizon = found.observe, found.horizon
    make, change = SETTINGS[setting]
    config = make(train)
    started = time.perf_counter()
    chosen, _ = chosen_training(train, config, vrnn.TrainConfig(seed=seed), val)
    if setting != "default":  # as many steps as the default had
        (default,) = kept(f"defaults-{name}-default-{seed}")
        chosen = change(replace(chosen, steps=default["steps"]))
        if chosen.window is None:  # training on missing points is slow
            chosen = replace(chosen, steps=steps_within(MINUTES, train, config, chosen))
    trained = vrnn.train(
        train, config=config, training=chosen, val=val, start="scratch", quiet=True
    )
    seconds = time.perf_counter() - started
    parts = {"val": val, "test": test}
    result = {
        "set": name,
        "setting": setting,
        "seed": seed,
        "observe": observe,
        "horizon": horizon,
        "steps": chosen.steps,
        "causal": chosen.transform.causal,
        "window": chosen.window,
        "seconds": round(seconds, 1),
        **{part: score(tracks, trained.model, observe, horizon) for part, tracks in parts.items()},
    }
    if setting == "default":
        result["shipped"] = {p: score(t, None, observe, horizon) for p, t in parts.items()}
    keep(f"defaults-{name}-{setting.replace(' ', '_')}-{seed}", result)
    energies = {
        k: round(v["energy_score"], 4) for k, v in result["test"].items() if isinstance(v, dict)
    }
    print(name, setting, seed, chosen.steps, round(seconds), energies, flush=True)


def write_tables() -> None:
    """Write the table of the page from the kept results."""
    results = kept("defaults-")
    rows = []
    for name in SETS:
        of_set = {r["setting"]: r for r in results if r["set"] == name and r["seed"] == 0}
        if "default" not in of_set:
            continue
        mine = of_set["default"]
        best = min(of_set, key=lambda setting: of_set[setting]["val"]["model"]["energy_score"])
        test = mine["test"]
        energies = [
            test["model"],
            *(test.get(k) for k in ("constant_velocity", "random_walk", "kalman")),
        ]
        energies.append(mine["shipped"]["test"]["model"])
        cells = [f"{part['energy_score']:.4g}" if part else "-" for part in energies]
        others = len(of_set) > 1
        behind = (
            mine["val"]["model"]["energy_score"] / of_set[best]["val"]["model"]["energy_score"] - 1
        )
        rows.append(
            [
                name,
                f"{mine['observe']}/{mine['horizon']}",
                *cells,
                f"{mine['steps']:,}",
                f"{mine['seconds']:.0f}",
                best if others else "-",
                f"{behind:.1%}" if others else "-",
                str(len(of_set)),
            ]
        )
    header = [
        "Set", "Rows observed/forecast", "`vrnn train`", "Constant velocity", "Random walk", "Kalman", "tracks-2d",
        "Steps", "Seconds", "Best setting in validation", "Default worse by", "Settings compared",
    ]  # fmt: skip
    write_table("defaults", header, rows)
    compared = []
    for name in SETS:
        of_set = {r["setting"]: r for r in results if r["set"] == name and r["seed"] == 0}
        cells = [
            f"{of_set[setting]['val']['model']['energy_score']:.4g}" if setting in of_set else "-"
            for setting in SETTINGS
        ]
        compared.append([name, *cells])
    write_table("defaults-settings", ["Set", *SETTINGS], compared)


def main() -> None:
    made = parser(__doc__, "all sets", threads=2)
    made.add_argument("experiments", nargs="*", help="SET or SET/SETTING")
    made.add_argument("--seed", type=int, default=0, help="seed of the training")
    given = made.parse_args()
    torch.set_num_threads(given.threads)
    if not given.tables:
        folder = data_folder(given.data, "")
        done = {(r["set"], r["setting"], r["seed"]) for r in kept("defaults-")}
        every = [f"{name}/{setting}" for setting in SETTINGS for name in SETS]
        for each in given.experiments or every:
            name, _, setting = each.partition("/")
            for one in [setting] if setting else SETTINGS:
                if (name, one, given.seed) not in done:
                    run(name, one, folder, given.seed)
                    write_tables()
    write_tables()


if __name__ == "__main__":
    main()
