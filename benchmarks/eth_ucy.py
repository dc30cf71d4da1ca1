"""Pedestrians: train on ETH/UCY folds, forecast 8 -> 12, and write docs/pedestrians.md.

    python -m benchmarks.eth_ucy                    every experiment of the page, then the page (hours)
    python -m benchmarks.eth_ucy zara1/recipe       one experiment with --seed, then the page
    python -m benchmarks.eth_ucy eth-univ/recipe    trained without ETH and UNIV, scored on both: what a setting does on scenes of neither fold
    python -m benchmarks.eth_ucy --page             the page alone, from the results kept

The data is the leave-one-scene-out split that VRNN_DATA (or --data) points to. Validation files choose the weights; no choice is made on
the test file.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import vrnn
from benchmarks.common import data_folder, keep, kept, table
from vrnn.metrics.clusters import representative
from vrnn.metrics.displacement import best_of
from vrnn.models import ModelConfig, kind_of
from vrnn.trained import TrainedModel

PAGE = Path(__file__).parents[1] / "docs" / "pedestrians.md"
SETTINGS = vrnn.TrainConfig(
    steps=2000,
    batch_size=128,
    window=20,
    observe=8,
    validate_every=500,
    transform=vrnn.TransformConfig(heading=True),
    augment=vrnn.AugmentConfig(flip=True, speed=(0.8, 1.2)),
)
COMMON = {"x_dim": 2, "hidden": 64, "latent_dim": 8, "emission": "full_gaussian"}


def rollout(**settings: str) -> vrnn.RolloutVAEConfig:
    return vrnn.RolloutVAEConfig(**COMMON, **settings)


RECIPE = {
    "steps": 4500,
    "learning_rate": 2e-3,
    "average": 0.999,
    "augment": vrnn.AugmentConfig(
        flip=True, speed=(0.6, 1.8), jitter=0.06, rates=(0.75, 1.0, 1.33, 1.77)
    ),
}
LEARNED = vrnn.ModesConfig(count=20, horizon=12)
SYSTEMS: dict[str, tuple[ModelConfig, dict]] = {
    "recipe": (vrnn.VRNNConfig(**COMMON), RECIPE),
    "recipe-one-rate": (
        vrnn.VRNNConfig(**COMMON),
        {**RECIPE, "augment": replace(RECIPE["augment"], rates=(1.0,))},
    ),
    "recipe-no-jitter": (
        vrnn.VRNNConfig(**COMMON),
        {**RECIPE, "augment": replace(RECIPE["augment"], jitter=0.0)},
    ),
    "rnn": (vrnn.RNNConfig(x_dim=2, hidden=64, emission="full_gaussian"), {}),
    "vrnn": (vrnn.VRNNConfig(**COMMON), {"steps": 3500}),
    "seq2seq-next": (vrnn.Seq2SeqVAEConfig(**COMMON, target="next"), {}),
    "seq2seq-same": (
        vrnn.Seq2SeqVAEConfig(**{**COMMON, "latent_dim": 16}, target="same"),
        {"kl_warmup": 1000, "steps": 5000},
    ),
    "rollout-carried-forecasting": (rollout(latent="carried", task="forecasting"), {}),
    "rollout-carried-autoencoding": (
        rollout(latent="carried", task="autoencoding"),
        {"steps": 3500},
    ),
    "rollout-step-forecasting": (rollout(latent="driven", redraw="step", task="forecasting"), {}),
    "rollout-step-autoencoding": (rollout(latent="driven", redraw="step", task="autoencoding"), {}),
    "rollout-sequence-forecasting": (
        rollout(latent="driven", redraw="sequence", task="forecasting"),
        {},
    ),
    "rollout-sequence-autoencoding": (
        rollout(latent="driven", redraw="sequence", task="autoencoding"),
        {},
    ),
}
SCENES = ("eth", "hotel", "univ", "zara1", "zara2")
FILES = {
    "eth": ("biwi_eth",), "hotel": ("biwi_hotel",), "univ": ("students", "uni_"), "zara1": ("crowds_zara01",), "zara2": ("crowds_zara02",),
    "zara": ("crowds_zara",),
}  # fmt: skip
SEEDS = (0, 1, 2)
RECIPES = [name for name in SYSTEMS if name.startswith("recipe")]
OTHERS = [name for name in SYSTEMS if name not in RECIPES]
CHOICE = ("eth-univ",)  # pairs of scenes that a training is without
EXPERIMENTS = [
    *(f"{pair}/{name}" for pair in CHOICE for name in RECIPES),
    *(f"{scene}/recipe" for scene in SCENES),
    "hotel/vrnn",
    *(f"zara1/{name}" for name in OTHERS),
]
K = 20
POOL = 20  # samples drawn for each representative of the recipe
REGIONS = (0.5, 0.9)
CALIBRATED = 1000  # windows of a scene that calibration is measured on, at most
SHOWN = (2, 11)  # steps ahead that tables show, 1.2 and 4.8 s
REGION_HEAD = [f"{q:.0%} region, {seconds} s" for q in REGIONS for seconds in ("1.2", "4.8")]
TEMPERATURES = (1.0, 1.1, 1.2, 1.3)  # of which the validation files of a fold choose one


def files(folder: Path, without: str = "") -> vrnn.Tracks:
    """Read the files of a folder, those of one scene left out."""
    names = [
        p
        for p in sorted(folder.glob("*.txt"))
        if not (without and p.name.startswith(FILES[without]))
    ]
    return vrnn.concatenate([vrnn.read_tracks(p) for p in names])


def choose(experiment: str, data: Path, seed: int, steps: int | None) -> None:
    """Train one system without two scenes, and keep its scores on windows of both.

    Those of the second speak for a setting on the fold of the first, which they say nothing about, and the other way round.
    """
    pair, system = experiment.split("/")
    fold, left = pair.split("-")
    config, changes = SYSTEMS[system]
    settings = replace(SETTINGS, **{**changes, "seed": seed, **({"steps": steps} if steps else {})})
    train, val = (files(data / fold / part, left) for part in ("train", "val"))
    model = vrnn.train(config, train, settings, val=val).model
    model = vrnn.fit_modes(model, train, replace(LEARNED, seed=seed), val=val)
    scores = {
        scene: {"selections": selections(model, files(data / scene / "test"))}
        for scene in (fold, left)
    }
    found = {
        "pair": pair,
        "system": system,
        "seed": seed,
        "steps": settings.steps,
        "scores": scores,
    }
    keep(f"eth_ucy_choice-{pair}-{system}-{seed}", found)
    print(experiment, {k: v["selections"] for k, v in scores.items()}, flush=True)


def choice_table(results: list[dict]) -> str:
    """Give, for every fold, the scores of each system on the scenes left out of its training."""
    rows = []
    for fold in SCENES:
        for system in RECIPES:
            found = {
                scene: r["scores"][scene]["selections"]
                for r in results
                for scene in r["scores"]
                if r["system"] == system and fold in r["scores"] and scene != fold
            }
            if not found:
                continue
            cells = [
                np.mean([s[how] for s in found.values()], axis=0)
                for how in ("plain", "k-means", "learned")
            ]
            scenes = ", ".join(scene.upper() for scene in found)
            rows.append(
                [fold.upper(), scenes, system, *(f"{ade:.3f}/{fde:.3f}" for ade, fde in cells)]
            )
    return table(
        ["fold", "scored on", "system", "best of 20 samples", "20 of k-means", "20 learned"], rows
    )


def run(experiment: str, data: Path, seed: int, steps: int | None) -> None:
    """Train one system on one fold and keep its scores on the test windows."""
    scene, system = experiment.split("/")
    config, changes = SYSTEMS[system]
    settings = replace(SETTINGS, **{**changes, "seed": seed, **({"steps": steps} if steps else {})})
    train, val, test = (vrnn.read_tracks(data / scene / part) for part in ("train", "val", "test"))
    started = time.perf_counter()
    model = vrnn.train(config, train, settings, val=val).model
    trained_in = time.perf_counter() - started
    recipe, more = system == "recipe", {}
    if recipe:
        started = time.perf_counter()
        model = vrnn.fit_modes(model, train, replace(LEARNED, seed=seed), val=val)
        more["learn_seconds"] = round(time.perf_counter() - started, 1)
    started = time.perf_counter()
    plain = vrnn.evaluate(model, test)
    evaluated_in = time.perf_counter() - started
    chosen = vrnn.evaluate(model, test, representatives="learned" if recipe else True)
    if recipe:
        more["selections"] = {"test": selections(model, test), "val": selections(model, val)}
        more |= {"calibration": {"test": coverage(model, test), "val": coverage(model, val)}}
        more["tempered"] = tempered(model, val, test, more["calibration"])
        if scene == "eth":
            true_rate = vrnn.read_tracks(data / "true_rate" / "seq_eth.txt")
            more["true_rate"] = {
                "iid": vrnn.evaluate(model, true_rate).to_dict(),
                "representative": vrnn.evaluate(
                    model, true_rate, representatives="learned"
                ).to_dict(),
                "calibration": coverage(model, true_rate),
            }
    result = {
        "experiment": experiment,
        "scene": scene,
        "system": system,
        "kind": kind_of(config),
        "seed": seed,
        "steps": settings.steps,
        "train_seconds": round(trained_in, 1),
        "evaluate_seconds": round(evaluated_in, 1),
        "iid": plain.to_dict(),
        "representative": chosen.to_dict(),
        **more,
    }
    keep(f"eth_ucy-{scene}-{system}-{seed}", result)
    print(plain.to_text(), flush=True)


def coverage(model: TrainedModel, tracks: vrnn.Tracks, temperature: float = 1.0) -> dict:
    """Measure how much of the time the truth lies in the regions of highest density, at every step ahead."""
    cut = vrnn.windows(tracks, 20)
    some = np.random.default_rng(0).permutation(len(cut))[:CALIBRATED]
    found = vrnn.reliability(model, cut[np.sort(some)], temperature=temperature)
    shares = {str(share): found.coverage(share).tolist() for share in REGIONS}
    return {"windows": len(found.level), "coverage": shares, "nll": found.nll.mean(0).tolist()}


def some_windows(tracks: vrnn.Tracks) -> tuple[vrnn.Tracks, np.ndarray]:
    """Give the past and the future of at most `CALIBRATED` windows."""
    cut = vrnn.windows(tracks, 20)
    cut = cut[np.sort(np.random.default_rng(0).permutation(len(cut))[:CALIBRATED])]
    return cut.cut(stop=8), np.stack(cut.x)[:, 8:]


def selections(model: TrainedModel, tracks: vrnn.Tracks) -> dict[str, tuple[float, float]]:
    """Measure the best of K futures chosen in different ways, minADE and minFDE on the same windows."""
    past, truth = some_windows(tracks)
    plain = vrnn.forecast(model, past, 12, K * POOL).samples
    qmc = vrnn.forecast(model, past, 12, K, qmc=True).samples
    chosen = {
        "plain": plain[:K],
        "quasi-random": qmc,
        "greedy": greedy(plain, K),
        "k-means": representative(plain, K)[0],
        "learned": vrnn.predict_modes(model, past).samples,
    }
    return {
        name: tuple(float(d.mean()) for d in best_of(paths, truth))
        for name, paths in chosen.items()
    }


def greedy(samples: np.ndarray, k: int) -> np.ndarray:
    """Choose k of the samples (sample, batch, time, dim) one by one, each the one that lowers the mean distance to the nearest most."""
    chosen = []
    for paths in samples.swapaxes(0, 1):
        apart = np.linalg.norm(paths[:, None] - paths[None], axis=-1).mean(-1)
        near, picked = np.full(len(paths), np.inf), []
        for _ in range(k):
            picked.append(int(np.minimum(near, apart).mean(1).argmin()))
            near = np.minimum(near, apart[picked[-1]])
        chosen.append(paths[picked])
    return np.stack(chosen, 1)


def recipe_tables(results: list[dict]) -> tuple[str, str]:
    """Give the table of the five folds, and that of the calibration."""
    rows, calibrated, sums = [], [], []
    scenes = [(s, [r for r in results if r["scene"] == s]) for s in SCENES]
    true_rate = [
        {**r["true_rate"], "train_seconds": r["train_seconds"], "learn_seconds": r["learn_seconds"]}
        for r in results
        if "true_rate" in r
    ]
    for scene, found in [*scenes, ("eth at its true rate", true_rate)]:
        if not found:
            continue
        numbers = {
            (how, k): [r[how]["model"][k] for r in found]
            for how in ("iid", "representative")
            for k in ("min_ade", "min_fde")
        }
        cells = [mean_range(values) for values in numbers.values()]
        straight = found[0]["iid"]["constant_velocity"]
        rows.append(
            [scene.upper() if scene in SCENES else scene, str(found[0]["iid"]["windows"]), f"{straight['ade']:.2f}/{straight['fde']:.2f}",
             *cells, f"{np.mean([r['iid']['model']['energy_score'] for r in found]):.2f}",
             f"{np.mean([r['train_seconds'] + r['learn_seconds'] for r in found]) / 60:.0f}", str(len(found))]
        )  # fmt: skip
        if scene in SCENES:
            sums.append([np.mean(values) for values in numbers.values()])
        parts = [("test", [r["calibration"]["test"] for r in found]), ("validation", [r["calibration"]["val"] for r in found])] \
            if scene in SCENES else [("test", [r["calibration"] for r in found])]  # fmt: skip
        for part, measured in parts:
            calibrated.append([rows[-1][0], part, *regions_line(measured)])
    if len(sums) == len(SCENES):
        rows.insert(
            len(SCENES),
            ["**mean**", "", "", *(f"**{v:.3f}**" for v in np.mean(sums, axis=0)), "", "", ""],
        )
    head = ["scene", "windows", "constant velocity", "ADE of 20 samples", "FDE", "ADE of 20 learned", "FDE", "energy", "minutes", "seeds"]  # fmt: skip
    return table(head, rows), table(["scene", "files", *REGION_HEAD], calibrated)


def selection_table(results: list[dict]) -> str:
    """Give the best of 20 futures chosen in each way, the mean over scenes of the mean over seeds."""
    scenes = sorted({r["scene"] for r in results})
    rows = []
    for how in ("plain", "quasi-random", "greedy", "k-means", "learned"):
        cells = []
        for part in ("val", "test"):
            each = [
                [r["selections"][part][how] for r in results if r["scene"] == s] for s in scenes
            ]
            ade, fde = np.mean([np.mean(values, axis=0) for values in each], axis=0)
            cells.append(f"{ade:.3f}/{fde:.3f}")
        rows.append([how, *cells])
    return table(["20 futures", "validation files", "test files"], rows)


def tempered(model: TrainedModel, val: vrnn.Tracks, test: vrnn.Tracks, plain: dict) -> dict:
    """Measure the calibration at the temperature that the validation files choose; `plain` is that at 1."""
    found = {t: plain["val"] if t == 1 else coverage(model, val, t) for t in TEMPERATURES}
    best = min(TEMPERATURES, key=lambda t: miss(found[t]))
    return {
        "temperature": best,
        "validation": {str(t): miss(of) for t, of in found.items()},
        "calibration": {
            "val": found[best],
            "test": plain["test"] if best == 1 else coverage(model, test, best),
        },
    }


def miss(found: dict) -> float:
    """Give by how much regions hold too much or too little, the mean over their sizes and the horizons of the table."""
    return float(np.mean([abs(found["coverage"][str(q)][t] - q) for q in REGIONS for t in SHOWN]))


def temperature_table(results: list[dict]) -> str:
    """Give the calibration at the temperature that the validation files choose."""
    rows = []
    for scene in SCENES:
        found = [r["tempered"] for r in results if r["scene"] == scene]
        for part, name in (("test", "test"), ("val", "validation")) if found else ():
            picked = ", ".join(f"{r['temperature']:g}" for r in found)
            rows.append(
                [
                    scene.upper(),
                    name,
                    picked,
                    *regions_line([r["calibration"][part] for r in found]),
                ]
            )
    return table(["scene", "files", "temperature", *REGION_HEAD], rows)


def regions_line(measured: list[dict]) -> list[str]:
    """Write the shares that the regions hold, mean over seeds."""
    return [
        f"{np.mean([m['coverage'][str(q)][t] for m in measured]):.0%}"
        for q in REGIONS
        for t in SHOWN
    ]


def five_folds(results: list[dict], choices: list[dict]) -> str:
    """Write the section on the recipe."""
    recipe, calibrated = recipe_tables(results)
    augment = RECIPE["augment"]
    return FOLDS.format(
        hidden=COMMON["hidden"],
        latent=COMMON["latent_dim"],
        slow=augment.speed[0],
        fast=augment.speed[1],
        jitter=augment.jitter,
        rates=", ".join(f"{rate:g}" for rate in augment.rates),
        learned_steps=LEARNED.steps,
        batch=SETTINGS.batch_size,
        steps=RECIPE["steps"],
        recipe=recipe,
        pool=K * POOL,
        calibrated_windows=CALIBRATED,
        selections=selection_table(results),
        temperatures=", ".join(f"{t:g}" for t in TEMPERATURES),
        tempered=temperature_table(results),
        calibrated=calibrated,
        choice=CHOSEN.format(table=choice_table(choices), windows=CALIBRATED) if choices else "",
    )


def mean_range(values: list[float]) -> str:
    """Write a mean over seeds, with the range where there are several."""
    text = f"{np.mean(values):.3f}"
    return text if len(values) == 1 else f"{text} ({min(values):.3f} to {max(values):.3f})"


def page() -> None:
    """Write docs/pedestrians.md from the results kept."""
    every = kept("eth_ucy-")
    found = [r for r in every if r["system"] == "recipe" and "tempered" in r]
    folds = five_folds(found, kept("eth_ucy_choice-")) if found else ""
    results = [r for r in every if r["system"] != "recipe"]
    rows = []
    order = {name: i for i, name in enumerate(SYSTEMS)}
    for r in sorted(results, key=lambda r: (r["scene"], order[r["system"]], r["seed"])):
        m, best = r["iid"]["model"], r["representative"]["model"]
        rows.append(
            [
                r["scene"].upper(), r["system"], str(r["steps"]), str(r["seed"]), f"{r['train_seconds']:.0f} s", str(r["iid"]["windows"]),
                f"{m['ade']:.2f}/{m['fde']:.2f}", f"**{m['min_ade']:.3f}/{m['min_fde']:.3f}**",
                f"{best['min_ade']:.3f}/{best['min_fde']:.3f}", f"{m['nll']:.2f}", f"{m['energy_score']:.2f}",
            ]
        )  # fmt: skip
    straight = {r["scene"]: r["iid"] for r in results}
    lines = [
        [
            s.upper(),
            str(e["windows"]),
            f"{e['constant_velocity']['ade']:.3f}/{e['constant_velocity']['fde']:.3f}",
        ]
        for s, e in sorted(straight.items())
    ]
    head = ["scene", "system", "steps", "seed", "training", "windows", "ADE/FDE of the mean", "best of 20 samples",
            "best of 20 representatives", "NLL/step", "energy"]  # fmt: skip
    PAGE.write_text(
        TEXT.format(
            folds=folds,
            results=table(head, rows),
            straight=table(["scene", "windows", "constant velocity ADE/FDE"], lines),
        ),
        encoding="utf-8",
    )


FOLDS = """## Five folds

