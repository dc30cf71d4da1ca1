"""The tables of the pedestrians' page, from the kept results."""

import numpy as np

from benchmarks.common import pair, spread, write_table

REGIONS = (0.5, 0.9)
SHOWN = {"1.2 s": 2, "4.8 s": 11}  # steps ahead
REGION_HEAD = [f"{q:.0%} region, {seconds}" for q in REGIONS for seconds in SHOWN]
TRUE_RATE = "ETH at its true rate"
SELECTIONS = {  # as kept, as shown
    "plain": "20 plain samples",
    "quasi-random": "20 quasi-random samples",
    "greedy": "20 of 400 samples, greedy coverage",
    "k-means": "20 k-means clusters of 400 samples",
    "learned": "mode set of 20",
}
RENAMED = {"iid": "plain", "representative": "chosen"}  # keys of the results that are kept


def with_names(result: dict) -> dict:
    """Return a kept result with the names of evaluations that scripts write today."""
    return {
        RENAMED.get(key, key): with_names(value) if key == "true_rate" else value
        for key, value in result.items()
    }


def write_all(
    results: list[dict], choices: list[dict], scenes: tuple[str, ...], systems: tuple[str, ...]
) -> None:
    """Write every table of the page."""
    results = [with_names(r) for r in results]
    recipe = [r for r in results if r["system"] == "recipe" and "tempered" in r]
    found = {scene: [r for r in recipe if r["scene"] == scene] for scene in scenes}
    found = {scene: runs for scene, runs in found.items() if runs}
    extra = [
        {**r["true_rate"], "train_seconds": r["train_seconds"], "learn_seconds": r["learn_seconds"]}
        for r in recipe
        if "true_rate" in r
    ]
    write_folds(found, extra)
    write_selections(found)
    write_reliability(found, extra)
    write_temperature(found)
    write_choice(choices, scenes)
    write_categories([r for r in results if r["system"] == "categories"], scenes)
    others = [r for r in results if r["system"] not in ("recipe", "categories")]
    write_models(others, systems)


def write_folds(found: dict[str, list[dict]], extra: list[dict]) -> None:
    """Write the two tables of the five folds and of ETH at its true rate."""
    rows, trained, sums = [], [], []
    named = [*((scene.upper(), runs) for scene, runs in found.items()), (TRUE_RATE, extra)]
    for name, runs in named:
        numbers = [
            [r[how]["model"][key] for r in runs]
            for how in ("plain", "chosen")
            for key in ("min_ade", "min_fde")
        ]
        first = runs[0]["plain"]
        straight = first["constant_velocity"]
        cells = [pair([straight["ade"], straight["fde"]], 2), *(spread(v, 3) for v in numbers)]
        rows.append([name, *cells])
        energy = np.mean([r["plain"]["model"]["energy_score"] for r in runs])
        minutes = np.mean([r["train_seconds"] + r["learn_seconds"] for r in runs]) / 60
        windows, seeds = str(first["windows"]), str(len(runs))
        trained.append([name, windows, f"{energy:.2f}", f"{minutes:.0f}", seeds])
        if name != TRUE_RATE:
            sums.append([np.mean(values) for values in numbers])
    mean = [f"**{value:.3f}**" for value in np.mean(sums, axis=0)]
    rows.insert(len(found), ["**mean**", "", *mean])
    futures = [f"{score}, {how}" for how in ("20 samples", "mode set") for score in ("ADE", "FDE")]
    write_table("pedestrians-folds", ["scene", "constant velocity", *futures], rows)
    head = ["scene", "windows", "energy score of samples", "minutes of training", "seeds"]
    write_table("pedestrians-training", head, trained)


def write_selections(found: dict[str, list[dict]]) -> None:
    """Write the best of 20 futures chosen in each way, the mean over scenes of means over seeds."""
    rows = []
    for how, name in SELECTIONS.items():
        cells = []
        for part in ("val", "test"):
            each = [
                np.mean([r["selections"][part][how] for r in s], axis=0) for s in found.values()
            ]
            cells.append(pair(np.mean(each, axis=0)))
        rows.append([name, *cells])
    write_table("pedestrians-selections", ["20 futures", "validation files", "test files"], rows)


def regions_line(measured: list[dict]) -> list[str]:
    """Return the shares that the regions hold as text, means over seeds."""
    return [
        f"{np.mean([m['coverage'][str(q)][t] for m in measured]):.0%}"
        for q in REGIONS
        for t in SHOWN.values()
    ]


