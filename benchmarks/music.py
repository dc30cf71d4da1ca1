"""Music: likelihoods of polyphonic pieces beside published ones.

    python -m benchmarks.music                   every experiment, seeds 0 to 2 (many hours)
    python -m benchmarks.music jsb/vrnn-fivo     one experiment
    python -m benchmarks.music --tables          the tables alone, from the kept results

JSB Chorales and Nottingham (Boulanger-Lewandowski et al. 2012) as binary rolls of 88 keys.
Weights and settings are chosen on the validation pieces. The test pieces are scored once.
"""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import vrnn
from benchmarks.common import data_folder, keep, kept, parser, spread, with_training, write_table
from vrnn.models.registry import ModelConfig, name_of
from vrnn.training.trackers import best_record

FILES = {"jsb": "JSB_Chorales.npz", "nottingham": "Nottingham.npz"}
SETTINGS = vrnn.TrainConfig(
    learning_rate=2e-3,
    weight_decay=0.1,
    kl_warmup=800,
    ema_decay=0.998,
    validate_every=250,
    transform=vrnn.TransformConfig(displacement=False, standardise=False),
    augment=vrnn.AugmentConfig(transpose=6),
)
ROLL = {"x_dim": 88, "hidden": 200, "emission": "bernoulli"}
FIVO = {"objective": "fivo", "samples": 4}
SYSTEMS: dict[str, tuple[ModelConfig, dict]] = {
    "rnn": (vrnn.RNNConfig(**ROLL), {"kl_warmup": 0}),
    "vrnn-elbo": (vrnn.VRNNConfig(**ROLL, latent_dim=32), {}),
    "vrnn-fivo": (vrnn.VRNNConfig(**ROLL, latent_dim=32), FIVO),
    "srnn-elbo": (vrnn.SRNNConfig(**ROLL, latent_dim=32), {}),
    "srnn-fivo": (vrnn.SRNNConfig(**ROLL, latent_dim=32), FIVO),
    "vrnn-nade": (
        vrnn.VRNNConfig(x_dim=88, hidden=256, latent_dim=16, emission="nade(128)"),
        {
            "kl_warmup": 300,
            "learning_rate": 3e-3,
            "augment": vrnn.AugmentConfig(transpose=6, prob=1.0, until=0.8),
        },
    ),
}
STEPS = {"jsb": {"vrnn-nade": 5000}, "nottingham": {"vrnn-nade": 4000}}  # where they differ from
STEPS_OF_MOST = {"jsb": 2400, "nottingham": 3200}
BATCH = {"jsb": 10, "nottingham": 16}
UNTIL = {"jsb": 1.0, "nottingham": 0.8}  # share of the steps after which nothing is transposed
PIECE = {"jsb": None, "nottingham": 96}  # time steps that long training pieces are cut into
ESTIMATES = {"elbo": ("elbo", 8), "fivo-128": ("fivo", 128)}  # bound, samples
ASKED = {"valid": ["elbo"], "test": ["elbo", "fivo-128"]}  # of each split, once trained
REPEATS = {"jsb": 4, "nottingham": 2}
EXPERIMENTS = [f"{data}/{system}" for data in FILES for system in SYSTEMS]
SEEDS = (0, 1, 2)
PUBLISHED = {  # for each system: the nearest published method, JSB, Nottingham, source
    "vrnn-elbo": [("VRNN, ELBO", "8.69", "3.87", "VSMC-PRC paper, table 1")],
    "vrnn-fivo": [
        ("VRNN, FIVO with 8 particles", "7.40", "2.99", "VSMC-PRC paper, table 1"),
        ("VSMC-PRC with 6 particles", "7.14", "2.90", "VSMC-PRC paper, table 1"),
    ],
    "srnn-elbo": [
        ("DMM, bound", "6.93", "2.96", "Krishnan et al. 2017"),
        ("DMM with 2 IAF, bound", "6.80", "", "Pyro tutorial on the DMM"),
    ],
    "srnn-fivo": [("DMM, importance-sampled", "6.39", "2.77", "Krishnan et al. 2017")],
    "vrnn-nade": [("DMM-Aug-NADE", "5.12", "2.31", "Krishnan et al. 2017")],
}


def pieces(folder: Path, name: str, part: str) -> vrnn.Tracks:
    """Return one split of a data set."""
    return vrnn.read_tracks(folder / FILES[name], group=part, format="piano-roll")


