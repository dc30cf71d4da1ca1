"""The standard error of a mean over values that come in clusters, as windows do in tracks."""

import numpy as np
from jaxtyping import Float, Int


def clustered_error(
    values: Float[np.ndarray, " count"], cluster: Int[np.ndarray, " count"]
) -> float:
    """Return the standard error of the mean of values that depend on each other within clusters.

        se^2 = G / (G - 1) sum_g ( sum_{i in g} (x_i - mean) )^2 / n^2

    Args:
        values: the values x, (count,).
        cluster: the cluster of each, any whole numbers, (count,).

    Returns:
        The standard error, in the units of the values; infinity for a single cluster, which says
        nothing about others.

    Source: Liang & Zeger 1986, "Longitudinal data analysis using generalized linear models".

    >>> x = np.array([1.0, 1.0, 3.0, 3.0])  # two clusters of equal values: two values
    >>> clustered_error(x, np.array([0, 0, 1, 1])), clustered_error(x, np.zeros(4, int))
    (1.0, inf)
    """
    _, index = np.unique(cluster, return_inverse=True)
    sums = np.bincount(index, weights=values - values.mean())
    if len(sums) < 2:
        return float("inf")
    return float(np.sqrt(len(sums) / (len(sums) - 1) * (sums**2).sum()) / len(values))
