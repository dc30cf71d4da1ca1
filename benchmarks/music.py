"""Music: polyphonic pieces as piano rolls, likelihoods of every bound beside published ones, and write docs/music.md.

    python -m benchmarks.music                       every experiment, seeds 0 to 2, then the page (many hours)
    python -m benchmarks.music jsb/vrnn-fivo         one experiment with --seed, then the page
    python -m benchmarks.music --page                the page alone, from the results kept

JSB Chorales and Nottingham (Boulanger-Lewandowski et al. 2012), the binary rolls of 88 keys that VRNN_DATA (or --data) points to.
Weights and settings are chosen on the validation pieces; the test pieces are scored once, at the end.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import vrnn
from benchmarks.common import data_folder, keep, kept, table
from vrnn.models import ModelConfig, kind_of
from vrnn.training.trackers import best_record

PAGE = Path(__file__).parents[1] / "docs" / "music.md"
FILES = {"jsb": "JSB_Chorales.npz", "nottingham": "Nottingham.npz"}
SETTINGS = vrnn.TrainConfig(
    learning_rate=2e-3,
    weight_decay=0.1,
    kl_warmup=800,
    average=0.998,
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
            "augment": vrnn.AugmentConfig(transpose=6, share=1.0, until=0.8),
        },
    ),
}
STEPS = {"jsb": {"vrnn-nade": 5000}, "nottingham": {"vrnn-nade": 4000}}  # where they differ from
STEPS_OF_MOST = {"jsb": 2400, "nottingham": 3200}
BATCH = {"jsb": 10, "nottingham": 16}
UNTIL = {
    "jsb": 1.0,
    "nottingham": 0.8,
}  # share of the steps after which nothing is transposed any more
PIECE = {
    "jsb": None,
    "nottingham": 96,
}  # rows that long training pieces are cut into; the others stay whole
ESTIMATES = {"elbo": ("elbo", 8), "fivo-128": ("fivo", 128)}  # bound, samples
ASKED = {"valid": ["elbo"], "test": ["elbo", "fivo-128"]}  # of each split, once trained
REPEATS = {"jsb": 4, "nottingham": 2}
EXPERIMENTS = [f"{data}/{system}" for data in FILES for system in SYSTEMS]
SEEDS = (0, 1, 2)


def pieces(folder: Path, name: str, part: str) -> vrnn.Tracks:
    """Read one split of a data set."""
    return vrnn.read_tracks(folder / FILES[name], group=part, format="piano-roll")


def cut(tracks: vrnn.Tracks, rows: int | None) -> vrnn.Tracks:
    """Cut tracks into consecutive parts of `rows` rows, the last of each track being what remains."""
    if rows is None:
        return tracks
    return vrnn.Tracks([x[i : i + rows] for x in tracks.x for i in range(0, len(x), rows)])


def settings_of(name: str, system: str) -> tuple[ModelConfig, vrnn.TrainConfig]:
    """Give the model and the training of a system on a data set."""
    config, changes = SYSTEMS[system]
    steps = STEPS[name].get(system, STEPS_OF_MOST[name])
    settings = replace(SETTINGS, steps=steps, batch_size=BATCH[name], **changes)
    until = min(settings.augment.until, UNTIL[name])
    return config, replace(settings, augment=replace(settings.augment, until=until))


def run(experiment: str, data: Path, seed: int, steps: int | None) -> None:
    """Train one system on one data set, and keep the likelihoods of its validation and test pieces."""
    name, system = experiment.split("/")
    config, settings = settings_of(name, system)
    settings = replace(settings, seed=seed, **({"steps": steps} if steps else {}))
    parts = {part: pieces(data, name, part) for part in ("train", "valid", "test")}
    started, worked = time.perf_counter(), time.process_time()
    trained = vrnn.train(config, cut(parts["train"], PIECE[name]), settings, val=parts["valid"])
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    bounds: dict[str, dict] = {}
    started = time.perf_counter()
    for part, labels in ASKED.items():
        bounds[part] = {}
        for label in labels:
            bound, samples = ESTIMATES[label]
            found = vrnn.likelihood(trained.model, parts[part], bound, samples, REPEATS[name], seed)
            bounds[part][label] = {"nll": -found.per_row, "standard_error": found.standard_error}
            print(experiment, seed, part, label, found.to_text(), flush=True)
    best = best_record(trained.history)
    result = {
        "experiment": experiment,
        "data": name,
        "system": system,
        "kind": kind_of(config),
        "seed": seed,
        "steps": settings.steps,
        "best_step": best["step"],
        "train_seconds": round(seconds, 1),
        "train_processor_seconds": round(worked, 1),
        "evaluate_seconds": round(time.perf_counter() - started, 1),
        "kl": best.get("val_kl", 0.0),
        "parameters": sum(p.numel() for p in trained.model.network.parameters()),
        "rows": {part: int(tracks.lengths.sum()) for part, tracks in parts.items()},
        "bounds": bounds,
    }
    keep(f"music-{name}-{system}-{seed}", result)


PUBLISHED = {
    "jsb": {
        "rnn": "8.43 GRU, 8.10 TCN (first step not scored); 7.72 RRU, tuned",
        "vrnn-elbo": "8.69 VRNN, ELBO",
        "vrnn-fivo": "7.40 VRNN, FIVO with 8 particles; 7.14 VSMC-PRC with 6",
        "srnn-elbo": "6.93 DMM, bound; 6.80 DMM with 2 IAF, bound",
        "srnn-fivo": "6.39 DMM, importance-sampled",
        "vrnn-nade": "5.12 DMM-Aug-NADE",
    },
    "nottingham": {
        "rnn": "3.46 GRU, 3.07 TCN (first step not scored); 2.92 RRU, tuned",
        "vrnn-elbo": "3.87 VRNN, ELBO",
        "vrnn-fivo": "2.99 VRNN, FIVO with 8 particles; 2.90 VSMC-PRC with 6",
        "srnn-elbo": "2.96 DMM, bound",
        "srnn-fivo": "2.77 DMM, importance-sampled",
        "vrnn-nade": "2.31 DMM-Aug-NADE",
    },
}
TITLES = {"jsb": "JSB Chorales", "nottingham": "Nottingham"}
TEXT = """# Polyphonic music: likelihoods beside published ones

