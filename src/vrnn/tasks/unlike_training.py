"""Tracks that are far from the data that a model was trained on."""

import numpy as np

from vrnn.data.arrays import pad
from vrnn.data.tracks import Tracks
from vrnn.data.windows import TOLERANCE
from vrnn.data.wording import plural
from vrnn.tasks.time_step import own_step
from vrnn.trained import TrainedModel

FAR = 10.0
"""Standard deviations of the training data beyond which a track is far from it."""
SLOW = 0.03
"""Root mean square of all increments, in those of the training, below which a unit may differ."""
AT_ONCE = 1024
"""Tracks that are looked at together."""
NAMED = 3
"""Tracks that a sentence names."""


def unlike_training(model: TrainedModel, tracks: Tracks, *, step: bool = True) -> list[str]:
    """Return a sentence for each way in which tracks are far from the training data of a model.

    - scale: the root mean square increment of a track is over 10 times that of the training, or
      that of all tracks together under 0.03 times. A causal transform takes every scale alike.
    - place: the median of a column that is modelled as it is, not by its increments, is over 10
      standard deviations from the training mean.
    - time step: it is not that of the training, and the model does not read the time between rows.

    Args:
        model: a trained model; one that is fitted to its data is like every data.
        tracks: tracks with the model's columns.
        step: compare the time step too; `forecast` does so by itself.
    """
    if model.fits_data:
        return []
    found = []
    preprocessor = model.preprocessor
    trained, own = preprocessor.step, own_step(model, tracks)
    if step and not preprocessor.time_input and abs(own / trained - 1) > TOLERANCE:
        found.append(f"the time step is {own:.6g}, and the model was trained at {trained:.6g}")
    if preprocessor.transform.standardise is None:
        return found
    moves, places = _distances(model, tracks)
    if not preprocessor.transform.causal:
        fast = np.flatnonzero(moves > FAR)
        if len(fast):
            found.append(
                f"{_named(tracks, fast)}: increments over {FAR:g} times those of the training data, "
                f"up to {moves.max():.3g} times; are the units the same?"
            )
        together = np.sqrt(np.mean(moves**2)) if len(moves) else 1.0
        if 0 < together < SLOW:
            found.append(
                f"increments are {together:.2g} times those of the training data in the mean; "
                "are the units the same?"
            )
    far = np.flatnonzero(places > FAR)
    if len(far):
        found.append(
            f"{_named(tracks, far)}: over {FAR:g} standard deviations from the mean of the training "
            f"data, up to {places.max():.3g}; is it data of the same kind?"
        )
    return found


def _distances(model: TrainedModel, tracks: Tracks) -> tuple[np.ndarray, np.ndarray]:
    """Return the scale of each track's increments and the distance of its place, in model units."""
    transform, network = model.preprocessor.transform, model.network
    continuous = np.ones(transform.dim, bool)
    if not network.supervised:
        continuous = np.array(network.observation.continuous)
    is_increment, standard = transform.is_increment, transform.standardise
    assert standard is not None
    mean, scale = np.array(standard.mean), np.array(standard.scale)
    usual = np.sqrt(mean**2 + scale**2)  # root mean square of the training
    usable = model.usable(tracks)
    moves, places = np.zeros(len(tracks)), np.zeros(len(tracks))
    for start in range(0, len(usable.index), AT_ONCE):
        part = usable.tracks[start : start + AT_ONCE]
        lengths, index = part.lengths, usable.index[start : start + AT_ONCE]
        encoded, _ = transform.encode(pad(part.x, int(lengths.max()), np.nan), lengths)
        values = np.ma.masked_invalid(encoded.values)
        if (kind := is_increment & continuous).any():
            size = (values * scale + mean)[..., kind] / usual[kind]
            moves[index] = np.ma.filled(np.ma.sqrt(np.ma.mean(size**2, axis=(1, 2))), 0.0)
        if (kind := ~is_increment & continuous).any():
            middle = np.abs(np.ma.median(values[..., kind], axis=1))
            places[index] = np.ma.filled(np.ma.max(middle, axis=1), 0.0)
    return moves, places


def _named(tracks: Tracks, places: np.ndarray) -> str:
    """Return a number of tracks with the ids of the first."""
    ids = [tracks.ids[i] for i in places[:NAMED]]
    more = ", ..." if len(places) > NAMED else ""
    return f"{plural(len(places), 'track')} ({', '.join(ids)}{more})"
