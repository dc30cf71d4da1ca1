"""A belief: what a model knows of tracks after some of their points."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vrnn.data.preprocessor import Preprocessor
from vrnn.data.transforms import Anchor
from vrnn.errors import DataError, Function
from vrnn.inference.step import Belief
from vrnn.trained import TrainedModel, to_numpy


@dataclass(frozen=True, repr=False)
class TrackBelief:
    """A belief about tracks: weighted particles, and where the tracks are.

    It is a value. `observe` returns a new one and leaves the old one as it is.

    Attributes:
        belief: states and log-weights of the particles, in model units.
        anchor: last observed position of each column and the rows since; NaN before the first.
        time: time of the last row, (batch,); NaN before the first.
        u: last values of the known inputs, (batch, inputs); NaN before the first.
        steps: time steps so far. The noise of the next one is seeded by them.
        seed: seed of all noise.
        ids: ids of the tracks, which their noise is seeded by.
        preprocessor: what the model units of the belief are made by.
    """

    belief: Belief
    anchor: Anchor
    time: Float[np.ndarray, " batch"]
    u: Float[np.ndarray, "batch inputs"]
    steps: int
    seed: int
    ids: list[str]
    preprocessor: Preprocessor

    def __repr__(self) -> str:
        count, batch = self.belief.log_weight.shape
        return f"TrackBelief({count} particles of {batch} tracks after {self.steps} steps)"

    @property
    def weights(self) -> Float[np.ndarray, "particle batch"]:
        """Weight of each particle; the weights of a track add up to 1."""
        return to_numpy(self.belief.log_weight.exp())

    @property
    def effective(self) -> Float[np.ndarray, " batch"]:
        """Effective sample size, 1 / sum of squared weights."""
        return 1 / (self.weights**2).sum(0)


def check_begun(model: TrainedModel, belief: TrackBelief) -> None:
    """Refuse a belief without the point that displacements start from.

    Raises:
        DataError: a track has no such point.
    """
    is_increment = model.preprocessor.transform.is_increment
    unseen = np.isnan(belief.anchor.origin[:, is_increment]).any(-1)
    if is_increment.any() and unseen.any():
        raise DataError(
            f"track {unseen.argmax()} of the belief has no observed point yet",
            cause="displacements start from one",
            hint=("take its first point in with ", Function("observe")),
        )