Made by `python -m benchmarks.music`, each run on one thread of a CPU. Piano rolls of 88 keys (Boulanger-Lewandowski et al. 2012); test
negative log-likelihood in nats per step, total over total steps, every step scored; lower is better. Settings and weights are chosen on
the validation pieces. Mean over seeds, with their range where there are several; minutes of training, the thread's own time where it was taken and else wall time
on a machine that did other work too.

{tables}

**ELBO**: mean over 8 samples of the evidence lower bound. **FIVO-128**: a particle filter of 128 particles, mean of {jsb} runs (Nottingham at least {nottingham}); every
number bounds -log p from above, and the second is the tighter. The RNN has no latent: its number is exact. The posterior of the SRNN reads
the whole piece, which both bounds allow; that of the VRNN reads the past.

Half of our training pieces are transposed at random by up to six semitones, on Nottingham in the first 80 % of the steps (with NADE all of them
in the first 80 % of the steps, and none after); Nottingham's long tunes are cut into pieces of {piece} rows for training, and scored whole. Of the published numbers none says that it transposes. Most pieces of both sets end on a C: they have been brought to one key, in which
the test pieces are scored. Published numbers by their sources:
GRU and TCN, Bai et al. 2018 (arXiv:1803.01271); RRU, the repository of its authors; VRNN by ELBO and FIVO and VSMC-PRC, the paper on VSMC-PRC, table
1; DMM, Krishnan et al. 2017 (arXiv:1609.09869); DMM with IAF, the tutorial of Pyro. Numbers on music sampled at other steps (SRNN, NASMC) compare
with nothing here.
"""


def page() -> None:
    """Write docs/music.md from the results kept."""
    results, parts = kept("music-"), []
    for data, title in TITLES.items():
        rows = []
        for system in SYSTEMS:
            found = [r for r in results if r["data"] == data and r["system"] == system]
            if not found:
                continue
            cells = []
            for label in ESTIMATES:
                values = [r["bounds"]["test"][label]["nll"] for r in found]
                spread = f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else ""
                cells.append(f"{np.mean(values):.3f}{spread}")
            spent = [r.get("train_processor_seconds", r["train_seconds"]) for r in found]
            minutes = f"{np.mean(spent) / 60:.0f}"
            seeds = ", ".join(str(r["seed"]) for r in found)
            rows.append(
                [
                    system,
                    *cells,
                    f"{np.mean([r['kl'] for r in found]):.2f}",
                    minutes,
                    seeds,
                    PUBLISHED[data][system],
                ]
            )
        if rows:
            head = ["model", "ELBO", "FIVO-128", "KL", "minutes", "seeds", "published"]
            parts.append(f"## {title}\n\n{table(head, rows)}")
    PAGE.write_text(
        TEXT.format(tables="\n\n".join(parts), piece=PIECE["nottingham"], **REPEATS),
        encoding="utf-8",
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "experiments", nargs="*", metavar="EXPERIMENT", help=f"of {', '.join(EXPERIMENTS)}"
    )
    parser.add_argument("--data", type=Path, help="folder with the NPZ files")
    parser.add_argument("--seed", type=int, help="one seed in place of 0, 1 and 2")
    parser.add_argument("--steps", type=int, help="optimiser steps, in place of the script's")
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument("--page", action="store_true", help="write the page alone")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if not given.page:
        folder = data_folder(given.data, "polymusic")
        for seed in SEEDS if given.seed is None else (given.seed,):
            for experiment in given.experiments or EXPERIMENTS:
                run(experiment, folder, seed, given.steps)
    page()


if __name__ == "__main__":
    main()
