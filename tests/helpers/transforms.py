"""Random walks and transforms fitted to them."""

import numpy as np

from vrnn.data.transforms import Transform, TransformConfig

ROW = 4
"""The time step that a heading is read at, which is the last one of the prefix."""


def walks(count: int, time: int, seed: int, dim: int = 2) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(size=(count, time, dim)) + np.linspace(1.0, 2.0, dim)
    return 10.0 + steps.cumsum(1)


def fitted(config: TransformConfig, x: np.ndarray) -> Transform:
    names = ("lat", "lon") if x.shape[-1] == 2 else ()
    return Transform.fit(list(x), config, (True,) * x.shape[-1], names=names, observe=ROW + 1)