def cut(tracks: vrnn.Tracks, steps: int | None) -> vrnn.Tracks:
    """Return consecutive parts of `steps` time steps; the last part of a piece is what remains."""
    if steps is None:
        return tracks
    return vrnn.Tracks([x[i : i + steps] for x in tracks.x for i in range(0, len(x), steps)])


def settings_of(name: str, system: str) -> tuple[ModelConfig, vrnn.TrainConfig]:
    """Return the model and the training of a system on a data set."""
    config, changes = SYSTEMS[system]
    steps = STEPS[name].get(system, STEPS_OF_MOST[name])
    settings = replace(SETTINGS, steps=steps, batch_size=BATCH[name], **changes)
    until = min(settings.augment.until, UNTIL[name])
    return config, replace(settings, augment=replace(settings.augment, until=until))


def run(experiment: str, data: Path, seed: int, steps: int | None) -> None:
    """Train one system on one data set; keep the likelihoods of validation and test pieces."""
    name, system = experiment.split("/")
    config, settings = settings_of(name, system)
    settings = replace(settings, seed=seed, **({"steps": steps} if steps else {}))
    parts = {part: pieces(data, name, part) for part in ("train", "valid", "test")}
    started, worked = time.perf_counter(), time.process_time()
    train = cut(parts["train"], PIECE[name])
    trained = vrnn.train(train, config=config, training=settings, val=parts["valid"])
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    bounds: dict[str, dict] = {}
    started = time.perf_counter()
    for part, labels in ASKED.items():
        bounds[part] = {}
        for label in labels:
            bound, samples = ESTIMATES[label]
            found = vrnn.likelihood(
                parts[part],
                model=trained.model,
                bound=bound,
                samples=samples,
                repeats=REPEATS[name],
                seed=seed,
            )
            bounds[part][label] = {"nll": -found.per_row, "standard_error": found.standard_error}
            print(experiment, seed, part, label, found.to_text(), flush=True)
    best = best_record(trained.history)
    result = {
        "experiment": experiment,
        "data": name,
        "system": system,
        "kind": name_of(config),
        "seed": seed,
        "steps": settings.steps,
        "best_step": best["step"],
        "train_seconds": round(seconds, 1),
        "train_processor_seconds": round(worked, 1),
        "evaluate_seconds": round(time.perf_counter() - started, 1),
        "kl": best.get("val_latent_nats", 0.0),
        "parameters": sum(p.numel() for p in trained.model.network.parameters()),
        "rows": {part: int(tracks.lengths.sum()) for part, tracks in parts.items()},
        "bounds": bounds,
    }
    keep(f"music-{name}-{system}-{seed}", result)


def write_tables() -> None:
    """Write one table a data set, and the table of published numbers."""
    results = kept("music-")
    head = ["system", "ELBO", "FIVO-128", "KL", "minutes", "seeds"]
    for data in FILES:
        rows = []
        for system in SYSTEMS:
            found = [r for r in results if r["data"] == data and r["system"] == system]
            if not found:
                continue
            bounds = [
                spread([r["bounds"]["test"][label]["nll"] for r in found], 3) for label in ESTIMATES
            ]
            spent = [r.get("train_processor_seconds", r["train_seconds"]) for r in found]
            kl, minutes = np.mean([r["kl"] for r in found]), np.mean(spent) / 60
            seeds = ", ".join(str(r["seed"]) for r in found)
            rows.append([system, *bounds, f"{kl:.2f}", f"{minutes:.0f}", seeds])
        write_table(f"music-{data}", head, rows)
    write_table(
        "music-published",
        ["compare with", "published method", "JSB", "Nottingham", "source"],
        [[system, *line] for system, lines in PUBLISHED.items() for line in lines],
    )


def main() -> None:
    made = with_training(parser(__doc__, "the NPZ files"), "0, 1 and 2")
    made.add_argument("experiments", nargs="*", help=f"of {', '.join(EXPERIMENTS)}")
    given = made.parse_args()
    torch.set_num_threads(given.threads)
    if not given.tables:
        folder = data_folder(given.data, "polymusic")
        for seed in SEEDS if given.seed is None else (given.seed,):
            for experiment in given.experiments or EXPERIMENTS:
                run(experiment, folder, seed, given.steps)
    write_tables()


if __name__ == "__main__":
    main()
