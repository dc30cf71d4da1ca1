"""Anomalies: pen tracks of a letter never seen, and of letters written backwards, found by their score; write docs/anomalies.md.

    python -m benchmarks.anomalies                 every letter held out in turn, then the page
    python -m benchmarks.anomalies g               one letter held out, then the page
    python -m benchmarks.anomalies --page          the page alone, from the results kept

UCI Character Trajectories, the 1,429 labelled letters of 20 kinds. One kind is held out whole. Of the other letters 60 % train the
model, a tenth of those validating it, 20 % calibrate the p-values and 20 % test them. The settings were chosen with b, c and e held
out at once, on the calibration letters; the test letters took no part.
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
from vrnn.tasks.score import Scores
from vrnn.trained import TrainedModel

PAGE = Path(__file__).parents[1] / "docs" / "anomalies.md"
THIN = 9  # 200 Hz to 22 Hz: finer, the smoothness of the pen outweighs the letter
PARTICLES = 20
FALSE_ALARMS = 0.05
MODEL = vrnn.VRNNConfig(x_dim=2, hidden=128, latent_dim=8, emission="mixture(5)")
TRAINING = vrnn.TrainConfig(
    steps=1000,
    batch_size=32,
    learning_rate=2e-3,
    weight_decay=0.1,
    average=0.99,
    validate_every=100,
    augment=vrnn.AugmentConfig(speed=(0.8, 1.25)),
)
CHOSEN_WITH = ("b", "c", "e")  # held out while settings were chosen


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


def of_kind(tracks: vrnn.Tracks, kinds: np.ndarray, count: int) -> vrnn.Tracks:
    """Give each track its kind as a one-hot input, (T, count)."""
    one_hot = np.eye(count)
    u = [np.tile(one_hot[kind], (len(x), 1)) for kind, x in zip(kinds, tracks.x, strict=True)]
    return replace(tracks, u=u, u_names=[f"kind{i}" for i in range(count)])


def scored(model: TrainedModel, tracks: vrnn.Tracks, count: int, seed: int) -> Scores:
    """Score tracks whose kind is not told: under each kind of the training, mixed."""
    under = [of_kind(tracks, np.full(len(tracks), kind), count) for kind in range(count)]
    return vrnn.mixture(
        [vrnn.score(model, each, particles=PARTICLES, seed=seed, by="excess") for each in under]
    )


def run(path: Path, held_out: str, seed: int, steps: int | None) -> None:
    """Train on 19 letters and score the four kinds of tracks, told which letter they are in the training alone."""
    tracks, labels = letters(path)
    known = [str(k) for k in np.unique(labels) if k != held_out]
    rng = np.random.default_rng([seed, 19])
    normal = rng.permutation(np.flatnonzero(labels != held_out))
    first, second = int(0.6 * len(normal)), int(0.8 * len(normal))
    parts = {"train": normal[:first], "calibration": normal[first:second], "test": normal[second:],
             "held out": np.flatnonzero(labels == held_out)}  # fmt: skip
    chosen = {name: tracks[index] for name, index in parts.items()}
    chosen["backwards"] = replace(chosen["test"], x=[x[::-1].copy() for x in chosen["test"].x])
    settings = replace(TRAINING, seed=seed, **({"steps": steps} if steps else {}))
    kinds = np.array([known.index(k) for k in labels[parts["train"]]])
    started = time.perf_counter()
    trained = vrnn.train(MODEL, of_kind(chosen["train"], kinds, len(known)), settings)
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    odd = ("test", "held out", "backwards")
    found = {
        name: scored(
            trained.model, chosen[name], len(known), seed + i
        )  # noise of its own for each part
        for i, name in enumerate(("calibration", *odd))
    }
    scores = {name: found[name].against(found["calibration"]) for name in odd}
    threshold = scores["test"].threshold(FALSE_ALARMS)
    result = {
        "held_out": held_out,
        "seed": seed,
        "seconds": round(seconds, 1),
        "score_seconds": round(time.perf_counter() - started, 1),
        "counts": {name: len(part) for name, part in chosen.items()},
        "auc_by_density": {
            name: auc(*(replace(scores[n], by="density").score for n in ("test", name)))
            for name in ("held out", "backwards")
        },
        "auc": {
            name: auc(scores["test"].score, scores[name].score)
            for name in ("held out", "backwards")
        },
        "found": {name: float((s.score > threshold).mean()) for name, s in scores.items()},
        "uniform": float(scipy.stats.kstest(scores["test"].p_value, "uniform").pvalue),
    }
    print(result, flush=True)
    keep(f"anomalies-{held_out}-{seed}", result)


TEXT = """# Odd tracks found: letters never seen, letters written backwards