def write_reliability(found: dict[str, list[dict]], extra: list[dict]) -> None:
    """Write the share of windows that the regions hold, on test and on validation files."""
    rows = []
    for scene, runs in found.items():
        for part, name in (("test", "test"), ("val", "validation")):
            measured = [r["calibration"][part] for r in runs]
            rows.append([scene.upper(), name, *regions_line(measured)])
    rows.append([TRUE_RATE, "test", *regions_line([r["calibration"] for r in extra])])
    write_table("pedestrians-reliability", ["scene", "files", *REGION_HEAD], rows)


def write_temperature(found: dict[str, list[dict]]) -> None:
    """Write the same at the temperature that the validation files choose."""
    rows = []
    for scene, runs in found.items():
        picked = ", ".join(f"{r['tempered']['temperature']:g}" for r in runs)
        for part, name in (("test", "test"), ("val", "validation")):
            measured = [r["tempered"]["calibration"][part] for r in runs]
            rows.append([scene.upper(), name, picked, *regions_line(measured)])
    head = ["scene", "files", "temperature of each seed", *REGION_HEAD]
    write_table("pedestrians-temperature", head, rows)


def write_choice(choices: list[dict], scenes: tuple[str, ...]) -> None:
    """Write, for every fold, the scores of each setting on the scenes left out of its training."""
    rows = []
    for fold in scenes:
        for system in ("recipe", "recipe-one-rate", "recipe-no-jitter"):
            found = {
                scene: r["scores"][scene]["selections"]
                for r in choices
                for scene in r["scores"]
                if r["system"] == system and fold in r["scores"] and scene != fold
            }
            if found:
                cells = [
                    pair(np.mean([s[how] for s in found.values()], axis=0))
                    for how in ("plain", "k-means", "learned")
                ]
                scored = ", ".join(scene.upper() for scene in found)
                rows.append([fold.upper(), scored, system, *cells])
    head = ["fold", "scored on", "setting", "20 samples", "20 k-means clusters", "mode set of 20"]
    write_table("pedestrians-choice", head, rows)


def write_categories(results: list[dict], scenes: tuple[str, ...]) -> None:
    """Write the scores of plain samples of the VRNN whose latent is a category."""
    keys, rows, sums = ("min_ade", "min_fde", "energy_score", "nll"), [], []
    for scene in scenes:
        runs = [r for r in results if r["scene"] == scene]
        if runs:
            numbers = [[r["plain"]["model"][key] for r in runs] for key in keys]
            cells = [spread(values, 3) for values in numbers]
            seconds = np.mean([r["train_seconds"] for r in runs])
            rows.append([scene.upper(), *cells, f"{seconds / 60:.1f}", str(len(runs))])
            sums.append([np.mean(values) for values in numbers])
    if len(sums) == len(scenes):
        mean = [f"**{value:.3f}**" for value in np.mean(sums, axis=0)]
        rows.append(["**mean**", *mean, "", ""])
    head = ["scene", "ADE, 20 samples", "FDE, 20 samples", "energy score", "NLL per step"]
    write_table("pedestrians-categories", [*head, "minutes of training", "seeds"], rows)


def write_models(results: list[dict], systems: tuple[str, ...]) -> None:
    """Write the table of every model on one fold, and of constant velocity there."""
    rows, straight = [], []
    for r in sorted(results, key=lambda r: (r["scene"], systems.index(r["system"]), r["seed"])):
        m, best = r["plain"]["model"], r["chosen"]["model"]
        rows.append(
            [
                r["scene"].upper(),
                r["system"],
                str(r["steps"]),
                str(r["seed"]),
                f"{r['train_seconds']:.0f} s",
                pair([m["ade"], m["fde"]], 2),
                f"**{pair([m['min_ade'], m['min_fde']])}**",
                pair([best["min_ade"], best["min_fde"]]),
                f"{m['nll']:.2f}",
                f"{m['energy_score']:.2f}",
            ]
        )
    for scene, line in sorted({r["scene"]: r["plain"] for r in results}.items()):
        numbers = line["constant_velocity"]
        cell = pair([numbers["ade"], numbers["fde"]])
        straight.append([scene.upper(), str(line["windows"]), cell])
    head = [
        "scene",
        "model",
        "steps",
        "seed",
        "training",
        "ADE/FDE of the mean",
        "best of 20 samples",
        "best of 20 k-means clusters",
        "NLL per step",
        "energy",
    ]
    write_table("pedestrians-models", head, rows)
    head = ["scene", "windows", "constant velocity ADE/FDE"]
    write_table("pedestrians-constant-velocity", head, straight)
