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

PAGE = Path(__file__).parents[1] / "docs" / "music.md"
FILES = {"jsb": "JSB_Chorales.npz", "nottingham": "Nottingham.npz"}
SETTINGS = vrnn.TrainConfig(
    steps=4000,
    batch_size=10,
    learning_rate=2e-3,
    kl_warmup=1000,
    validate_every=250,
    frame=vrnn.FrameConfig(displacement=False, standardise=False),
    augment=vrnn.AugmentConfig(transpose=6),
)
ROLL = {"x_dim": 88, "hidden": 200, "emission": "bernoulli"}
FIVO = {"objective": "fivo", "samples": 4}
SYSTEMS: dict[str, tuple[ModelConfig, dict]] = {
    "rnn": (vrnn.RNNConfig(**ROLL), {"kl_warmup": 0}),
    "vrnn-elbo": (vrnn.VRNNConfig(**ROLL, latent_dim=32), {}),
    "vrnn-fivo": (vrnn.VRNNConfig(**ROLL, latent_dim=32), FIVO),
    "srnn-elbo": (vrnn.SRNNConfig(**ROLL, latent_dim=32), {}),
    "vrnn-nade": (vrnn.VRNNConfig(**{**ROLL, "emission": "nade(100)"}, latent_dim=32), FIVO),
}
CHANGES: dict[str, dict] = {"jsb": {}, "nottingham": {"window": 200}}
ESTIMATES = {"elbo": ("elbo", 8, 4), "fivo-128": ("fivo", 128, 4)}  # bound, samples, repeats
EXPERIMENTS = [f"{data}/{system}" for data in FILES for system in SYSTEMS]
SEEDS = (0, 1, 2)


def pieces(folder: Path, name: str, part: str) -> vrnn.Tracks:
    """Read one split of a data set."""
    return vrnn.read_tracks(folder / FILES[name], group=part, format="piano-roll")


def run(experiment: str, data: Path, seed: int, steps: int | None) -> None:
    """Train one system on one data set, and keep the likelihoods of its validation and test pieces."""
    name, system = experiment.split("/")
    config, changes = SYSTEMS[system]
    settings = replace(
        SETTINGS, **{**changes, **CHANGES[name]}, seed=seed, **({"steps": steps} if steps else {})
    )
    parts = {part: pieces(data, name, part) for part in ("train", "valid", "test")}
    started = time.perf_counter()
    trained = vrnn.train(config, parts["train"], settings, val=parts["valid"])
    seconds = time.perf_counter() - started
    bounds: dict[str, dict] = {}
    started = time.perf_counter()
    for part in ("valid", "test"):
        bounds[part] = {}
        for label, (bound, samples, repeats) in ESTIMATES.items():
            found = vrnn.likelihood(trained.model, parts[part], bound, samples, repeats, seed)
            bounds[part][label] = {"nll": -found.per_row, "standard_error": found.standard_error}
            print(experiment, seed, part, label, found.to_text(), flush=True)
    best = max((r for r in trained.history if "val_bound" in r), key=lambda r: r["val_bound"])
    result = {
        "experiment": experiment,
        "data": name,
        "system": system,
        "kind": kind_of(config),
        "seed": seed,
        "steps": settings.steps,
        "best_step": best["step"],
        "train_seconds": round(seconds, 1),
        "evaluate_seconds": round(time.perf_counter() - started, 1),
        "kl": best.get("val_kl", 0.0),
        "parameters": sum(p.numel() for p in trained.model.network.parameters()),
        "rows": {part: int(tracks.lengths.sum()) for part, tracks in parts.items()},
        "bounds": bounds,
    }
    keep(f"music-{name}-{system}-{seed}", result)
