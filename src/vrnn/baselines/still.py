"""The smallest scale of motion, for tracks that never change their velocity."""

import numpy as np
from jaxtyping import Float

STILL = 1e-9  # of the extent of the paths, or of 1 where they have none


def least_scale(paths: Float[np.ndarray, "batch time dim"]) -> float:
    """Return a positive scale far below that of any motion, above that of rounding errors.

    >>> least_scale(np.array([[[0.0], [4.0]]])), least_scale(np.zeros((1, 2, 1)))
    (4e-09, 1e-09)
    """
    extent = float(np.abs(paths - paths[:, -1:]).max(initial=0.0))
    return STILL * (extent or 1.0)
