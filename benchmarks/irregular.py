"""Irregular times: resampled positions against the time between rows as an input.

    python -m benchmarks.irregular                    the simulated sets
    python -m benchmarks.irregular gaps               missing rows before a forecast, on ZARA1
    python -m benchmarks.irregular walks.csv          a file; the first 60 % of each track trains
    python -m benchmarks.irregular --tables           the table alone, from the kept results

Both forms get the same tracks, model, steps, learning rate and windows of 20 rows. Both forecast 12
usual steps from 8 rows. Forecasts are interpolated at the times of the true rows, which nobody has
changed, and scored by the energy score of the whole path in metres. The model that needs no training
is given both forms too, the rows as they are and resampled.

`gaps` hides some of the 8 observed rows of validation windows. The model that needs no training then
forecasts from missing rows, and from rows that are interpolated in their place.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

import vrnn
from benchmarks.common import RESULTS, data_folder, keep, kept, parser, spread, write_table
from benchmarks.defaults import as_vrnn, simulated
from vrnn.cli.train import chosen_training
from vrnn.column_names import latitude_longitude
from vrnn.data.tidy import split_before, tidy
from vrnn.geo import RADIUS
from vrnn.metrics.scores import energy_score

SETS = ("vessels", "animals", "buses")
OBSERVE, HORIZON = 8, 12
ROWS = OBSERVE + HORIZON
APART = 6  # rows from one forecast to the next on a track
SAMPLES = 20
FEWEST = 4  # true rows that a forecast is scored on
STEPS = 300  # of training on a file
FORMS = (
    "resampled",
    "time input",
    "tracks-2d, resampled",
    "tracks-2d, rows as they are",
    "constant velocity",
)


HIDDEN = ((6,), (5, 6), (4, 6), (2, 4, 6), (3, 4, 5, 6))
GAP_FORMS = ("missing", "interpolated")


class Case(NamedTuple):
    """A place on a track to forecast from: the rows before it, and those after it."""

    past: vrnn.Tracks
    times: np.ndarray
    truth: np.ndarray


def cases_of(tracks: vrnn.Tracks, step: float) -> list[Case]:
    """Return the places to forecast from, with the rows of the next 12 usual steps."""
    found = []
    for i in range(len(tracks)):
        t = tracks.times[i]
        for last in range(OBSERVE - 1, len(t) - FEWEST, APART):
            ahead = np.flatnonzero((t > t[last]) & (t <= t[last] + HORIZON * step))
            whole = t[-1] >= t[last] + HORIZON * step
            if whole and len(ahead) >= FEWEST:
                past = tracks[[i]].cut(last + 1 - OBSERVE, last + 1)
                past = past.rename([f"{tracks.ids[i]}@{last}"])
                found.append(Case(past, t[ahead], tracks.x[i][ahead]))
    return found


def metres(x: np.ndarray, origin: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return places in a plane at an origin; others than degrees are left as they are."""
    columns = latitude_longitude(tuple(names))
    if columns is None:
        return x - origin
    lat, lon = columns
    unit = np.radians(1000 * RADIUS["km"])
    east = unit * np.cos(np.radians(origin[lat])) * (x[..., lon] - origin[lon])
    return np.stack([unit * (x[..., lat] - origin[lat]), east], -1)


def energy(paths: np.ndarray, ahead: np.ndarray, case: Case) -> float:
    """Return the energy score of paths at some times against the true rows.

    Args:
        paths: sample paths (sample, horizon, dim).
        ahead: their times.
        case: what is forecast.
    """
    start, begin = case.past.x[0][-1], case.past.times[0][-1]
    known = np.concatenate([np.broadcast_to(start, (len(paths), 1, 2)), paths], 1)
    grid = np.r_[begin, ahead]
    at = np.array(
        [[np.interp(case.times, grid, path[:, d]) for d in range(2)] for path in known]
    ).swapaxes(1, 2)
    names = case.past.x_names
    drawn, truth = (metres(part, start, names) for part in (at, case.truth))
    return float(energy_score(drawn[:, None], truth[None], fair=len(drawn) > 1)[0])


def scores(cases: list[Case], model: object, step: float, form: str) -> float:
    """Return the mean energy score of a model that reads the past in one of the forms."""
    pasts = vrnn.data.tracks.concatenate([case.past for case in cases])
    if form == "resampled":
        pasts = tidy(pasts, last=True, step=step).tracks
    found = vrnn.forecast(pasts, model=model, horizon=HORIZON, samples=SAMPLES)
    paths = {name: found.samples[:, i] for i, name in enumerate(found.history.ids)}
    each = []
    for case in cases:
        (name,) = case.past.ids
        if name in paths:
            ahead = case.past.times[0][-1] + step * np.arange(1, HORIZON + 1)
            each.append(energy(paths[name], ahead, case))
    return float(np.mean(each))


def straight(cases: list[Case], step: float) -> float:
    """Return the mean score of constant velocity, read from the last two rows."""
    each = []
    for case in cases:
        t, x = case.past.times[0], case.past.x[0]
        ahead = t[-1] + step * np.arange(1, HORIZON + 1)
        path = x[-1] + (x[-1] - x[-2]) / (t[-1] - t[-2]) * (ahead - t[-1])[:, None]
        drawn = np.broadcast_to(path, (1, *path.shape))
        each.append(energy(drawn, ahead, case))
    return float(np.mean(each))


def row_windows(tracks: vrnn.Tracks) -> vrnn.Tracks:
    """Return every 20 rows that follow each other, whatever their times."""
    parts = [
        tracks[[i]].cut(s, s + ROWS).rename([f"{name}@{s}"])
        for i, name in enumerate(tracks.ids)
        for s in range(len(tracks.x[i]) - ROWS + 1)
    ]
    return vrnn.data.tracks.concatenate(parts)


