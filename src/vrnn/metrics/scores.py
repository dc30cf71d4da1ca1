"""Proper scores of sampled forecasts: the true distribution has the least expected score."""

import numpy as np
import torch
from jaxtyping import Float

from vrnn.errors import ConfigError

PAIRS_AT_ONCE = 4_000_000
"""Pairwise distances held in memory at a time, 32 MB in float64."""


def energy_score(
    samples: Float[np.ndarray, "sample batch *shape"],
    truth: Float[np.ndarray, "batch *shape"],
    fair: bool = True,
) -> Float[np.ndarray, "batch"]:
    """Return the energy score of K sampled paths against the true one.

        ES = 1/K sum_k || X_k - y ||  -  1/(2 c) sum_{j,k} || X_j - X_k ||

    A path is one vector: the norm is over time and dimensions together. Paths that are right in
    each margin but not jointly therefore score worse.

    Args:
        samples: sampled paths (sample, batch, ...), with any axes after batch.
        truth: true paths (batch, ...).
        fair: the constant c. With True c = K (K - 1), an unbiased estimate for the sampled
            distribution, so that scores at different K compare. With False c = K^2, the score of
            the K points as a discrete distribution. It is biased upwards by E||X - X'|| / (2 K).
            Use it for chosen or weighted points, whose pairs are not random draws.

    Returns:
        Scores (batch,), in the units of the data; lower is better.

    Raises:
        ConfigError: the fair form with fewer than two samples.

    Source: Gneiting & Raftery 2007, "Strictly proper scoring rules", eq. 22; fair form: Ferro 2014,
    "Fair scores for ensemble forecasts".

    >>> samples = np.array([[[0.0, 0.0]], [[3.0, 4.0]]])  # two samples of one path, 5 apart
    >>> energy_score(samples, np.zeros((1, 2))).item()  # (0 + 5) / 2 - 5 / 2
    0.0
    >>> energy_score(samples, np.zeros((1, 2)), fair=False).item()  # (0 + 5) / 2 - 5 / 4
    1.25
    """
    count, batch = samples.shape[:2]
    if fair and count < 2:
        raise ConfigError(
            f"a fair score needs at least 2 samples, found {count}; "
            "draw more samples, or pass fair=False, "
            "which for one sample is its distance to the truth"
        )
    pairs = count * (count - 1) if fair else count**2
    points = (
        torch.from_numpy(np.ascontiguousarray(samples, np.float64))
        .reshape(count, batch, -1)
        .transpose(0, 1)
    )
    target = torch.from_numpy(np.ascontiguousarray(truth, np.float64)).reshape(batch, 1, -1)
    to_truth = torch.linalg.vector_norm(points - target, dim=-1).mean(dim=1)
    spread = torch.zeros(batch, dtype=torch.float64)
    tracks = max(1, PAIRS_AT_ONCE // count**2)
    rows = max(1, PAIRS_AT_ONCE // (count * tracks))
    for part, total in zip(points.split(tracks), spread.split(tracks), strict=True):
        for block in part.split(rows, dim=1):
            # This mode subtracts first, so that equal samples are exactly 0 apart.
            distance = torch.cdist(block, part, compute_mode="donot_use_mm_for_euclid_dist")
            total += distance.sum(dim=(1, 2))
    return (to_truth - spread / (2 * pairs)).numpy()
