"""Simulated tracks beside those of a user, so that a shipped model forgets less of its first training.

The loss is a weighted mean over real and simulated tracks. The simulated ones count as `COUNT_AS` real
tracks, or as their rows if real tracks have more than `ROWS` rows.
"""

import numpy as np
import torch
from jaxtyping import Int

from vrnn.data.batch import Batch
from vrnn.data.synthetic.motion import motion
from vrnn.inference.random_numbers import Stream

COUNT_AS = 10
ROWS = 45
WORST = 50.0  # nats per row beyond which a simulated track has no gradient
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
        lengths: rows of the real tracks that are trained on.
        batch_size: sequences in a step.
        seed: seed of the simulation.

    Attributes:
        share: weight of the simulated tracks in the loss; that of the real ones is 1 - share.
        count: simulated tracks in a step, fewer beside long real tracks.
    """

    def __init__(self, lengths: Int[np.ndarray, " tracks"], batch_size: int, seed: int):
        real = max(len(lengths), float(lengths.sum()) / ROWS)
        self.share = COUNT_AS / (COUNT_AS + real)
        shorter = min(1.0, ROWS / int(lengths.max(initial=1)))
        self.count = max(1, round(self.share * shorter * batch_size))
        self.seed = seed
        self._block, self._tracks = -1, np.empty(0)

    def batch(self, step: int) -> Batch:
        """Return the simulated tracks of step `step`, counted from 0."""
        block, at = divmod(step, BLOCK)
        if block != self._block:
            rng = np.random.default_rng([self.seed, block, Stream.SIMULATED])
            self._block, self._tracks = block, motion(rng, BLOCK * self.count, ROWS)
        return moves_of(self._tracks[at * self.count : (at + 1) * self.count])