A VRNN, hidden {hidden}, latent {latent}, each step one correlated Gaussian; displacements turned to the heading at the last observed point, random
mirror images, speeds from {slow} to {fast} times, noise with a standard deviation of up to {jitter} m on the points (`--jitter`), and copies of the tracks gone along at {rates} times the frame rate; batches of {batch}, {steps:,} steps of Adam with a
cosine schedule, weights averaged. Then 20 futures learned on its states (`vrnn modes`, {learned_steps:,} steps). Mean over seeds, and their range; minutes of both trainings.

{recipe}

Best of 20 plain samples, and of the 20 futures that are learned to have one near what happens (no samples; chosen without the truth of the window), ADE and FDE each by its own best.
The ETH scene runs 1.6 times too fast in the standard files; *at its true rate* is the same trained model on the original ones.

Published, best of 20, mean ADE/FDE over the five scenes: SGAN 0.48/0.96, PECNet 0.32/0.56, Trajectron++ without its leak 0.32/0.55, AgentFormer 0.23/0.39,
LED 0.21/0.33 (their repositories); most of them know of the other pedestrians, and most train for the best of 20, as learned futures are trained and samples are not.

**How 20 futures are chosen**, best of them on up to {calibrated_windows} windows a scene, mean over scenes: plain samples; 20 quasi-random ones; 20 of {pool} samples picked
one by one, each lowering the mean distance of the samples to the nearest pick most (greedy coverage); the 20 centres of {pool} (k-means); 20 learned.

