"""Distances between forecast and true paths."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""A distance of points (..., dim) from others, which broadcast: (...)."""


def euclidean(
    a: Float[np.ndarray, "*#batch dim"], b: Float[np.ndarray, "*#batch dim"]
) -> Float[np.ndarray, "..."]:
    """Return the distance between points of a plane or space, (...), in the units of the data.

    >>> euclidean(np.array([3.0, 4.0]), np.zeros(2)).item()
    5.0
    """
    return np.asarray(np.linalg.norm(a - b, axis=-1))


def average_displacement(
    pred: Float[np.ndarray, "*#batch time dim"],
    truth: Float[np.ndarray, "*#batch time dim"],
    distance: Distance = euclidean,
) -> Float[np.ndarray, "..."]:
    """Return the average displacement error (ADE), the mean distance over time.

        ADE = 1/T sum_t || pred_t - truth_t ||

    Args:
        pred: forecast paths (..., time, dim).
        truth: true paths (..., time, dim). Leading axes broadcast, so that truth (batch, time, dim)
            also fits samples (sample, batch, time, dim). A missing point makes the result NaN.
        distance: distance of points; `vrnn.geo.great_circle` for latitude and longitude.

    Returns:
        Errors (...), in the units of the distance.

    Source: Pellegrini et al. 2009, "You'll never walk alone"; Alahi et al. 2016, "Social LSTM".

    >>> average_displacement(np.array([[0.0, 0.0], [3.0, 4.0]]), np.zeros((2, 2))).item()
    2.5
    """
    return np.asarray(distance(pred, truth).mean(axis=-1))


def final_displacement(
    pred: Float[np.ndarray, "*#batch time dim"],
    truth: Float[np.ndarray, "*#batch time dim"],
    distance: Distance = euclidean,
) -> Float[np.ndarray, "..."]:
    """Return the final displacement error (FDE), the distance at the last time step.

        FDE = || pred_T - truth_T ||

    Shapes, units and sources are those of `average_displacement`.

    >>> final_displacement(np.array([[0.0, 0.0], [3.0, 4.0]]), np.zeros((2, 2))).item()
    5.0
    """
    return np.asarray(distance(pred[..., -1, :], truth[..., -1, :]))


def best_of(
    samples: Float[np.ndarray, "sample batch time dim"],
    truth: Float[np.ndarray, "batch time dim"],
    distance: Distance = euclidean,
) -> tuple[Float[np.ndarray, "batch"], Float[np.ndarray, "batch"]]:
    """Return the least ADE and the least FDE over samples.

        min_ade = min_k ADE(samples_k, truth),    min_fde = min_k FDE(samples_k, truth)

    The two minima may come from different samples. Both fall as samples are added, so only results
    of equal K compare.

    Args:
        samples: K sampled paths for each track (sample, batch, time, dim).
        truth: true paths (batch, time, dim).
        distance: distance of points.

    Returns:
        min_ade (batch,) and min_fde (batch,), in the units of the distance.

    Source: Gupta et al. 2018, "Social GAN" (best of K).

    >>> near_in_time, near_at_end = [[1.0], [1.0]], [[5.0], [0.0]]
    >>> ade, fde = best_of(np.array([[near_in_time], [near_at_end]]), np.zeros((1, 2, 1)))
    >>> ade.item(), fde.item()
    (1.0, 0.0)
    """
    ade = average_displacement(samples, truth, distance)
    return ade.min(axis=0), final_displacement(samples, truth, distance).min(axis=0)
