"""Simulated tracks beside those of a user, so that a shipped model keeps what it knows.

The loss is a weighted mean over real and simulated tracks. The simulated ones count as `COUNT_AS` real
tracks: with few tracks they weigh most, with many next to nothing.
"""

import numpy as np
import torch

from vrnn.data.batch import Batch
from vrnn.data.synthetic.motion import motion
from vrnn.inference.noise import Stream

COUNT_AS = 10
ROWS = 45
BLOCK = 32  # steps whose tracks are simulated together


def moves_of(x: np.ndarray) -> Batch:
    """Return simulated positions as a batch of moves.

    Args:
        x: positions (batch, time, 2).
    """
    moves = torch.from_numpy(np.diff(x, axis=1)).float()
    return Batch.of(moves, is_increment=torch.tensor([True, True]))


class SimulatedTracks:
    """The simulated tracks of every step, a function of (seed, step) alone.

    Args:
        tracks: number of real tracks that are trained on.
        batch_size: sequences in a step.
        seed: seed of the simulation.
    """

    def __init__(self, tracks: int, batch_size: int, seed: int):
        share = COUNT_AS / (COUNT_AS + tracks)
        self.weight = share / (1 - share)  # of the simulated mean, beside 1 of the real mean
        self.count = max(1, round(share * batch_size))
        self.seed = seed
        self._block, self._tracks = -1, np.empty(0)

    def batch(self, step: int) -> Batch:
        """Return the simulated tracks of step `step`, counted from 0."""
        block, at = divmod(step, BLOCK)
        if block != self._block:
            rng = np.random.default_rng([self.seed, block, Stream.SIMULATED])
            self._block, self._tracks = block, motion(rng, BLOCK * self.count, ROWS)
        return moves_of(self._tracks[at * self.count : (at + 1) * self.count])