{selections}

**Calibration**: share of windows whose true position lies in the region of highest density that should hold 50 % or 90 % (`vrnn reliability`), of at most
{calibrated_windows} windows:

{calibrated}

On the validation files, other times of the scenes trained on, the difference from 50 % and 90 % is the model's; on the test files that of another scene comes on
top.

**At a temperature**: the same when the futures are drawn farther from their means, by the one of {temperatures} with which the regions of this table
miss least on the validation files of the fold, for each seed:

{tempered}

{choice}
"""

CHOSEN = """**What single settings do**, on scenes left out of a training beside the fold's own (`python -m benchmarks.eth_ucy eth-univ/recipe` is trained
without ETH and UNIV and scored on both; what it says of UNIV speaks for a setting on the ETH fold, and the other way round), seed 0, on up to {windows} windows of each:

{table}

One setting serves all folds, those of the other scenes too, for which ETH and UNIV are scenes of the training. The noise is there for what these lines say; the copies
because the files of ETH are known to run at another rate, which is a thing to know about a test scene. The learned futures have the defaults of
`vrnn modes`.
"""

TEXT = """# Pedestrians: ETH/UCY, 8 points observed, 12 forecast

Made by `python -m benchmarks.eth_ucy`, each experiment on one thread of a CPU with two cores; one of them by its name, for
example `python -m benchmarks.eth_ucy zara1/vrnn`. Distances in metres, nats in metres. Training on the other four scenes, weights chosen on
their validation files by the bound on the twelve future points, no choice made on the test scene. No system knows of other pedestrians.