Made by `python -m benchmarks.anomalies` on one thread of a CPU. A VRNN is trained on 19 of the 20 letters of UCI Character Trajectories, pen
positions at 22 Hz, with the letter as an input. To score a track no letter is told: its density is the mixture over the 19
(`vrnn.mixture`, {particles} particles). The score is the excess: by how much the log-density of a row falls short of what the model expected there. The
p-value is counted among letters kept for calibration, which like the test letters were not trained on.

{table}

AUC: probability that an odd track scores higher than a normal test letter; *by density*, with minus the log-density as the score. Found: share of tracks above the threshold for {alarms:.0%} false
alarms; of the normal test letters that share should be about {alarms:.0%}. KS: p-value of the Kolmogorov-Smirnov test that the p-values of
normal test letters are uniform. Settings were chosen with {chosen} held out, so that their rows are not quite new to them.

A letter never seen whose strokes are those of others is the hard case: a model that is not told the letter joins the beginning of one to the end of
another. Sampling matters as well: at 67 Hz the density is that of a smooth pen more than of a letter, and a letter of smooth strokes can score as *likelier* than
those trained on. Score tracks at a step in which their kinds differ, and by excess where smoothness differs between kinds.
"""


def page() -> None:
    """Write docs/anomalies.md from the results kept."""
    results = kept("anomalies-")
    rows = [
        [r["held_out"], str(r["seed"]), f"{r['auc']['held out']:.3f}", f"{r['auc_by_density']['held out']:.3f}", f"{r['auc']['backwards']:.3f}",
         f"{r['found']['held out']:.0%}", f"{r['found']['backwards']:.0%}", f"{r['found']['test']:.1%}", f"{r['uniform']:.2f}"]
        for r in results
    ]  # fmt: skip
    mean = [
        f"{np.mean([r[score][k] for r in results]):.3f}"
        for score, k in (("auc", "held out"), ("auc_by_density", "held out"), ("auc", "backwards"))
    ]
    shares = [np.mean([r["found"][k] for r in results]) for k in ("held out", "backwards", "test")]
    rows.append(
        ["**mean**", "", *mean, f"{shares[0]:.0%}", f"{shares[1]:.0%}", f"{shares[2]:.1%}", ""]
    )
    head = ["held out", "seed", "AUC, held out", "by density", "AUC, backwards", "held out found", "backwards found", "normal flagged", "KS"]  # fmt: skip
    text = TEXT.format(
        particles=PARTICLES,
        table=table(head, rows),
        alarms=FALSE_ALARMS,
        chosen=", ".join(CHOSEN_WITH),
    )
    PAGE.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("letters", nargs="*", help="each held out in turn; all 20 when omitted")
    parser.add_argument("--data", type=Path, help="folder with char_trajectories.npz")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="optimiser steps, in place of the script's")
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument("--page", action="store_true", help="write the page alone")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if not given.page:
        path = data_folder(given.data, "uci_characters") / "char_trajectories.npz"
        for held_out in given.letters or np.unique(letters(path)[1]):
            run(path, str(held_out), given.seed, given.steps)
    page()


if __name__ == "__main__":
    main()