def parts_of(path: Path) -> tuple[vrnn.Tracks, vrnn.Tracks, vrnn.Tracks]:
    """Return the first 60 % of the rows of each track, a tenth, and the rest."""
    tracks = vrnn.read_tracks(path)
    lengths = tracks.lengths
    ends = np.cumsum(lengths) - lengths
    cuts = np.sort(np.concatenate([ends + lengths * 6 // 10, ends + lengths * 7 // 10]))
    cut = split_before(tracks, cuts)
    first, second, third = (cut[np.arange(i, len(cut), 3)] for i in range(3))
    return first, second, third


def run(name: str, seed: int) -> None:
    """Train both forms on one set, and keep the scores."""
    is_file = name not in SETS
    train, val, test = parts_of(Path(name)) if is_file else simulated(name, Path())
    step = train.step
    regular = [tidy(part, step=step).tracks for part in (train, val)]
    config = as_vrnn(train)
    settings = vrnn.TrainConfig(seed=seed)
    if is_file:
        geographic = "km" if latitude_longitude(train.x_names) else ""
        transform = vrnn.TransformConfig(causal=True, geographic=geographic)
        settings = replace(
            settings, transform=transform, window=ROWS, steps=STEPS, learning_rate=3e-3,
            validate_every=STEPS // 10,
        )  # fmt: skip
    else:
        settings, _ = chosen_training(regular[0], config, settings, regular[1])
    fit = partial(vrnn.train, config=config, start="scratch", quiet=True)
    resampled = fit(regular[0], training=settings, val=regular[1] if not is_file else None)
    timed = replace(settings, window=None, time_input=True)
    with_time = fit(
        row_windows(train), training=timed, val=row_windows(val) if not is_file else None
    )
    cases = cases_of(test, step)
    found = {
        "resampled": scores(cases, resampled.model, step, "resampled"),
        "time input": scores(cases, with_time.model, step, "rows"),
        "tracks-2d, resampled": scores(cases, "tracks-2d", step, "resampled"),
        "tracks-2d, rows as they are": scores(cases, "tracks-2d", step, "rows"),
        "constant velocity": straight(cases, step),
    }
    label = Path(name).stem
    result = {
        "set": label,
        "seed": seed,
        "step": step,
        "cases": len(cases),
        "steps": settings.steps,
    }
    result |= {"causal": settings.transform.causal, "energy": found}
    if not is_file:  # results on a file of yours are yours
        keep(f"irregular-{label}-{seed}", result)
    print(label, seed, len(cases), {k: round(v, 1) for k, v in found.items()}, flush=True)


def hidden_rows(folder: Path) -> None:
    """Forecast windows of ZARA1 with some of their rows hidden, and keep the scores."""
    cut = vrnn.windows(vrnn.read_tracks(folder / "eth_ucy" / "zara1" / "val"), ROWS, 5)
    truth, past = np.stack([x[OBSERVE:] for x in cut.x]), cut.cut(stop=OBSERVE)
    found = {"none": dict.fromkeys(GAP_FORMS, _energy(past, truth))}
    for rows in HIDDEN:
        holed = [np.where(np.isin(np.arange(OBSERVE), rows)[:, None], np.nan, x) for x in past.x]
        missing = replace(past, x=holed)
        filled = tidy(missing, last=True).tracks
        label = ", ".join(str(row + 1) for row in rows)
        found[label] = dict(
            zip(GAP_FORMS, (_energy(p, truth) for p in (missing, filled)), strict=True)
        )
    keep("irregular-gaps", {"set": "gaps", "windows": len(cut), "energy": found})
    print("gaps", len(cut), found, flush=True)


def _energy(past: vrnn.Tracks, truth: np.ndarray) -> float:
    """Return the mean energy score of the model that needs no training."""
    drawn = vrnn.forecast(past, horizon=HORIZON, samples=SAMPLES).samples
    return float(energy_score(drawn, truth).mean())


def write_tables() -> None:
    """Write the tables of the page from the kept results."""
    results, rows = kept("irregular-"), []
    for name in SETS:
        of_set = [r for r in results if r["set"] == name]
        if of_set:
            cells = [spread([r["energy"][form] for r in of_set], 0) for form in FORMS]
            rows.append([name, str(of_set[0]["cases"]), str(len(of_set)), *cells])
    write_table("irregular", ["Set", "Forecasts", "Seeds", *FORMS], rows)
    for result in (r for r in results if r["set"] == "gaps"):
        cells = [
            [k, *(f"{v[form]:.3f}" for form in GAP_FORMS)] for k, v in result["energy"].items()
        ]
        write_table("irregular-gaps", ["Hidden rows", *GAP_FORMS], cells)


def main() -> None:
    made = parser(__doc__, "all sets")
    made.add_argument("experiments", nargs="*", help=f"gaps, sets of {', '.join(SETS)}, or files")
    made.add_argument("--seed", type=int, help="one seed in place of 0, 1 and 2")
    given = made.parse_args()
    torch.set_num_threads(given.threads)
    if not given.tables:
        named = given.experiments or ("gaps", *SETS)
        if "gaps" in named:
            hidden_rows(data_folder(given.data, ""))
        for name in (name for name in named if name != "gaps"):
            for seed in (0, 1, 2) if given.seed is None else (given.seed,):
                if not (RESULTS / f"irregular-{name}-{seed}.json").exists():
                    run(name, seed)
                    write_tables()
    write_tables()


if __name__ == "__main__":
    main()
