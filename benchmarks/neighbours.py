"""Which types of simulated motion have futures like those of real tracks?

    python -m benchmarks.neighbours           two minutes
    python -m benchmarks.neighbours --tables  the table alone, from the kept results

For the past of a real window, the most similar pasts of simulated tracks are looked up. Their
futures are the forecast. No model is trained, so a simulator is judged in seconds. Only
validation parts are used.
"""

import numpy as np
import torch

from benchmarks.common import data_folder, keep, kept, parser, write_table
from benchmarks.without_training import HORIZON, OBSERVE, SETS, by_random_walk
from vrnn.data.synthetic.motion import prior
from vrnn.metrics.scores import energy_score

NAMES = [name for name in SETS if name.endswith("-val")]
POOL, WHOLE = 30_000, 150_000  # simulated tracks of one type, and of the whole simulator
WINDOWS, NEIGHBOURS = 500, 32
DECAY, HEADING = 0.9, 0.5
LEAST = 1e-3  # length of the mean move in units of the scale, below which there is no heading


def canonical(x: np.ndarray) -> np.ndarray:
    """Return the moves of windows in units of their past, turned to its heading, first turn left.

    Windows without a heading are left out.
    """
    moves = np.diff(x, axis=1)
    past = moves[:, : OBSERVE - 1]
    age = np.arange(OBSERVE - 2, -1, -1)
    mean = (past * HEADING ** age[:, None]).sum(1)
    scale = np.sqrt((past**2).sum(-1) @ DECAY**age / (DECAY**age).sum())
    length = np.linalg.norm(mean, axis=-1)
    there = length > LEAST * scale
    moves, scale, e = moves[there], scale[there], (mean / np.maximum(length, 1e-12)[:, None])[there]
    along = (moves * e[:, None]).sum(-1)
    left = moves[..., 1] * e[:, None, 0] - moves[..., 0] * e[:, None, 1]
    side = np.sign(left[:, : OBSERVE - 1] @ np.arange(OBSERVE - 1))
    left = left * np.where(side == 0, 1.0, side)[:, None]
    return np.stack([along, left], -1) / scale[:, None, None]


def pool(kind: str | None) -> np.ndarray:
    """Return canonical simulated tracks of one type, or of all."""
    shares = prior.SHARES if kind is None else {kind: 1.0}
    count = WHOLE if kind is None else POOL
    rng = np.random.default_rng(0)
    return canonical(prior.motion(rng, count, OBSERVE + HORIZON, shares))


def score(moves: np.ndarray, simulated: np.ndarray) -> float:
    """Return the energy score of the nearest simulated futures, divided by that of a random walk."""
    past, nearest = OBSERVE - 1, []
    pasts = torch.from_numpy(simulated[:, :past].reshape(len(simulated), -1)).float()
    for part in np.array_split(moves, 10):
        own = torch.from_numpy(part[:, :past].reshape(len(part), -1)).float()
        nearest.append(torch.cdist(own, pasts).topk(NEIGHBOURS, largest=False).indices.numpy())
    index = np.concatenate(nearest)
    truth = moves[:, past:].cumsum(1)
    futures = simulated[index, past:].cumsum(2).swapaxes(0, 1)
    points = np.pad(moves[:, :past].cumsum(1), ((0, 0), (1, 0), (0, 0)))
    walk = by_random_walk(points, 0) - points[:, -1:]
    return float(energy_score(futures, truth).mean() / energy_score(walk, truth).mean())


def run(data: str | None) -> None:
    """Score every type of motion and the whole simulator on every set."""
    folder = data_folder(data, "")
    real = {}
    for name in NAMES:
        x = SETS[name](folder)
        real[name] = canonical(x[np.random.default_rng(1).permutation(len(x))[:WINDOWS]])
    found = {}
    for kind in (*prior.SHARES, None):
        simulated = pool(kind)
        label = kind or "the whole simulator"
        found[label] = {name: score(moves, simulated) for name, moves in real.items()}
        print(label, {name: round(value, 3) for name, value in found[label].items()}, flush=True)
    keep("neighbours", {"scores": found, "shares": prior.SHARES})


def write_tables() -> None:
    """Write the table from the kept results."""
    for result in kept("neighbours"):
        rows = [
            [
                kind,
                f"{result['shares'][kind]:.0%}" if kind in result["shares"] else "",
                *(f"{scores[name]:.2f}" for name in NAMES),
            ]
            for kind, scores in result["scores"].items()
        ]
        write_table("neighbours", ["type", "share", *NAMES], rows)


def main() -> None:
    given = parser(__doc__, "all sets").parse_args()
    torch.set_num_threads(given.threads)
    if not given.tables:
        run(given.data)
    write_tables()


if __name__ == "__main__":
    main()
