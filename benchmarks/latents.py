"""What are latents worth? Models with and without them, under the same conditions on every set.

    python -m benchmarks.latents                        everything that is not kept yet (hours)
    python -m benchmarks.latents crossroads zara1/rnn   one set, one model of one set
    python -m benchmarks.latents --again zara1/rnn      train it anew
    python -m benchmarks.latents --minutes 50           begin no training after so many minutes
    python -m benchmarks.latents --tables               the tables alone, from the kept results

On a set every model has the same steps, width, augmentation and number of mixture components.
Validation tracks choose the weights and order the models. No choice is made on test tracks. A
result is kept as soon as it is there, so the command goes on where it was stopped.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import vrnn
from benchmarks import eth_ucy, letters, music, storms
from benchmarks.common import (
    RESULTS,
    data_folder,
    keep,
    kept,
    parser,
    spread,
    with_training,
    write_table,
)
from vrnn.data.synthetic import Crossroads
from vrnn.metrics.scores import energy_score
from vrnn.models.config import ModelConfig
from vrnn.trained import TrainedModel
from vrnn.training.trackers import best_record

Parts = dict[str, vrnn.Tracks]
SCENES = eth_ucy.SCENES
SEEDS = (0, 1, 2)
MOST = 1000  # windows of a test set that are scored
PARTICLES = 32  # of the bound on whole tracks
FREE_BITS = {"dmm": 0.1, "rssm": 0.1}  # where they helped on the crossroads, see the page


@dataclass(frozen=True)
class Set:
    """A data set and the conditions that every model has on it.

    Attributes:
        load: from the folder of all data to the tracks of train, val and test.
        training: the settings of training.
        sizes: widths that all models share.
        one: the emission of one component.
        rich: the emission of `components` components.
        components: of the mixture, and categories of the latents.
        observe, horizon: rows before the future, and of it; 0 where no future is scored.
    """

    load: Callable[[Path], Parts]
    training: vrnn.TrainConfig
    sizes: dict[str, int]
    one: str
    rich: str
    components: int
    observe: int = 0
    horizon: int = 0


def crossroads(folder: Path) -> Parts:
    """Return walks to a junction, whose true process is known."""
    counts = {"train": 4000, "val": 500, "test": 2000}
    return {part: Crossroads().sample(n, 20, seed=i) for i, (part, n) in enumerate(counts.items())}


def scene(name: str, folder: Path) -> Parts:
    """Return the fold of ETH/UCY that leaves a scene out."""
    return {
        part: vrnn.read_tracks(folder / "eth_ucy" / name / part)
        for part in ("train", "val", "test")
    }


def atlantic(folder: Path) -> Parts:
    """Return positions of storms, six hours a row."""
    tracks = vrnn.read_tracks(folder / "hurdat2" / "hurdat2.txt", columns=storms.TRACK_COLUMNS)
    parts = storms.split(storms.with_season(storms.synoptic(tracks)))
    return {part: storms.columns(tracks, 2) for part, tracks in parts.items()}


def characters(folder: Path) -> Parts:
    """Return pen tracks with the letter as an input."""
    tracks, _ = letters.letters(folder / "uci_characters" / "char_trajectories.npz")
    order = np.random.default_rng([0, 20]).permutation(len(tracks))
    fifth = len(tracks) // 5
    cuts = {"test": order[:fifth], "val": order[fifth : fifth + fifth // 2]}
    cuts["train"] = order[fifth + fifth // 2 :]
    return {part: tracks[np.sort(rows)] for part, rows in cuts.items()}


def pieces(name: str, folder: Path) -> Parts:
    """Return polyphonic music as binary rolls."""
    train, val, test = (
        music.pieces(folder / "polymusic", name, part) for part in ("train", "valid", "test")
    )
    return {"train": music.cut(train, music.PIECE[name]), "val": val, "test": test}


PEDESTRIANS = replace(
    eth_ucy.SETTINGS,
    steps=2500,
    ema_decay=0.999,
    learning_rate=2e-3,
    augment=vrnn.AugmentConfig(flip=True, speed=(0.8, 1.2), jitter=0.06),
)
MUSIC = replace(music.SETTINGS, steps=1500)
LETTERS = vrnn.TrainConfig(
    steps=1500,
    batch_size=32,
    learning_rate=2e-3,
    weight_decay=0.1,
    ema_decay=0.99,
    validate_every=250,
    position_input=True,
)
SETS: dict[str, Set] = {
    "crossroads": Set(
        crossroads,
        vrnn.TrainConfig(steps=1300, learning_rate=4e-3, validate_every=325),
        {"hidden": 48, "latent_dim": 4},
        "full_gaussian",
        "mixture(8)",
        8,
        observe=8,
        horizon=12,
    ),
    **{
        name: Set(
            partial(scene, name),
            PEDESTRIANS,
            {"hidden": 64, "latent_dim": 8},
            "full_gaussian",
            "mixture(16)",
            16,
            observe=8,
            horizon=12,
        )
        for name in SCENES
    },
    "storms": Set(
        atlantic,
        storms.TRACK_TRAINING,
        {"hidden": 64, "latent_dim": 8},
        "full_gaussian",
        "mixture(8)",
        8,
        observe=8,
        horizon=12,
    ),
    "letters": Set(
        characters,
        LETTERS,
        {"hidden": 128, "latent_dim": 8},
        "full_gaussian:2+bernoulli:1",
        "mixture(8):2+bernoulli:1",
        8,
        observe=4,
        horizon=8,
    ),
    **{
        name: Set(
            partial(pieces, name),
            replace(MUSIC, batch_size=music.BATCH[name]),
            {"hidden": 200, "latent_dim": 32},
            "bernoulli",
            "bernoulli",
            16,
        )
        for name in music.FILES
    },
}


def configs(of: Set, x_dim: int) -> dict[str, ModelConfig]:
    """Return the models of a set by name: those with categories have one component for each."""
    sizes: dict[str, Any] = {"x_dim": x_dim, **of.sizes}
    rich, one = {**sizes, "emission": of.rich}, {**sizes, "emission": of.one}
    plain = {key: value for key, value in rich.items() if key != "latent_dim"}
    categories = f"categorical({of.components})"
    models: dict[str, ModelConfig] = {
        "rnn": vrnn.RNNConfig(**plain),
        "vrnn-gaussian": vrnn.VRNNConfig(**rich),
        "vrnn-categorical": vrnn.VRNNConfig(**one, latent=categories),
        "vrnn-both": vrnn.VRNNConfig(**one, latent=f"gaussian+{categories}"),
        "srnn": vrnn.SRNNConfig(**rich),
        "dmm": vrnn.DMMConfig(**rich),
        "rssm": vrnn.RSSMConfig(**rich),
        "seq2seq": vrnn.Seq2SeqVAEConfig(**rich),
    }
    if of.horizon and not of.training.position_input:
        models["rollout"] = vrnn.RolloutVAEConfig(**rich, task="forecasting")
    if of.load is crossroads:
        models |= {f"{name}-no-free-bits": models[name] for name in FREE_BITS}
    return models


def run(experiment: str, folder: Path, seed: int, steps: int | None) -> None:
    """Train one model on one set; keep its scores on validation and test tracks."""
    name, model_name = experiment.split("/")
    of = SETS[name]
    parts = of.load(folder)
    config = configs(of, parts["train"].x_dim)[model_name]
    changes: dict[str, Any] = {"free_bits": FREE_BITS.get(model_name, 0.0)}
    changes |= {"seed": seed, **({"steps": steps} if steps else {})}
    if of.horizon and of.training.observe is None and model_name == "rollout":
        changes |= {"observe": of.observe, "window": of.observe + of.horizon}
    settings = replace(of.training, **changes)
    started = time.process_time()
    trained = vrnn.train(parts["train"], config=config, training=settings, val=parts["val"])
    seconds = time.process_time() - started
    scores = {part: score(of, trained.model, parts[part]) for part in ("val", "test")}
    best = best_record(trained.history)
    result = {
        "set": name,
        "model": model_name,
        "seed": seed,
        "steps": settings.steps,
        "seconds": round(seconds, 1),
        "nats": best.get("val_latent_nats", 0.0),
        "parameters": sum(p.numel() for p in trained.model.network.parameters()),
        **scores,
    }
    if name == "crossroads":
        result["walks"] = walks(trained.model, parts["test"], of.observe, seed)
    keep(f"latents-{name}-{model_name}-{seed}", result)
    print(experiment, seed, f"{seconds:.0f} s", scores["val"], scores["test"], flush=True)


def score(of: Set, model: TrainedModel, tracks: vrnn.Tracks) -> dict[str, float]:
    """Return the NLL of the future and its energy score, or the NLL of whole tracks."""
    if not of.horizon:
        found = vrnn.likelihood(tracks, model=model, samples=PARTICLES, repeats=1)
        return {"nll": -found.per_row}
    cut = vrnn.windows(tracks, of.observe + of.horizon)
    some = np.sort(np.random.default_rng(0).permutation(len(cut))[:MOST])
    found = vrnn.evaluate(
        cut[some],
        model=model,
        observe=of.observe,
        horizon=of.horizon,
        samples=20,
    ).model
    return {
        "nll": found.nll,
        "energy": found.energy_score,
        "min_ade": found.min_ade,
        "min_fde": found.min_fde,
    }


def walks(
    model: TrainedModel, tracks: vrnn.Tracks, observe: int, seed: int
) -> dict[str, list[float]]:
    """Return the NLL per step and the energy score of the future of each track."""
    truth = np.stack(tracks.x)[:, observe:]
    densities = np.stack(vrnn.filter_tracks(tracks, model=model, particles=PARTICLES).log_prob)
    drawn = vrnn.forecast(
        tracks.cut(stop=observe), model=model, horizon=truth.shape[1], samples=20, seed=seed
    ).samples
    found = {"nll": -densities[:, observe:].mean(1), "energy": energy_score(drawn, truth)}
    return {name: [round(float(v), 4) for v in values] for name, values in found.items()}


def behind(results: list[dict], model: str, control: str, score: str) -> tuple[float, float, float]:
    """Return by how much a model's score exceeds the control's: the mean, and its 95 % interval.

    Scores of the same track and seed are compared, and tracks are drawn again with replacement.
    """
    of = {
        name: np.mean([r["walks"][score] for r in results if r["model"] == name], 0)
        for name in (model, control)
    }
    difference, rng = of[model] - of[control], np.random.default_rng(0)
    drawn = rng.integers(len(difference), size=(2000, len(difference)))
    low, high = np.quantile(difference[drawn].mean(1), [0.025, 0.975])
    return float(difference.mean()), float(low), float(high)


def order(results: list[dict], name: str) -> list[str]:
    """Return the models of a set from the best to the worst, by validation at seed 0."""
    key = "energy" if SETS[name].horizon else "nll"
    first = [r for r in results if r["set"] == name and r["seed"] == 0]
    return [r["model"] for r in sorted(first, key=lambda r: r["val"][key])]


def planned(names: list[str], seed: int | None) -> list[tuple[str, int]]:
    """Return (experiment, seed) of one seed each, then of two more seeds of the two best.

    Args:
        names: sets, or models of sets.
        seed: the only one, where it is given.
    """
    wanted: list[tuple[str, int]] = []
    for given in names:
        name, _, model = given.partition("/")
        models = [model] if model else [*configs(SETS[name], 2)]
        wanted += [(f"{name}/{m}", seed or 0) for m in models]
        if not model and seed is None:
            best = order(kept(f"latents-{name}-"), name)[:2]
            wanted += [(f"{name}/{m}", seed) for m in best for seed in SEEDS[1:]]
    return wanted


def write_tables() -> None:
    """Write one table a set from the kept results."""
    results = kept("latents-")
    for name, of in SETS.items():
        rows = []
        for model in order(results, name):
            found = [r for r in results if r["set"] == name and r["model"] == model]

            def over(key: str, digits: int, found: list[dict] = found) -> str:
                return spread([r["test"][key] for r in found], digits)

            cells = [model, over("nll", 3)]
            if of.horizon:
                cells += [over("energy", 3), f"{over('min_ade', 3)} / {over('min_fde', 3)}"]
            cells += [
                spread([r["nats"] for r in found], 2),
                f"{np.mean([r['seconds'] for r in found]):.0f}",
                str(len(found)),
            ]
            rows.append(cells)
        if rows:
            middle = ["energy", "best of 20"] if of.horizon else []
            write_table(
                f"latents-{name}",
                ["model", "NLL", *middle, "nats in the latents", "seconds", "seeds"],
                rows,
            )
    write_paired()
    write_folds()


def write_paired() -> None:
    """Write how models with latents compare with the RNN on the same walks."""
    results = [r for r in kept("latents-crossroads-") if "walks" in r]
    rows = []
    for model in order(results, "crossroads"):
        if model != "rnn":
            cells = [behind(results, model, "rnn", score) for score in ("nll", "energy")]
            rows.append(
                [model, *(f"{m:+.4f} ({low:+.4f} to {high:+.4f})" for m, low, high in cells)]
            )
    if rows:
        write_table("latents-paired", ["model", "NLL minus RNN's", "energy minus RNN's"], rows)


def write_folds() -> None:
    """Write the NLL of every model on the folds of ETH/UCY, its mean over seeds and folds."""
    each: dict[str, dict[str, list[float]]] = {}
    for scene in SCENES:
        for r in kept(f"latents-{scene}-"):
            each.setdefault(r["model"], {}).setdefault(scene, []).append(r["test"]["nll"])
    found = {m: {scene: np.mean(v) for scene, v in of.items()} for m, of in each.items()}
    rows = []
    for model, of in sorted(found.items(), key=lambda item: np.mean([*item[1].values()])):
        if len(of) == len(SCENES):
            cells = [f"{of[scene]:.3f}" for scene in SCENES]
            rows.append([model, *cells, f"{np.mean([*of.values()]):.3f}"])
    if rows:
        write_table("latents-folds", ["NLL", *(s.upper() for s in SCENES), "mean"], rows)


def main() -> None:
    made = with_training(parser(__doc__, "all sets"), "0, and 1 and 2 of the two best")
    made.add_argument("experiments", nargs="*", help=f"set or set/model; sets {tuple(SETS)}")
    made.add_argument("--again", action="store_true", help="train what is kept already anew")
    made.add_argument("--minutes", type=float, default=np.inf, help="begin no training after these")
    given = made.parse_args()
    torch.set_num_threads(given.threads)
    started = time.perf_counter()
    if not given.tables:
        folder = data_folder(given.data, "")
        done: set[tuple[str, int]] = set()
        while todo := [
            p for p in planned(given.experiments or [*SETS], given.seed) if p not in done
        ]:
            experiment, seed = todo[0]
            done.add(todo[0])
            path = RESULTS / f"latents-{experiment.replace('/', '-')}-{seed}.json"
            if path.exists() and not given.again:
                continue
            if time.perf_counter() - started > 60 * given.minutes:
                break
            run(experiment, folder, seed, given.steps)
    write_tables()


if __name__ == "__main__":
    main()
