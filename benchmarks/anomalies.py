"""Anomaly detection: pen tracks of a letter never seen, and letters written backwards.

    python -m benchmarks.anomalies              every letter held out in turn
    python -m benchmarks.anomalies g            one letter held out
    python -m benchmarks.anomalies --tables     the tables alone, from the kept results

UCI Character Trajectories, the 1,429 labelled letters of 20 kinds. One kind is held out whole.
Of the other letters 60 % train the model, 20 % calibrate the p-values and 20 % test them. A tenth
of the training letters validates. The settings were chosen with b, c and e held out at once, on
the calibration letters. The test letters took no part in the choice.
"""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.stats
import torch

import vrnn
from benchmarks.common import data_folder, keep, kept, parser, with_training, write_table
from vrnn.tasks.scores import Scores
from vrnn.trained import TrainedModel

THIN = 9  # 200 Hz to 22 Hz: finer, the smoothness of the pen outweighs the letter
PARTICLES = 20
FALSE_ALARMS = 0.05
MODEL = vrnn.VRNNConfig(x_dim=2, hidden=128, latent_dim=8, emission="mixture(5)")
TRAINING = vrnn.TrainConfig(
    steps=1000,
    batch_size=32,
    learning_rate=2e-3,
    weight_decay=0.1,
    ema_decay=0.99,
    validate_every=100,
    augment=vrnn.AugmentConfig(speed=(0.8, 1.25)),
)


def letters(path: Path) -> tuple[vrnn.Tracks, np.ndarray]:
    """Return pen positions (T, 2) of every labelled letter, and which letter each is."""
    with np.load(path, allow_pickle=False) as data:
        pieces = np.split(data["train_X"], np.cumsum(data["train_len"])[:-1])
        labels = data["key"][data["train_label"] - 1]
    tracks = []
    for piece in pieces:
        moving = np.flatnonzero(np.abs(piece[:, :2]).sum(1) > 0)
        tracks.append(np.cumsum(piece[moving[0] : moving[-1] + 1, :2], axis=0)[::THIN])
    return vrnn.Tracks(tracks), np.asarray(labels).astype(str)


def auc(normal: np.ndarray, odd: np.ndarray) -> float:
    """Return the area under the ROC curve: P(an odd track scores higher than a normal one)."""
    return float(scipy.stats.mannwhitneyu(odd, normal).statistic / (len(odd) * len(normal)))


def of_kind(tracks: vrnn.Tracks, kinds: np.ndarray, count: int) -> vrnn.Tracks:
    """Return the tracks with their kind as a one-hot input, (T, count)."""
    one_hot = np.eye(count)
    u = [np.tile(one_hot[kind], (len(x), 1)) for kind, x in zip(kinds, tracks.x, strict=True)]
    return replace(tracks, u=u, u_names=[f"kind{i}" for i in range(count)])


def scored(model: TrainedModel, tracks: vrnn.Tracks, count: int, seed: int) -> Scores:
    """Return scores of tracks whose kind is not told: the mixture over the known kinds."""
    under = [of_kind(tracks, np.full(len(tracks), kind), count) for kind in range(count)]
    return vrnn.mixture(
        [
            vrnn.score(each, model=model, particles=PARTICLES, seed=seed, by="excess")
            for each in under
        ]
    )


def run(path: Path, held_out: str, seed: int, steps: int | None) -> None:
    """Train on 19 letters and score the other tracks, which letter they are not being told."""
    tracks, labels = letters(path)
    known = [str(k) for k in np.unique(labels) if k != held_out]
    rng = np.random.default_rng([seed, 19])
    normal = rng.permutation(np.flatnonzero(labels != held_out))
    first, second = int(0.6 * len(normal)), int(0.8 * len(normal))
    parts = {
        "train": normal[:first],
        "calibration": normal[first:second],
        "test": normal[second:],
        "held out": np.flatnonzero(labels == held_out),
    }
    chosen = {name: tracks[index] for name, index in parts.items()}
    chosen["backwards"] = replace(chosen["test"], x=[x[::-1].copy() for x in chosen["test"].x])
    settings = replace(TRAINING, seed=seed, **({"steps": steps} if steps else {}))
    kinds = np.array([known.index(k) for k in labels[parts["train"]]])
    started = time.perf_counter()
    train = of_kind(chosen["train"], kinds, len(known))
    trained = vrnn.train(train, config=MODEL, training=settings)
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    odd = ("test", "held out", "backwards")
    found = {  # each part has noise of its own
        name: scored(trained.model, chosen[name], len(known), seed + i)
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


def write_tables() -> None:
    """Write the table of the letters held out."""
    results = kept("anomalies-")
    auc_of = (("auc", "held out"), ("auc_by_density", "held out"), ("auc", "backwards"))
    found_of = ("held out", "backwards", "test")
    rows = []
    for r in results:
        areas = [f"{r[score][k]:.3f}" for score, k in auc_of]
        shares = [f"{r['found'][k]:.{k == 'test':d}%}" for k in found_of]
        rows.append([r["held_out"], str(r["seed"]), *areas, *shares, f"{r['uniform']:.2f}"])
    areas = [f"{np.mean([r[score][k] for r in results]):.3f}" for score, k in auc_of]
    shares = [f"{np.mean([r['found'][k] for r in results]):.{k == 'test':d}%}" for k in found_of]
    rows.append(["**mean**", "", *areas, *shares, ""])
    head = [
        "held out",
        "seed",
        "AUC, held out",
        "AUC by density, held out",
        "AUC, backwards",
        "held out found",
        "backwards found",
        "normal flagged",
        "KS p-value",
    ]
    write_table("anomalies", head, rows)


def main() -> None:
    made = with_training(parser(__doc__, "char_trajectories.npz"), "0")
    made.add_argument("letters", nargs="*", help="each held out in turn; all 20 when omitted")
    given = made.parse_args()
    torch.set_num_threads(given.threads)
    if not given.tables:
        path = data_folder(given.data, "uci_characters") / "char_trajectories.npz"
        for held_out in given.letters or np.unique(letters(path)[1]):
            run(path, str(held_out), given.seed or 0, given.steps)
    write_tables()


if __name__ == "__main__":
    main()
