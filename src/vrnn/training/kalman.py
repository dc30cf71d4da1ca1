"""The Kalman filter that forecasts are compared with, fitted to the training tracks."""

from itertools import groupby

import numpy as np

from vrnn.baselines.kalman import Kalman
from vrnn.data.position_space import is_continuous, position_space
from vrnn.data.tracks import Tracks
from vrnn.data.transforms import Transform
from vrnn.data.windows import runs
from vrnn.distributions import Family

ROWS = 20  # most rows of a piece; longer runs give several
MOST = 2000  # pieces, evenly chosen from all


def fit_kalman(tracks: Tracks, transform: Transform, family: Family) -> Kalman | None:
    """Return the Kalman filter of constant velocity that fits the positions of tracks best.

    It is fitted to pieces of at most `ROWS` consecutive complete rows, without overlap, in local
    planes. At most `MOST` of them are read.

    Args:
        tracks: the training data.
        transform: the transform of the model, which says what the positions are.
        family: the emission of the model, of all columns of x.

    Returns:
        The filter, in the unit of distances. None where no track has three such rows, or a
        position is a category.
    """
    space = position_space(transform)
    if not is_continuous(space, family):
        return None
    found = runs(tracks)
    pieces = [
        (track, start, min(ROWS, end - start))
        for track, first, end in zip(
            found.track.tolist(),
            found.start.tolist(),
            (found.start + found.length).tolist(),
            strict=True,
        )
        for start in range(first, end - 2, ROWS)
    ]
    if not pieces:
        return None
    some = np.unique(np.linspace(0, len(pieces) - 1, MOST).round().astype(int))
    chosen = sorted((pieces[i] for i in some), key=lambda piece: piece[2])
    paths = []
    for _, same in groupby(chosen, key=lambda piece: piece[2]):
        x = np.stack([tracks.x[i][s : s + rows][:, space.columns] for i, s, rows in same])
        paths.append(space.to_plane(x, x[:, -1]))
    return Kalman.fit(paths)
