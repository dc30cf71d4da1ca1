"""Pedestrians: train on ETH/UCY folds, forecast 12 points after 8.

    python -m benchmarks.eth_ucy                  every experiment (hours)
    python -m benchmarks.eth_ucy zara1/recipe     one experiment
    python -m benchmarks.eth_ucy eth-univ/recipe  trained without ETH and UNIV, scored on both
    python -m benchmarks.eth_ucy --tables         the tables alone, from the kept results

The data is the leave-one-scene-out split. Validation files choose the weights. No choice is made
on the test files.
"""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import vrnn
from benchmarks.common import data_folder, keep, kept, parser, with_training
from benchmarks.eth_ucy_tables import write_all
from vrnn.metrics.clusters import cluster_paths
from vrnn.metrics.displacement import best_of
from vrnn.models.registry import ModelConfig, name_of
from vrnn.trained import TrainedModel

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
    "ema_decay": 0.999,
    "augment": vrnn.AugmentConfig(
        flip=True, speed=(0.6, 1.8), jitter=0.06, rates=(0.75, 1.0, 1.33, 1.77)
    ),
}
MODES = vrnn.ModesConfig(count=20, horizon=12)
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
    "categories": (vrnn.VRNNConfig(**COMMON, latent="categorical(16)"), RECIPE),
    "rnn": (vrnn.RNNConfig(x_dim=2, hidden=64, emission="full_gaussian"), {}),
    "vrnn": (vrnn.VRNNConfig(**COMMON), {"steps": 3500}),
    "seq2seq-next": (vrnn.Seq2SeqVAEConfig(**COMMON, target="next"), {}),
    "seq2seq-same": (
        vrnn.Seq2SeqVAEConfig(**{**COMMON, "latent_dim": 16}, target="same"),
        {"kl_warmup": 1000, "steps": 5000},
    ),
    "rollout-carried-forecasting": (rollout(dynamics="carried", task="forecasting"), {}),
    "rollout-carried-autoencoding": (
        rollout(dynamics="carried", task="autoencoding"),
        {"steps": 3500},
    ),
    "rollout-step-forecasting": (rollout(dynamics="driven", redraw="step", task="forecasting"), {}),
    "rollout-step-autoencoding": (
        rollout(dynamics="driven", redraw="step", task="autoencoding"),
        {},
    ),
    "rollout-sequence-forecasting": (
        rollout(dynamics="driven", redraw="sequence", task="forecasting"),
        {},
    ),
    "rollout-sequence-autoencoding": (
        rollout(dynamics="driven", redraw="sequence", task="autoencoding"),
        {},
    ),
}
SCENES = ("eth", "hotel", "univ", "zara1", "zara2")
FILES = {  # of a scene, as they begin
    "eth": ("biwi_eth",),
    "hotel": ("biwi_hotel",),
    "univ": ("students", "uni_"),
    "zara1": ("crowds_zara01",),
    "zara2": ("crowds_zara02",),
    "zara": ("crowds_zara",),
}
SEEDS = (0, 1, 2)
RECIPES = [name for name in SYSTEMS if name.startswith("recipe")]
OTHERS = [name for name in SYSTEMS if name not in (*RECIPES, "categories")]
CHOICE = ("eth-univ",)  # pairs of scenes that a training is without
EXPERIMENTS = [
    *(f"{pair}/{name}" for pair in CHOICE for name in RECIPES),
    *(f"{scene}/recipe" for scene in SCENES),
    *(f"{scene}/categories" for scene in SCENES),
    "hotel/vrnn",
    *(f"zara1/{name}" for name in OTHERS),
]
K = 20
PER_CLUSTER = 20  # samples drawn for each cluster or pick
REGIONS = (0.5, 0.9)
MOST = 1000  # windows of a scene that reliability and selections are measured on
SHOWN = (2, 11)  # steps ahead that a temperature is chosen by, 1.2 and 4.8 s
TEMPERATURES = (1.0, 1.1, 1.2, 1.3)  # of which the validation files of a fold choose one


def files(folder: Path, without: str = "") -> vrnn.Tracks:
    """Return the tracks of a folder, those of one scene left out."""
    names = [
        p
        for p in sorted(folder.glob("*.txt"))
        if not (without and p.name.startswith(FILES[without]))
    ]
    return vrnn.concatenate([vrnn.read_tracks(p) for p in names])


def choose(experiment: str, data: Path, seed: int, steps: int | None) -> None:
    """Train one system without two scenes, and keep its scores on windows of both.

    The scores on the second scene choose a setting for the fold of the first, and the reverse.
    """
    pair, system = experiment.split("/")
    fold, left = pair.split("-")
    config, changes = SYSTEMS[system]
    settings = replace(SETTINGS, **{**changes, "seed": seed, **({"steps": steps} if steps else {})})
    train, val = (files(data / fold / part, left) for part in ("train", "val"))
    model = vrnn.train(train, config=config, training=settings, val=val).model
    model = vrnn.fit_modes(train, model=model, config=replace(MODES, seed=seed), val=val)
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


