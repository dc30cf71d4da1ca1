"""Letters: a VRNN on pen tracks, generated letters beside real ones, and write docs/letters.md.

    python -m benchmarks.letters            train, generate, draw docs/images/letters_*.png, write the page
    python -m benchmarks.letters --page     the page alone, from the results kept

UCI Character Trajectories, 1,429 single-stroke letters of 20 kinds. The letter is not told to the model.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import vrnn
from benchmarks.common import data_folder, keep, kept
from vrnn.plots import plot_tracks

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "letters.md"
THIN = 3  # 200 Hz to 67 Hz
LONGEST = 90  # rows of a generated letter, if the pen is not lifted before
SHOWN = 24
MODEL = vrnn.VRNNConfig(x_dim=3, hidden=192, latent_dim=16, emission="mixture(10):2+bernoulli:1")
TRAINING = vrnn.TrainConfig(steps=4000, batch_size=64, learning_rate=2e-3, validate_every=250)


def letters(path: Path) -> vrnn.Tracks:
    """Read pen positions and a last column that is 1 where the pen is lifted, (T, 3) a letter.

    Velocities are summed to positions; the still rows at both ends are trimmed.
    """
    with np.load(path, allow_pickle=False) as data:
        pieces = np.split(data["train_X"], np.cumsum(data["train_len"])[:-1])
    tracks = []
    for piece in pieces:
        moving = np.flatnonzero(np.abs(piece[:, :2]).sum(1) > 0)
        position = np.cumsum(piece[moving[0] : moving[-1] + 1, :2], axis=0)[::THIN]
        lifted = np.zeros((len(position), 1))
        lifted[-1] = 1.0
        tracks.append(np.concatenate([position, lifted], 1))
    return vrnn.Tracks(tracks, x_names=("x", "y", "lifted"))


def until_lifted(tracks: vrnn.Tracks) -> list[np.ndarray]:
    """Cut each generated letter where the pen is first lifted; the columns are (x, y)."""
    ends = [int(np.argmax(x[1:, 2] > 0.5)) + 2 if (x[1:, 2] > 0.5).any() else len(x) for x in tracks.x]
    return [x[:end, :2] for x, end in zip(tracks.x, ends, strict=True)]


TEXT = """# Letters: pen tracks that a VRNN writes

Made by `python -m benchmarks.letters` on one thread of a CPU: {seconds:.0f} s of training, seed {seed}. The model has seen {count} letters of 20
kinds (UCI Character Trajectories), as pen positions with a column that says when the pen is lifted: a mixture of ten correlated
Gaussians over the displacement and a Bernoulli over the lift. It is not told which letter it writes. Validation bound
{bound:.3f} nats per step of data units, {active} of {latents} latent dimensions active; {ended:.0%} of the generated letters end by themselves.
{use}

Generated, the first {shown} draws of seed {seed}, none left out:

![generated letters](images/letters_generated.png)

Real, the first {shown} of the file:

![real letters](images/letters_real.png)
"""


def run(path: Path, seed: int, steps: int | None) -> None:
    """Train, generate and draw."""
    tracks = letters(path)
    settings = replace(TRAINING, seed=seed, **({"steps": steps} if steps else {}))
    started = time.perf_counter()
    trained = vrnn.train(MODEL, tracks, settings)
    seconds = time.perf_counter() - started
    drawn = until_lifted(vrnn.generate(trained.model, count=400, steps=LONGEST, seed=seed))
    images = DOCS / "images"
    plot_tracks(drawn[:SHOWN], images / "letters_generated.png", overlay=False)
    plot_tracks([x[:, :2] for x in tracks.x[:SHOWN]], images / "letters_real.png", overlay=False)
    keep(
        f"letters-{seed}",
        {
            "seed": seed,
            "count": len(tracks),
            "seconds": round(seconds, 1),
            "bound": max(r["val_bound"] for r in trained.history if "val_bound" in r),
            "active": trained.report.active_units if trained.report else 0,
            "ended": float(np.mean([len(d) < LONGEST for d in drawn])),
        },
    )


def page() -> None:
    """Write docs/letters.md from the results kept."""
    result = kept("letters-")[0]
    unused = "With so rich an emission the latent is not needed and stays unused: here the VRNN writes as an RNN would."
    use = "" if result["active"] else unused
    PAGE.write_text(TEXT.format(**result, shown=SHOWN, latents=MODEL.latent_dim, use=use), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with char_trajectories.npz")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="optimiser steps, in place of the script's")
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument("--page", action="store_true", help="write the page alone")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if not given.page:
        run(data_folder(given.data, "uci_characters") / "char_trajectories.npz", given.seed, given.steps)
    page()


if __name__ == "__main__":
    main()
