"""Random walks as tracks, and the advice on them."""

import numpy as np

from vrnn.data.describe import describe
from vrnn.data.tracks import Tracks


def walk(rows: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).normal(size=(rows, 2)), axis=0) * scale


def many(**more) -> Tracks:
    return Tracks([walk(25, i) for i in range(60)], **more)


def binary(width: int = 6) -> Tracks:
    return Tracks(
        [(walk(25, i) > 0)[:, [0, 1, 0, 1, 0, 1][:width]].astype(float) for i in range(60)]
    )


def advice(tracks: Tracks) -> str:
    return " ".join(describe(tracks).advice)
