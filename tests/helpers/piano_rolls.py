"""Two small pieces of music, as notes and as a roll."""

import numpy as np

PIECES = [[[60, 64, 67], [], [21, 108]], [[60, 60, 72]]]
SOUNDING = [[[39, 43, 46], [], [0, 87]], [[39, 51]]]
"""The columns that are 1, by piece and step."""
KEYS = tuple(f"key{note}" for note in range(21, 109))


def sounding(tracks):
    assert all(set(np.unique(x)) <= {0, 1} for x in tracks.x)
    return [[np.flatnonzero(row).tolist() for row in x] for x in tracks.x]


def roll() -> np.ndarray:
    x = np.zeros((4, 88), dtype=bool)
    for row, keys in enumerate(step for piece in SOUNDING for step in piece):
        x[row, keys] = True
    return x
