"""The energy score of futures that a model draws itself.

It makes a model good at going on alone, which no bound asks for.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.inference.noise import Noise, draw_noise
from vrnn.inference.rollout import condition, rollout
from vrnn.models.contract import Model

SMALLEST = 1e-6  # added to squared distances, in model units: the norm has no gradient at 0


class Future(NamedTuple):
    """Sequences cut in two, and the noise for both parts.

    Attributes:
        prefix, rest: the parts; the rests are moved to begin at time step 0.
        past, ahead: standard normals of each.
    """

    prefix: Batch
    rest: Batch
    past: Noise
    ahead: Noise

    def sequences(self, index: slice) -> "Future":
        """Return the futures of some sequences."""
        return Future(
            self.prefix.sequences(index),
            self.rest.sequences(index),
            self.past.sequences(index),
            self.ahead.sequences(index),
        )

    @property
    def scored(self) -> Bool[Tensor, "batch time"]:
        """Return the time steps that are scored: those with all entries observed."""
        return self.rest.present.all(-1)


def cut_future(
    model: Model,
    batch: Batch,
    generator: torch.Generator,
    *,
    samples: int,
    steps: int,
    observe: int | None = None,
) -> Future:
    """Return every sequence cut where its future begins, with the noise for it.

    Args:
        samples: futures of each sequence.
        steps: time steps of the future, at most.
        observe: time steps before the future. Where it is None, each sequence is cut at random,
            uniformly over its steps after the first.
    """
    prefix, rest = cut_at(batch, generator, steps=steps, observe=observe)
    return draw_future(model, prefix, rest, generator, samples=samples)


def cut_at(
    batch: Batch, generator: torch.Generator, *, steps: int, observe: int | None
) -> tuple[Batch, Batch]:
    """Return every sequence cut where its future begins, (prefix, rest); see `cut_future`."""
    if observe is None:
        room = (batch.length - 1).clamp(min=1).cpu()
        cut = 1 + (torch.rand(len(room), generator=generator) * room).long().clamp(max=room - 1)
    else:
        cut = torch.full((len(batch.x),), observe)
    prefix, rest = batch.split_at(cut.to(batch.length))
    return prefix, rest.split(steps)[0]


def draw_future(
    model: Model, prefix: Batch, rest: Batch, generator: torch.Generator, *, samples: int
) -> Future:
    """Return sequences that have been cut with the noise for both parts."""
    past, ahead = (
        draw_noise(model, samples, len(part.x), part.x.shape[1], generator)
        for part in (prefix, rest)
    )
    return Future(prefix, rest, past, ahead)


def energy_loss(
    model: Model, future: Future, scale: Float[Tensor, " dim"] | None = None
) -> Float[Tensor, "batch time"]:
    """Return the fair energy score of each time step of futures that the model draws alone.

        S_t = 1/M sum_k || X_k,t - y_t ||  -  1/(2 M (M-1)) sum_{j,k} || X_j,t - X_k,t ||
        || d || = sqrt(d^2 + 1e-6)

    Each step is scored by its marginal distribution. The score is least in expectation for the
    true distribution. In the dimensions that are increments, X and y are the means of the
    increments from the beginning of the future to step t. The error of a position thus counts in
    steps of the way there.

    Gradients go through the prefix and the draws. A choice among finitely many has none, such as
    that of a mixture's component or of a class. With such an emission the gradient is not that of
    the expected score.

    Args:
        future: sequences cut in two, with the noise of M samples, at least two.
        scale: what each dimension is multiplied by, 0 to leave it out.

    Returns:
        scores in model units times the scale; 0 at steps with a missing entry.

    Source: Gneiting and Raftery 2007, "Strictly proper scoring rules", eq. 22, and Ferro 2014 for
    the fair form; of whole paths it is `vrnn.metrics.scores.energy_score`.
    """
    rest = future.rest
    if not rest.x.shape[1]:  # no sequence of the batch is long enough
        return rest.x.new_zeros(len(rest.x), 0)
    belief = condition(model, future.prefix, future.past)
    drawn = rollout(model, belief, rest.u, future.ahead).x
    unit = drawn.new_ones(drawn.shape[-1]) if scale is None else scale
    samples = _mean_increments(drawn, belief.pending, rest.is_increment) * unit
    truth = _mean_increments(rest.x, torch.zeros_like(rest.x[:, 0]), rest.is_increment) * unit
    count = len(samples)
    error = _norm(samples - truth).mean(0)
    spread = sum(
        (_norm(samples - samples.roll(k, 0)).sum(0) for k in range(1, count)),
        torch.zeros_like(error),
    )
    return torch.where(future.scored, error - spread / (2 * count * (count - 1)), 0.0)


def positions(
    x: Float[Tensor, "*lead time dim"],
    before: Float[Tensor, "*#lead dim"],
    is_increment: Bool[Tensor, " dim"],
) -> Float[Tensor, "*lead time dim"]:
    """Return the sums of increments from the beginning; other dimensions stay.

    Args:
        before: what was drawn before the beginning in the same gap.
    """
    return torch.where(is_increment, before[..., None, :] + x.cumsum(-2), x)


def _mean_increments(
    x: Float[Tensor, "*lead time dim"],
    before: Float[Tensor, "*#lead dim"],
    is_increment: Bool[Tensor, " dim"],
) -> Float[Tensor, "*lead time dim"]:
    """Return the means of increments from the beginning."""
    steps = torch.arange(1, x.shape[-2] + 1, device=x.device, dtype=x.dtype)[:, None]
    return positions(x, before, is_increment) / torch.where(is_increment, steps, 1.0)


def _norm(difference: Float[Tensor, "*lead dim"]) -> Float[Tensor, "*lead"]:
    return (difference.square().sum(-1) + SMALLEST).sqrt()
