"""The energy score of futures that a model draws itself: what makes it good at going on alone, which no bound asks for."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.inference.begin import begin
from vrnn.inference.noise import Noise, draw_noise
from vrnn.kernels import Kernel, imagine
from vrnn.models.contract import Model

SMALLEST = 1e-6  # added to squared distances, in model units: the norm has no gradient at 0


class Future(NamedTuple):
    """Hold sequences cut in two, and the noise to go through the first part and to draw the second.

    Attributes:
        prefix, rest: the parts, the rests moved to begin at row 0.
        past, ahead: standard normals of each.
    """

    prefix: Batch
    rest: Batch
    past: Noise
    ahead: Noise

    def rows(self, index: slice) -> "Future":
        """Select sequences."""
        return Future(
            self.prefix.rows(index),
            self.rest.rows(index),
            self.past.rows(index),
            self.ahead.rows(index),
        )

    @property
    def scored(self) -> Bool[Tensor, "batch time"]:
        """Rows whose score is taken: those with all entries observed, kinds among them, as a vector has no score without."""
        return self.rest.present.all(-1)


def cut_future(
    model: Model,
    batch: Batch,
    generator: torch.Generator,
    *,
    samples: int,
    rows: int,
    observe: int | None = None,
) -> Future:
    """Cut every sequence where its future begins, and draw the noise for it.

    Args:
        samples: futures of each sequence.
        rows: of the future, at most.
        observe: rows of the batch before the future; where None, each sequence is cut at random, uniformly over its rows after the first.
    """
    prefix, rest = cut_rows(batch, generator, rows=rows, observe=observe)
    return draw_future(model, prefix, rest, generator, samples=samples)


def cut_rows(
    batch: Batch, generator: torch.Generator, *, rows: int, observe: int | None
) -> tuple[Batch, Batch]:
    """Cut every sequence where its future begins, (prefix, rest); arguments as of `cut_future`."""
    if observe is None:
        room = (batch.length - 1).clamp(min=1).cpu()
        cut = 1 + (torch.rand(len(room), generator=generator) * room).long().clamp(max=room - 1)
    else:
        cut = torch.full((len(batch.x),), observe)
    prefix, rest = batch.split_at(cut.to(batch.length))
    return prefix, rest.split(rows)[0]


def draw_future(
    model: Model, prefix: Batch, rest: Batch, generator: torch.Generator, *, samples: int
) -> Future:
    """Draw the noise for sequences that have been cut."""
    past, ahead = (
        draw_noise(model, samples, len(part.x), part.x.shape[1], generator)
        for part in (prefix, rest)
    )
    return Future(prefix, rest, past, ahead)


def futures_score(
    model: Model,
    future: Future,
    scale: Float[Tensor, " dim"] | None = None,
    *,
    kernel: Kernel = "auto",
) -> Float[Tensor, "batch time"]:
    """Score the rows of futures that the model draws alone, each row by the fair energy score of its marginal distribution.

        S_t = 1/M sum_k || X_k,t - y_t ||  -  1/(2 M (M-1)) sum_{j,k} || X_j,t - X_k,t ||,   || d || = sqrt(d^2 + 1e-6)

    least in expectation for the true distribution. In the dimensions that are `is_increment` X and y are the means of the increments from the
    beginning of the future to row t, so that the error of a position counts in steps of the way there. Gradients go through the prefix and
    the draws as these were made. A choice among finitely many, of a mixture's component or a column of kinds, has none, so that with such an
    emission the gradient is not that of the expected score: what a choice does to it counts for nothing. Needs two samples.

    Args:
        future: sequences cut in two, with the noise of M samples.
        scale: what each dimension is multiplied by, 0 to leave it out.
        kernel: of the pass through the prefix, see `vrnn.kernels.unroll`.

    Returns:
        in model units times the scale; 0 on rows with a missing entry.

    Source: Gneiting and Raftery 2007, "Strictly proper scoring rules", eq. 22, and Ferro 2014 for the fair form; of whole paths it is
    `vrnn.metrics.scores.energy_score`.
    """
    rest = future.rest
    if not rest.x.shape[1]:  # no sequence of the batch is long enough
        return rest.x.new_zeros(len(rest.x), 0)
    belief = begin(model, future.prefix, future.past, kernel=kernel)
    free: Kernel = "plain" if kernel == "plain" else "auto"  # the native one has no gradients
    drawn = imagine(model, belief, rest.u, future.ahead, kernel=free).x
    unit = drawn.new_ones(drawn.shape[-1]) if scale is None else scale
    samples = _ways(drawn, belief.gap, rest.is_increment) * unit
    truth = _ways(rest.x, torch.zeros_like(rest.x[:, 0]), rest.is_increment) * unit
    count = len(samples)
    error = _norm(samples - truth).mean(0)
    spread = sum(
        (_norm(samples - samples.roll(k, 0)).sum(0) for k in range(1, count)),
        torch.zeros_like(error),
    )
    return torch.where(future.scored, error - spread / (2 * count * (count - 1)), 0.0)


def positions(
    x: Float[Tensor, "*lead time dim"],
    before: Float[Tensor, "*lead dim"],
    is_increment: Bool[Tensor, " dim"],
) -> Float[Tensor, "*lead time dim"]:
    """Sum increments from the beginning, `before` being what was drawn before it in the same gap; other dimensions stay."""
    return torch.where(is_increment, before[..., None, :] + x.cumsum(-2), x)


def _ways(
    x: Float[Tensor, "*lead time dim"],
    before: Float[Tensor, "*lead dim"],
    is_increment: Bool[Tensor, " dim"],
) -> Float[Tensor, "*lead time dim"]:
    """Turn increments into their means from the beginning."""
    steps = torch.arange(1, x.shape[-2] + 1, device=x.device, dtype=x.dtype)[:, None]
    return positions(x, before, is_increment) / torch.where(is_increment, steps, 1.0)


def _norm(difference: Float[Tensor, "*lead dim"]) -> Float[Tensor, "*lead"]:
    return (difference.square().sum(-1) + SMALLEST).sqrt()
