"""Letters: a VRNN writes pen tracks, told which letter to write.

    python -m benchmarks.letters              seeds 0 to 2, with the pictures of the first
    python -m benchmarks.letters --seed 1     one seed
    python -m benchmarks.letters --tables     the tables alone, from the kept results

UCI Character Trajectories, 1,429 single-stroke letters of 20 kinds. Four fifths of them train the
model and the classifier, a tenth of those validating each. The others test the classifier and say
how far real letters are from one another.
"""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

import vrnn
from benchmarks.common import data_folder, keep, kept, parser, spread, with_training, write_table
from vrnn.training.trackers import best_record

IMAGES = Path(__file__).parents[1] / "docs" / "images"
THIN = 9  # 200 Hz to 22 Hz: finer, small errors add up over the many rows of a letter
LONGEST = 36  # rows of a generated letter, if the pen is not lifted before
EACH = 50  # letters generated of a kind
START = np.zeros(3)  # where the pen is put down, as in the data
POINTS = 48  # to which letters are resampled to be recognised and compared
SEEDS = (0, 1, 2)
MODEL = vrnn.VRNNConfig(
    x_dim=3, hidden=128, latent="categorical(8)", emission="full_gaussian:2+bernoulli:1"
)
TRAINING = vrnn.TrainConfig(
    steps=3000,
    batch_size=32,
    learning_rate=2e-3,
    weight_decay=0.5,
    ema_decay=0.998,
    validate_every=250,
    position_input=True,
    augment=vrnn.AugmentConfig(jitter=0.6),
)


def letters(path: Path) -> tuple[vrnn.Tracks, np.ndarray]:
    """Return pen positions with the lift of the pen, (T, 3) a letter, and which letter each is.

    The last column is 1 where the pen is lifted. Positions are the running sums of the velocities.
    The still rows at both ends are trimmed. The letter is an input, one 0/1 column a kind.
    """
    with np.load(path, allow_pickle=False) as data:
        pieces = np.split(data["train_X"], np.cumsum(data["train_len"])[:-1])
        labels = np.asarray(data["key"][data["train_label"] - 1]).astype(str)
    kinds = np.unique(labels)
    x, u = [], []
    for piece, label in zip(pieces, labels, strict=True):
        moving = np.flatnonzero(np.abs(piece[:, :2]).sum(1) > 0)
        whole = np.cumsum(piece[moving[0] : moving[-1] + 1, :2], axis=0)
        position = whole[::THIN] - whole[0]
        lifted = np.zeros((len(position), 1))
        lifted[-1] = 1.0
        x.append(np.concatenate([position, lifted], 1))
        u.append(np.tile((kinds == label).astype(float), (len(position), 1)))
    return vrnn.Tracks(
        x, u=u, x_names=("x", "y", "lifted"), u_names=[f"letter={k}" for k in kinds]
    ), labels


def ends(x: np.ndarray) -> bool:
    """Return whether the pen is lifted in a generated letter."""
    return bool((x[1:, 2] > 0.5).any())


def until_lifted(x: np.ndarray) -> np.ndarray:
    """Return a generated letter up to where the pen is first lifted, columns (x, y)."""
    return x[: int(np.argmax(x[1:, 2] > 0.5)) + 2 if ends(x) else len(x), :2]


def shape(x: np.ndarray) -> np.ndarray:
    """Return a letter at POINTS times, centred and scaled to mean square 1, (2, POINTS)."""
    at = np.linspace(0, len(x) - 1, POINTS)
    points = np.stack([np.interp(at, np.arange(len(x)), x[:, i]) for i in range(2)])
    points -= points.mean(1, keepdims=True)
    return points / np.sqrt((points**2).sum(0).mean())