def run(experiment: str, data: Path, seed: int, steps: int | None) -> None:
    """Train one system on one fold and keep its scores on the test windows."""
    scene, system = experiment.split("/")
    config, changes = SYSTEMS[system]
    settings = replace(SETTINGS, **{**changes, "seed": seed, **({"steps": steps} if steps else {})})
    train, val, test = (vrnn.read_tracks(data / scene / part) for part in ("train", "val", "test"))
    started = time.perf_counter()
    model = vrnn.train(train, config=config, training=settings, val=val).model
    trained_in = time.perf_counter() - started
    recipe, more = system == "recipe", {}
    if recipe:
        started = time.perf_counter()
        model = vrnn.fit_modes(train, model=model, config=replace(MODES, seed=seed), val=val)
        more["learn_seconds"] = round(time.perf_counter() - started, 1)
    started = time.perf_counter()
    plain = vrnn.evaluate(test, model=model)
    evaluated_in = time.perf_counter() - started
    if system != "categories":
        selection = "modes" if recipe else "clusters"
        more["chosen"] = vrnn.evaluate(test, model=model, selection=selection).to_dict()
    if recipe:
        more["selections"] = {"test": selections(model, test), "val": selections(model, val)}
        more |= {"calibration": {"test": coverage(model, test), "val": coverage(model, val)}}
        more["tempered"] = tempered(model, val, test, more["calibration"])
        if scene == "eth":
            true_rate = vrnn.read_tracks(data / "true_rate" / "seq_eth.txt")
            more["true_rate"] = {
                "plain": vrnn.evaluate(true_rate, model=model).to_dict(),
                "chosen": vrnn.evaluate(true_rate, model=model, selection="modes").to_dict(),
                "calibration": coverage(model, true_rate),
            }
    result = {
        "experiment": experiment,
        "scene": scene,
        "system": system,
        "kind": name_of(config),
        "seed": seed,
        "steps": settings.steps,
        "train_seconds": round(trained_in, 1),
        "evaluate_seconds": round(evaluated_in, 1),
        "plain": plain.to_dict(),
        **more,
    }
    keep(f"eth_ucy-{scene}-{system}-{seed}", result)
    print(plain.to_text(), flush=True)


def coverage(model: TrainedModel, tracks: vrnn.Tracks, temperature: float = 1.0) -> dict:
    """Return how often the truth lies in the regions of highest density, at every step ahead."""
    cut = vrnn.windows(tracks, 20)
    some = np.random.default_rng(0).permutation(len(cut))[:MOST]
    found = vrnn.reliability(
        cut[np.sort(some)], model=model, observe=8, horizon=12, temperature=temperature
    )
    shares = {str(share): found.coverage(share).tolist() for share in REGIONS}
    return {"windows": len(found.level), "coverage": shares, "nll": found.nll.mean(0).tolist()}


def some_windows(tracks: vrnn.Tracks) -> tuple[vrnn.Tracks, np.ndarray]:
    """Return the past and the future of at most `MOST` windows."""
    cut = vrnn.windows(tracks, 20)
    cut = cut[np.sort(np.random.default_rng(0).permutation(len(cut))[:MOST])]
    return cut.cut(stop=8), np.stack(cut.x)[:, 8:]


def selections(model: TrainedModel, tracks: vrnn.Tracks) -> dict[str, tuple[float, float]]:
    """Return minADE and minFDE of K futures chosen in different ways, on the same windows."""
    past, truth = some_windows(tracks)
    plain = vrnn.forecast(past, model=model, horizon=12, samples=K * PER_CLUSTER).samples
    qmc = vrnn.forecast(past, model=model, horizon=12, samples=K, qmc=True).samples
    chosen = {
        "plain": plain[:K],
        "quasi-random": qmc,
        "greedy": greedy(plain, K),
        "k-means": cluster_paths(plain, K)[0],
        "learned": vrnn.predict_modes(past, model=model).samples,
    }
    return {
        name: tuple(float(d.mean()) for d in best_of(paths, truth))
        for name, paths in chosen.items()
    }


def greedy(samples: np.ndarray, k: int) -> np.ndarray:
    """Return k of the samples (sample, batch, time, dim), picked one by one.

    Each pick lowers the mean distance of the samples to their nearest pick the most.
    """
    chosen = []
    for paths in samples.swapaxes(0, 1):
        apart = np.linalg.norm(paths[:, None] - paths[None], axis=-1).mean(-1)
        near, picked = np.full(len(paths), np.inf), []
        for _ in range(k):
            picked.append(int(np.minimum(near, apart).mean(1).argmin()))
            near = np.minimum(near, apart[picked[-1]])
        chosen.append(paths[picked])
    return np.stack(chosen, 1)


def tempered(model: TrainedModel, val: vrnn.Tracks, test: vrnn.Tracks, plain: dict) -> dict:
    """Return the reliability at the temperature that the validation files choose.

    `plain` is the reliability at temperature 1.
    """
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
    """Return by how much regions hold too much or too little: the mean over sizes and horizons."""
    return float(np.mean([abs(found["coverage"][str(q)][t] - q) for q in REGIONS for t in SHOWN]))


def write_tables() -> None:
    """Write every table of the page from the kept results."""
    write_all(kept("eth_ucy-"), kept("eth_ucy_choice-"), scenes=SCENES, systems=tuple(SYSTEMS))


def main() -> None:
    made = parser(__doc__, "the five scenes")
    made = with_training(made, "0, 1 and 2 for recipe and categories, 0 for others")
    made.add_argument("experiments", nargs="*", help=f"scene/system; systems {tuple(SYSTEMS)}")
    given = made.parse_args()
    torch.set_num_threads(given.threads)
    if not given.tables:
        data = data_folder(given.data, "eth_ucy")
        for experiment in given.experiments or EXPERIMENTS:
            scene, system = experiment.split("/")
            one = choose if "-" in scene else run
            three = scene in SCENES and system in ("recipe", "categories")
            every = SEEDS if three else (0,)
            for seed in every if given.seed is None else (given.seed,):
                one(experiment, data, seed, given.steps)
    write_tables()


if __name__ == "__main__":
    main()
