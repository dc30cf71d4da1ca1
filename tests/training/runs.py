"""Small runs that use every random part of training; as a program, one that kills itself.

python runs.py OUT step 7       after the seventh record has been written
python runs.py OUT before 3     before the third file takes its name (and with `after`, after it)
python runs.py OUT never 0      a whole run
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch

import vrnn

CONFIG = vrnn.VRNNConfig(2, hidden=8, latent_dim=3)
SETTINGS = vrnn.TrainConfig(
    steps=12,
    batch_size=7,
    learning_rate=1e-2,
    warmup=3,
    kl_warmup=6,
    ema_decay=0.9,
    energy_weight=2.0,
    energy_rows=4,
    energy_samples=3,
    energy_from=0.4,
    validate_every=4,
    log_every=1,
    augment=vrnn.AugmentConfig(flip=True, rotate=True, speed=(0.8, 1.2)),
)
RNN = vrnn.RNNConfig(2, hidden=8)
QUICK = vrnn.TrainConfig(steps=4, batch_size=8, validate_every=2, log_every=1, warmup=0)


def timeless(records: list[dict]) -> list[dict]:
    """Return records without the seconds they took."""
    return [{k: v for k, v in r.items() if k != "seconds"} for r in records]


def walks(count: int = 30, rows: int = 9, seed: int = 0) -> vrnn.Tracks:
    """Return random walks of different lengths, some with a gap."""
    random = np.random.default_rng(seed)
    x = [random.normal(size=(rows + i % 3, 2)).cumsum(0) for i in range(count)]
    for a in x[::4]:
        a[3:5] = np.nan
    return vrnn.Tracks(x)


def small_run(out: Path, **more):
    return vrnn.train(walks(), config=CONFIG, training=SETTINGS, out=out, quiet=True, **more)


class Killer:
    """Send this process SIGKILL when a count is reached."""

    def __init__(self, moment: str, count: int):
        self.moment, self.left, self.replace = moment, count, os.replace
        os.replace = self.watched_replace

    def log(self, record) -> None:
        self.count("step")

    def watched_replace(self, source, target) -> None:
        self.count("before")
        self.replace(source, target)
        self.count("after")

    def count(self, moment: str) -> None:
        self.left -= moment == self.moment
        if moment == self.moment and self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    torch.set_num_threads(1)
    out, moment, count = sys.argv[1:]
    small_run(Path(out), tracker=Killer(moment, int(count)))
