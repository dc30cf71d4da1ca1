"""Resampling: particles drawn again by their weights, so that few of them do not carry it all."""

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vrnn.inference.step import Belief

THRESHOLD = (
    0.5  # effective sample size, as a share of the particles, under which they are resampled
)
Scheme = Literal["systematic", "multinomial"]


def normalize_weights(
    log_weight: Float[Tensor, "sample batch"], gain: Float[Tensor, "sample batch"]
) -> tuple[Float[Tensor, " batch"], Float[Tensor, "sample batch"]]:
    """Return log sum_i w_i a_i, and the new weights.

    The weights are equal where no particle is left any.

    >>> log_prob, log_weight = normalize_weights(torch.tensor([[0.5], [0.5]]).log(), torch.tensor([[1.0], [3.0]]).log())
    >>> round(log_prob.exp().item(), 4), log_weight.exp().flatten()
    (2.0, tensor([0.2500, 0.7500]))
    """
    joint = log_weight + gain
    if len(joint) == 1:
        return joint[0], torch.zeros_like(joint)
    log_prob = joint.logsumexp(0)
    alive = log_prob > -torch.inf
    return log_prob, torch.where(alive, joint - log_prob, -math.log(len(joint)))


def effective_size(log_weight: Float[Tensor, "sample batch"]) -> Float[Tensor, " batch"]:
    """Return 1 / sum_i w_i^2 for weights that add up to 1."""
    return (-(2 * log_weight.detach()).logsumexp(0)).exp()


def resample(
    belief: Belief,
    normals: Float[Tensor, "sample batch"] | None,
    threshold: float,
    scheme: Scheme = "systematic",
    alive: Bool[Tensor, " batch"] | None = None,
    keep: bool = False,
) -> tuple[Belief, Int[Tensor, "sample batch"], Float[Tensor, " batch"]]:
    """Return a belief whose particles are drawn again where the effective sample size is low.

    It is low under `threshold` N. The draw is by weight.

    Args:
        normals: standard normals; the systematic scheme uses the first particle's alone. None: no
            resampling.
        alive: sequences that may be resampled.
        keep: leave the first particle in its place.

    Returns:
        the belief, with equal weights where resampled; the ancestors; and the log-probability of
        the choices.
    """
    count, size = belief.log_weight.shape
    nothing = belief.log_weight.new_zeros(size)
    if count == 1:
        return belief, torch.zeros(1, size, dtype=torch.long, device=nothing.device), nothing
    here = torch.arange(count, device=nothing.device)[:, None].expand(count, size)
    unchanged = belief, here, nothing
    if normals is None:
        return unchanged
    low = effective_size(belief.log_weight) < threshold * count
    low = low if alive is None else low & alive
    if not bool(low.any()):
        return unchanged
    ancestor = draw_ancestors(belief.log_weight.detach(), normals, scheme)
    if keep:
        ancestor = torch.cat([torch.zeros_like(ancestor[:1]), ancestor[1:]])
    ancestor = torch.where(low, ancestor, here)
    choice = torch.where(low, belief.log_weight.gather(0, ancestor)[int(keep) :].sum(0), 0.0)
    moved = belief.map(lambda s: s if s.dim() == 2 else take(s, ancestor))
    equal = torch.where(low, -math.log(count), belief.log_weight)
    return moved._replace(log_weight=equal), ancestor, choice


def take(
    values: Float[Tensor, "sample batch width"], ancestor: Int[Tensor, "drawn batch"]
) -> Float[Tensor, "drawn batch width"]:
    """Return particles of each sequence, as many as the index has.

    A value that all particles share has one.
    """
    if len(values) == 1:
        return values.expand(*ancestor.shape, -1)
    values = values.expand(-1, ancestor.shape[1], -1)
    return values.gather(0, ancestor[..., None].expand(*ancestor.shape, values.shape[-1]))


def draw_ancestors(
    log_weight: Float[Tensor, "sample batch"],
    normals: Float[Tensor, "#drawn batch"],
    scheme: Scheme,
    drawn: int | None = None,
) -> Int[Tensor, "drawn batch"]:
    """Return particles drawn by weight, as many as there are unless `drawn` says otherwise.

    systematic: the N points (i + u) / N, u uniform, looked up in the cumulative weights (Kitagawa
    1996). multinomial: N independent points.
    """
    count = len(log_weight) if drawn is None else drawn
    cumulative = log_weight.exp().cumsum(0).T.contiguous()
    uniform = torch.special.ndtr(normals).T
    if scheme == "systematic":
        steps = torch.arange(count, device=normals.device, dtype=normals.dtype)
        uniform = (steps + uniform[:, :1]) / count
    total = cumulative[:, -1:]
    points = torch.minimum(
        uniform * total, torch.nextafter(total, torch.zeros_like(total))
    )  # u rounds to 1
    return torch.searchsorted(cumulative, points.contiguous(), right=True).T
