"""How many particles does a score need? Its change with more of them, beside its own noise.

    python -m benchmarks.particles            what is not kept yet (half an hour)
    python -m benchmarks.particles letters    one set
    python -m benchmarks.particles --tables   the table alone, from the kept results

On each set two VRNNs are trained for 500 steps, one with categorical and one with Gaussian latents. A
score is minus the log-density per row of a track. With N particles it is a little too high on
average. The bias is the mean difference from 400 particles. The noise is the standard deviation of a
track's score over five seeds, in the mean over tracks.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import vrnn
from benchmarks.common import data_folder, keep, kept, parser, write_table
from benchmarks.defaults import as_vrnn, letters, scene, storms
from benchmarks.latents import crossroads
from vrnn.training.choose_training import choose_training

COUNTS = (5, 10, 20, 50, 100)
MANY = 400
SEEDS = 5
TRACKS = 100
STEPS = 500
SETS = {
    "crossroads": lambda folder: tuple(crossroads(folder).values()),
    "eth": lambda folder: scene("eth", folder),
    "zara1": lambda folder: scene("zara1", folder),
    "storms": storms,
    "letters": letters,
}
LATENTS = {"categories": {}, "Gaussian": {"latent": "gaussian", "latent_dim": 16}}


def run(name: str, kind: str, folder: Path) -> None:
    """Train one model on one set, and keep the bias and the noise of its scores."""
    train, val, test = SETS[name](folder)
    config = replace(as_vrnn(train), **LATENTS[kind])
    settings = replace(
        choose_training(train, vrnn.TrainConfig(), validated=True).settings, steps=STEPS
    )
    model = vrnn.train(
        train, config=config, training=settings, val=val, start="scratch", quiet=True
    ).model
    some = test[np.unique(np.linspace(0, len(test) - 1, TRACKS).astype(int))]
    rate = lambda count, seed: vrnn.score(some, model=model, particles=count, seed=seed).score  # noqa: E731
    best = np.mean([rate(MANY, seed) for seed in range(SEEDS)], 0)
    bias, noise = [], []
    for count in COUNTS:
        found = np.array([rate(count, seed) for seed in range(SEEDS)])
        bias.append(float(np.nanmean(found - best)))
        noise.append(float(np.nanmean(found.std(0, ddof=1))))
    keep(
        f"particles-{name}-{kind}",
        {"set": name, "latents": kind, "counts": COUNTS, "bias": bias, "noise": noise,
         "spread": float(np.nanstd(best))},
    )  # fmt: skip
    print(name, kind, [f"{b:.4f}" for b in bias], [f"{n:.4f}" for n in noise], flush=True)


def write_tables() -> None:
    """Write the table of the page from the kept results."""
    rows = []
    for r in kept("particles-"):
        cells = [f"{b:.3f} ({n:.3f})" for b, n in zip(r["bias"], r["noise"], strict=True)]
        rows.append([r["set"], r["latents"], *cells, f"{r['spread']:.2f}"])
    header = ["Set", "Latents", *(f"{n} particles" for n in COUNTS), "Between tracks"]
    write_table("particles", header, rows)


def main() -> None:
    made = parser(__doc__, "all sets")
    made.add_argument("sets", nargs="*", help="names of sets")
    given = made.parse_args()
    torch.set_num_threads(given.threads)
    if not given.tables:
        folder = data_folder(given.data, "")
        done = {(r["set"], r["latents"]) for r in kept("particles-")}
        for name in given.sets or SETS:
            for kind in LATENTS:
                if (name, kind) not in done:
                    run(name, kind, folder)
    write_tables()


if __name__ == "__main__":
    main()
