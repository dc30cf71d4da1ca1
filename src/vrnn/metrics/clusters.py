"""A few paths in place of many sampled ones: k-means, without the true future."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vrnn.errors import ConfigError, DataError

ENTRIES_AT_ONCE = 16_000_000
"""Numbers held at a time, 128 MB in float64; larger batches are split into blocks of tracks."""


def cluster_paths(
    samples: Float[np.ndarray, "sample batch time dim"], k: int, seed: int = 0, iterations: int = 50
) -> tuple[Float[np.ndarray, "{k} batch time dim"], Float[np.ndarray, "{k} batch"]]:
    """Return the centres and weights of k clusters of each track's samples, by k-means.

        minimise  sum_s min_c || samples_s - centre_c ||^2
        weight_c = fraction of the samples that are nearest to centre c

    A sample is a whole path. The start is k-means++. Lloyd's iterations follow until no sample
    changes its centre. An empty cluster takes the sample farthest from its own centre. All tracks
    share the random numbers of the start, so that a track's result does not depend on the others.

    Args:
        samples: sampled paths (sample, batch, time, dim), at least k of them.
        k: clusters of each track.
        seed: seed of the start.
        iterations: most Lloyd iterations.

    Returns:
        Centres (k, batch, time, dim), in the units of the data, heaviest first. Weights (k, batch)
        sum to 1 over k; one is 0 where a track has fewer than k distinct samples.

    Raises:
        ConfigError: fewer samples than centres.
        DataError: samples that are not finite.

    Source: Lloyd 1982; Arthur & Vassilvitskii 2007, "k-means++: the advantages of careful seeding".

    >>> paths = np.array([0.0, 0.2, 0.1, 9.0]).reshape(4, 1, 1, 1)
    >>> centres, weights = cluster_paths(paths, k=2)
    >>> centres.round(3).ravel().tolist(), weights.ravel().tolist()
    ([0.1, 9.0], [0.75, 0.25])
    """
    count, batch, time, dim = samples.shape
    if not 1 <= k <= count:
        raise ConfigError(
            f"expected at least as many samples as clusters (k = {k}), found {count}; "
            "draw more samples"
        )
    if not np.isfinite(samples).all():
        raise DataError("expected finite samples, found NaN or infinity in the sampled paths")
    points = (
        torch.from_numpy(np.ascontiguousarray(samples, np.float64))
        .reshape(count, batch, -1)
        .transpose(0, 1)
    )
    # centred, so that products of large coordinates lose no digits
    origin = points.mean(dim=1, keepdim=True)
    draws = torch.from_numpy(np.random.default_rng(seed).random(k))
    blocks = (points - origin).split(max(1, ENTRIES_AT_ONCE // (count * max(k, time * dim))))
    found = [_lloyd(block.contiguous(), _start(block, draws), iterations) for block in blocks]
    centres = torch.cat([centre for centre, _ in found]) + origin
    weights = torch.cat([weight for _, weight in found])
    weights, order = weights.sort(dim=1, descending=True, stable=True)
    centres = centres.gather(1, order[..., None].expand_as(centres))
    centres = centres.transpose(0, 1).reshape(k, batch, time, dim)
    return centres.numpy(), weights.T.contiguous().numpy()


def _start(
    points: Float[Tensor, "batch sample width"], draws: Float[Tensor, "k"]
) -> Float[Tensor, "batch k width"]:
    """Return centres of k-means++.

    Each next centre is drawn with probability proportional to its squared distance to the nearest
    one so far.
    """
    tracks = torch.arange(len(points))
    far = torch.ones(points.shape[:2], dtype=points.dtype)  # the first centre is uniform
    chosen: list[Tensor] = []
    for draw in draws:
        # If all samples coincide with centres, every distance is 0 and any sample is right.
        total = far.cumsum(dim=1)
        index = torch.searchsorted(total, draw * total[:, -1:], right=True).clamp_(
            max=points.shape[1] - 1
        )
        centre = points[tracks, index[:, 0]]
        distance = (points - centre[:, None]).square_().sum(dim=-1)
        far = torch.minimum(far, distance) if chosen else distance
        chosen.append(centre)
    return torch.stack(chosen, dim=1)


def _lloyd(
    points: Float[Tensor, "batch sample width"],
    centres: Float[Tensor, "batch k width"],
    iterations: int,
) -> tuple[Float[Tensor, "batch k width"], Float[Tensor, "batch k"]]:
    """Return centres at the means of their samples, and the fraction of samples of each."""
    count, k = points.shape[1], centres.shape[1]
    square = points.square().sum(dim=-1)
    nearest, distance = _assign(points, centres, square)
    for _ in range(iterations):
        member = torch.nn.functional.one_hot(nearest, k).to(points.dtype)
        size = member.sum(dim=1)
        means = member.transpose(1, 2) @ points / size[..., None]  # NaN where empty: not used
        centres = torch.where((size == 0)[..., None], _farthest(points, distance, size == 0), means)
        before = nearest
        nearest, distance = _assign(points, centres, square)
        if torch.equal(before, nearest):
            break
    return centres, torch.nn.functional.one_hot(nearest, k).sum(dim=1).to(points.dtype) / count


def _assign(
    points: Float[Tensor, "batch sample width"],
    centres: Float[Tensor, "batch k width"],
    square: Float[Tensor, "batch sample"],
) -> tuple[Int[Tensor, "batch sample"], Float[Tensor, "batch sample"]]:
    """Return each sample's nearest centre and its squared distance."""
    partial = torch.baddbmm(
        centres.square().sum(dim=-1)[:, None], points, centres.transpose(1, 2), alpha=-2.0
    )
    least, nearest = partial.min(dim=-1)
    return nearest, least + square


def _farthest(
    points: Float[Tensor, "batch sample width"],
    distance: Float[Tensor, "batch sample"],
    empty: Bool[Tensor, "batch k"],
) -> Float[Tensor, "batch k width"]:
    """Return the j-th farthest sample for the j-th empty cluster; other entries are not used."""
    order = distance.argsort(dim=1, descending=True, stable=True)
    place = (empty.cumsum(dim=1) - 1).clamp(min=0)
    index = order.gather(1, place)
    return points.gather(1, index[..., None].expand(-1, -1, points.shape[-1]))