{folds}## Every system on one fold

The systems of this table share hidden 64, latent 8, one correlated Gaussian emission, displacements turned to the heading, random mirror images and speeds from
0.8 to 1.2, batches of 128, Adam with a cosine schedule. The number of steps is in the table; seq2seq-same has latent 16 and its KL raised over the
first 1,000 of them.

{results}

Rules: a window is 20 consecutive frames of one pedestrian, stride 1, all test windows. The best of 20 is taken apart for
ADE and for FDE. Samples are plain joint samples with emission noise; representatives are the centres of 200 samples, chosen
without the truth. NLL: minus the log of the mean, over 20 filtered states, of the (bounded) density of the true future, per
step; energy score: the whole future one vector. Training is wall time with two experiments side by side and other work on the
machine.

The two autoencoders that draw one z_0 a sequence have a poor NLL: at test time z_0 is drawn from q(z_0 | prefix), which has read 8
points where training showed it 20. Their samples are good; the one true future is seldom likely under any single code. The one that
draws z_0 afresh at every step goes on from the prior instead and does not suffer.

{straight}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "experiments", nargs="*", help=f"scene/system; scenes {SCENES}; systems {tuple(SYSTEMS)}"
    )
    parser.add_argument("--data", type=Path, help="folder with the five scenes")
    parser.add_argument(
        "--seed", type=int, help="one seed in place of 0, 1 and 2 for the recipe, 0 for others"
    )
    parser.add_argument("--steps", type=int, help="optimiser steps, in place of the script's")
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="of the processor; at these sizes a second one does not help",
    )
    parser.add_argument("--page", action="store_true", help="write the page alone")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if not given.page:
        data = data_folder(given.data, "eth_ucy")
        for experiment in given.experiments or EXPERIMENTS:
            scene, system = experiment.split("/")
            one = choose if "-" in scene else run
            every = SEEDS if scene in SCENES and system == "recipe" else (0,)
            for seed in every if given.seed is None else (given.seed,):
                one(experiment, data, seed, given.steps)
    page()


if __name__ == "__main__":
    main()