def classifier(kinds: int) -> nn.Module:
    """Return a small network that reads the shape of a letter."""
    return nn.Sequential(
        nn.Conv1d(2, 32, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
        nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * POINTS // 4, kinds),
    )  # fmt: skip


def train_classifier(shapes: np.ndarray, kinds: np.ndarray, seed: int) -> nn.Module:
    """Return a classifier trained on real letters; a tenth held out chooses the weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = classifier(int(kinds.max()) + 1)
        x, y = torch.tensor(shapes, dtype=torch.float32), torch.tensor(kinds)
        order = torch.randperm(len(x))
        val, train = order[: len(x) // 10], order[len(x) // 10 :]
        optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.05)
        best, weights = -1.0, network.state_dict()
        for _ in range(60):
            network.train()
            for batch in train[torch.randperm(len(train))].split(64):
                optimiser.zero_grad()
                nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()
                optimiser.step()
            share = float((recognised(network, shapes[val]) == kinds[val]).mean())
            if share > best:
                best, weights = share, {k: v.clone() for k, v in network.state_dict().items()}
        network.load_state_dict(weights)
    return network


@torch.no_grad()
def recognised(network: nn.Module, shapes: np.ndarray) -> np.ndarray:
    """Return the kind that each letter is taken for."""
    network.eval()
    return network(torch.tensor(shapes, dtype=torch.float32)).argmax(-1).numpy()


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return root mean square distances (n, m) of shapes (n, 2, POINTS) and (m, 2, POINTS)."""
    return np.sqrt(((a[:, None] - b[None]) ** 2).sum(2).mean(-1))


def variety(shapes: np.ndarray) -> float:
    """Return the mean distance of two different letters of a set."""
    d = distances(shapes, shapes)
    return float(d.sum() / (len(d) * (len(d) - 1)))


def run(path: Path, seed: int, steps: int | None) -> None:
    """Train, generate every letter, and keep the measurements."""
    tracks, labels = letters(path)
    names = np.unique(labels)
    kinds = np.searchsorted(names, labels)
    order = np.random.default_rng([seed, 20]).permutation(len(tracks))
    train, test = np.sort(order[len(order) // 5 :]), np.sort(order[: len(order) // 5])
    real = np.stack([shape(x[:, :2]) for x in tracks.x])
    settings = replace(TRAINING, seed=seed, **({"steps": steps} if steps else {}))
    started = time.perf_counter()
    trained = vrnn.train(tracks[train], config=MODEL, training=settings)
    seconds = time.perf_counter() - started
    network = train_classifier(real[train], kinds[train], seed)
    drawn, nearest, counts = [], [], []
    for kind, name in enumerate(names):
        made = vrnn.generate(
            model=trained.model,
            count=EACH,
            steps=LONGEST,
            seed=seed * len(names) + kind,
            start=START,
            inputs={"letter": name},
        )
        paths = [until_lifted(x) for x in made.x]
        shapes = np.stack([shape(x) for x in paths])
        of_kind, others = train[kinds[train] == kind], test[kinds[test] == kind]
        near = distances(shapes, real[of_kind])
        drawn.append(paths)
        nearest.append(tracks.x[of_kind[near[0].argmin()]][:, :2])
        counts.append(
            {
                "letter": name,
                "recognised": float((recognised(network, shapes) == kind).mean()),
                "ended": float(np.mean([ends(x) for x in made.x])),
                "variety": variety(shapes),
                "real_variety": variety(real[kinds == kind]),
                "nearest": float(near.min(1).mean()),
                "real_nearest": float(distances(real[others], real[of_kind]).min(1).mean()),
            }
        )
    result = {
        "seed": seed,
        "count": len(train),
        "tested": len(test),
        "seconds": round(seconds, 1),
        "bound": best_record(trained.history)["val_bound"],
        "latent_nats": trained.latent_use.nats if trained.latent_use else 0.0,
        "real_recognised": float((recognised(network, real[test]) == kinds[test]).mean()),
        "letters": counts,
    }
    keep(f"letters-{seed}", result)
    print(
        seed, {k: np.mean([c[k] for c in counts]) for k in counts[0] if k != "letter"}, flush=True
    )
    if seed == SEEDS[0]:
        draw_pairs(names, [paths[0] for paths in drawn], nearest, IMAGES / "letters_nearest.png")
        draw_kinds(drawn, IMAGES / "letters_generated.png")


def draw_pairs(names: np.ndarray, drawn: list, nearest: list, path: Path) -> None:
    """Draw a generated letter of every kind with the training letter nearest to it below."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    wide = len(names) // 2
    fig, axes = plt.subplots(4, wide, figsize=(1.1 * wide, 5.2), layout="constrained")
    for i, (made, real) in enumerate(zip(drawn, nearest, strict=True)):
        row, column = 2 * (i // wide), i % wide
        for axis, x, colour in (
            (axes[row, column], made, "#1f5fa8"),
            (axes[row + 1, column], real, "#777777"),
        ):
            axis.plot(x[:, 0], x[:, 1], color=colour, linewidth=1.6)
    for axis in axes.flat:
        axis.set(aspect="equal")
        axis.axis("off")
    fig.savefig(path, dpi=110)
    plt.close(fig)


def draw_kinds(drawn: list, path: Path, each: int = 6) -> None:
    """Draw the first few letters generated of every kind, a column each."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(
        each, len(drawn), figsize=(0.6 * len(drawn), 0.62 * each), layout="constrained"
    )
    for column, paths in enumerate(drawn):
        for row in range(each):
            axes[row, column].plot(*paths[row].T, color="#1f5fa8", linewidth=1.1)
    for axis in axes.flat:
        axis.set(aspect="equal")
        axis.axis("off")
    fig.savefig(path, dpi=120)
    plt.close(fig)


def write_tables() -> None:
    """Write the table over all letters, that of each letter, and that of the sizes."""
    results = kept("letters-")

    def over_seeds(key: str) -> str:
        percent = key in ("recognised", "ended")
        values = [float(np.mean([c[key] for c in r["letters"]])) for r in results]
        return spread(values, 1 if percent else 3, "%" if percent else "")

    real = f"{np.mean([r['real_recognised'] for r in results]):.1%}"
    write_table(
        "letters",
        ["", "generated", "real"],
        [
            ["recognised", over_seeds("recognised"), real],
            ["nearest training letter", over_seeds("nearest"), over_seeds("real_nearest")],
            ["variety", over_seeds("variety"), over_seeds("real_variety")],
            ["ended", over_seeds("ended"), ""],
        ],
    )
    keys = ("recognised", "nearest", "real_nearest", "variety", "real_variety")
    rows = []
    for name in [c["letter"] for c in results[0]["letters"]]:
        found = [c for r in results for c in r["letters"] if c["letter"] == name]
        share, *others = (float(np.mean([c[key] for c in found])) for key in keys)
        rows.append([name, f"{share:.0%}", *(f"{value:.3f}" for value in others)])
    head = ["letter", "recognised", "nearest", "real nearest", "variety", "real variety"]
    write_table("letters-by-letter", head, rows)
    first, minutes = results[0], np.mean([r["seconds"] for r in results]) / 60
    write_table(
        "letters-sizes",
        [
            "real letters of the training",
            "real letters of the test",
            "generated of each kind",
            "minutes of training",
            "seeds",
        ],
        [
            [
                str(first["count"]),
                str(first["tested"]),
                str(EACH),
                f"{minutes:.0f}",
                ", ".join(str(r["seed"]) for r in results),
            ]
        ],
    )


def main() -> None:
    given = with_training(parser(__doc__, "char_trajectories.npz"), "0, 1 and 2").parse_args()
    torch.set_num_threads(given.threads)
    if not given.tables:
        path = data_folder(given.data, "uci_characters") / "char_trajectories.npz"
        for seed in SEEDS if given.seed is None else (given.seed,):
            run(path, seed, given.steps)
    write_tables()


if __name__ == "__main__":
    main()
