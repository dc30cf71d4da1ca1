"""Proper scores of a forecast given as samples: least in expectation for the true distribution."""

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
    """Score K sampled paths against the true one, the whole path as one vector.

        ES = 1/K sum_k || X_k - y ||  -  1/(2 c) sum_{j,k} || X_j - X_k ||

    `fair`: c = K (K - 1), an unbiased estimate of the score of the distribution that was sampled, so values
    at different K compare. Otherwise c = K^2, the score of the K points themselves as a discrete
    distribution, biased upwards by E||X - X'|| / (2 K); take it for chosen or weighted points, whose pairs
    are no random draws. The norm is over time and dimensions together, so a path that is right in each margin
    but not jointly costs.

    Args:
        samples: (sample, batch, ...), with any axes after batch.
        truth: (batch, ...).
        fair: which of the two forms.

    Returns:
        (batch,), in the units of the data; lower is better.

    Raises:
        ConfigError: the fair form needs two samples.

    Source: Gneiting & Raftery 2007, "Strictly proper scoring rules", eq. 22; fair form: Ferro 2014,
    "Fair scores for ensemble forecasts".

    >>> samples = np.array([[[0.0, 0.0]], [[3.0, 4.0]]])           # two samples of one path, 5 apart
    >>> energy_score(samples, np.zeros((1, 2))).item()             # (0 + 5) / 2 - 5 / 2
    0.0
    >>> energy_score(samples, np.zeros((1, 2)), fair=False).item() # (0 + 5) / 2 - 5 / 4
    1.25
    """
    count, batch = samples.shape[:2]
    pairs = _pairs(count, fair)
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
            # The plain mode takes differences first: coincident samples are exactly 0 apart.
            distance = torch.cdist(block, part, compute_mode="donot_use_mm_for_euclid_dist")
            total += distance.sum(dim=(1, 2))
    return (to_truth - spread / (2 * pairs)).numpy()


def crps(
    samples: Float[np.ndarray, "sample *shape"],
    truth: Float[np.ndarray, "*shape"],
    fair: bool = True,
) -> Float[np.ndarray, "*shape"]:
    """Score samples of each number on its own: the continuous ranked probability score, entry by entry.

        CRPS = 1/K sum_k |X_k - y|  -  1/(2 c) sum_{j,k} |X_j - X_k|,    c = K (K - 1) if fair else K^2

    It sees margins only; for joint paths read `energy_score`, of which it is the case of one dimension.

    Args:
        samples: (sample, ...).
        truth: (...).
        fair: as in `energy_score`.

    Returns:
        (...), in the units of the data; lower is better.

    Source: Gneiting & Raftery 2007, eq. 21; the sum over pairs by sorting, O(K log K).

    >>> crps(np.array([[1.0], [3.0]]), np.array([2.0]), fair=False).tolist()   # 1 - 2 / 4
    [0.5]
    """
    count = len(samples)
    pairs = _pairs(count, fair)
    rank = 2.0 * np.arange(1, count + 1) - count - 1
    # sum_{j,k} |X_j - X_k| = 2 sum_i (2 i - K - 1) X_(i) over the sorted samples
    half_spread = np.tensordot(rank, np.sort(samples, axis=0), axes=1) / pairs
    return np.asarray(np.abs(samples - truth).mean(axis=0) - half_spread)


def _pairs(count: int, fair: bool) -> int:
    if fair and count < 2:
        raise ConfigError(
            f"a fair score needs at least 2 samples, found {count}; draw more samples or pass fair=False, "
            "which for one sample is its distance to the truth"
        )
    return count * (count - 1) if fair else count**2
