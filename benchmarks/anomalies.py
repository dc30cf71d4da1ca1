"""Anomalies: pen tracks of a letter never seen, and of letters written backwards, found by their score; write docs/anomalies.md.

    python -m benchmarks.anomalies                 the experiment, then the page
    python -m benchmarks.anomalies --hold-out g    another letter held out, then the page
    python -m benchmarks.anomalies --page          the page alone, from the results kept

UCI Character Trajectories, the 1,429 labelled letters of 20 kinds. One kind is held out whole. Of each other kind 60 % of the letters
train the model, a tenth of those validating it, 20 % calibrate the p-values and 20 % test them.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.stats
import torch

import vrnn
from benchmarks.common import data_folder, keep, kept, table

PAGE = Path(__file__).parents[1] / "docs" / "anomalies.md"
THIN = 3  # 200 Hz to 67 Hz
PARTICLES = 50
FALSE_ALARMS = 0.05
MODEL = vrnn.VRNNConfig(x_dim=2, hidden=128, latent_dim=8, emission="mixture(5)")
TRAINING = vrnn.TrainConfig(steps=2500, batch_size=64, learning_rate=2e-3, validate_every=250)


def letters(path: Path) -> tuple[vrnn.Tracks, np.ndarray]:
    """Read pen positions (T, 2) of every labelled letter, and which letter each is."""
    with np.load(path, allow_pickle=False) as data:
        pieces = np.split(data["train_X"], np.cumsum(data["train_len"])[:-1])
        labels = data["key"][data["train_label"] - 1]
    tracks = []
    for piece in pieces:
        moving = np.flatnonzero(np.abs(piece[:, :2]).sum(1) > 0)
        tracks.append(np.cumsum(piece[moving[0] : moving[-1] + 1, :2], axis=0)[::THIN])
    return vrnn.Tracks(tracks), np.asarray(labels).astype(str)


def auc(normal: np.ndarray, odd: np.ndarray) -> float:
    """Probability that an odd track scores higher than a normal one (area under the ROC curve)."""
    return float(scipy.stats.mannwhitneyu(odd, normal).statistic / (len(odd) * len(normal)))


def run(path: Path, held_out: str, seed: int, steps: int | None) -> None:
    """Train on 19 letters and score the four kinds of tracks."""
    tracks, labels = letters(path)
    rng = np.random.default_rng([seed, 19])
    normal = rng.permutation(np.flatnonzero(labels != held_out))
    first, second = int(0.6 * len(normal)), int(0.8 * len(normal))
    parts = {"train": normal[:first], "calibration": normal[first:second], "test": normal[second:],
             "held out": np.flatnonzero(labels == held_out)}  # fmt: skip
    chosen = {name: tracks[index] for name, index in parts.items()}
    chosen["backwards"] = replace(chosen["test"], x=[x[::-1].copy() for x in chosen["test"].x])
    settings = replace(TRAINING, seed=seed, **({"steps": steps} if steps else {}))
    started = time.perf_counter()
    trained = vrnn.train(MODEL, chosen["train"], settings)
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    scores = {
        name: vrnn.score(trained.model, chosen[name], chosen["calibration"], PARTICLES, seed)
        for name in ("test", "held out", "backwards")
    }
    threshold = scores["test"].threshold(FALSE_ALARMS)
    pit = np.concatenate(scores["test"].pit)
    result = {
        "held_out": held_out,
        "seed": seed,
        "seconds": round(seconds, 1),
        "score_seconds": round(time.perf_counter() - started, 1),
        "counts": {name: len(part) for name, part in chosen.items()},
        "auc": {name: auc(scores["test"].score, scores[name].score) for name in ("held out", "backwards")},
        "found": {name: float((s.score > threshold).mean()) for name, s in scores.items()},
        "uniform": float(scipy.stats.kstest(scores["test"].p_value, "uniform").pvalue),
        "pit": {str(q): float(np.nanmean(pit[np.isfinite(pit)] < q)) for q in (0.05, 0.25, 0.5, 0.75, 0.95)},
    }
    print(result, flush=True)
    keep(f"anomalies-{held_out}-{seed}", result)


TEXT = """# Odd tracks found: letters never seen, letters written backwards

Made by `python -m benchmarks.anomalies` on one thread of a CPU. A VRNN is trained on 19 of the 20 letters of UCI Character Trajectories, pen
positions at 67 Hz. The score of a track is minus its log-density per row (`vrnn score`, {particles} particles); its p-value is counted among
letters kept for calibration, which like the test letters were not trained on.

{table}

AUC: probability that an odd track scores higher than a normal test letter. Found: share of tracks above the threshold for {alarms:.0%} false
alarms; of the normal test letters that share should be about {alarms:.0%}. KS: p-value of the Kolmogorov-Smirnov test that the p-values of
normal test letters are uniform. Which letter is held out is {letters}: the first ones of the data's own list, not chosen by their result.
"""


def page() -> None:
    """Write docs/anomalies.md from the results kept."""
    results = kept("anomalies-")
    rows = [
        [r["held_out"], str(r["seed"]), f"{r['auc']['held out']:.3f}", f"{r['auc']['backwards']:.3f}",
         f"{r['found']['held out']:.0%}", f"{r['found']['backwards']:.0%}", f"{r['found']['test']:.1%}", f"{r['uniform']:.2f}"]
        for r in results
    ]  # fmt: skip
    head = [
        "held out",
        "seed",
        "AUC, held out",
        "AUC, backwards",
        "held out found",
        "backwards found",
        "normal flagged",
        "KS",
    ]
    letters = ", ".join(sorted({r["held_out"] for r in results}))
    text = TEXT.format(particles=PARTICLES, table=table(head, rows), alarms=FALSE_ALARMS, letters=letters)
    PAGE.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hold-out", default="a", help="the letter that is not trained on")
    parser.add_argument("--data", type=Path, help="folder with char_trajectories.npz")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="optimiser steps, in place of the script's")
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument("--page", action="store_true", help="write the page alone")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if not given.page:
        path = data_folder(given.data, "uci_characters") / "char_trajectories.npz"
        run(path, given.hold_out, given.seed, given.steps)
    page()


if __name__ == "__main__":
    main()
