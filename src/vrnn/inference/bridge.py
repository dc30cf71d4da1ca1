"""Bridges over gaps: potentials that favour particles inside a gap by where they are likely to come out of it."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.inference.noise import Noise
from vrnn.inference.particles import FilterStep
from vrnn.inference.resampling import take
from vrnn.models.contract import Model

FREEDOM = 4.0  # degrees of freedom: heavy tails, so that a bridge misjudged shuts no particle out


class Bridge(NamedTuple):
    """Hold, for each missing row, what a particle's recent draws foretell of the next observation.

    psi_t = Student-t( x_next - gap_t ; W_t (x_t, x_{t-1}, 1), S_t ),   1 at all other rows

    A filter that multiplies its weights by psi_t / psi_{t-1} has the same target and the same estimate of the likelihood, in
    expectation, whatever psi is: by the row at which the track is seen again all of it has been divided out.

    Attributes:
        weight: (batch, time, feature, dim), of the continuous dimensions.
        precision: inverse of S_t, (batch, time, dim, dim).
        target: x_next, (batch, time, dim).
        inside: missing rows with an observed one to come, (batch, time).
        columns: the continuous dimensions.
    """

    weight: Float[Tensor, "batch time feature dim"]
    precision: Float[Tensor, "batch time dim dim"]
    target: Float[Tensor, "batch time dim"]
    inside: Bool[Tensor, "batch time"]
    columns: list[int]

    def rows(self, index: Int[Tensor, " rows"]) -> "Bridge":
        """Select sequences."""
        return Bridge(
            self.weight[index], self.precision[index], self.target[index], self.inside[index], self.columns
        )

    def log_potential(
        self,
        t: int,
        x: Float[Tensor, "sample batch dim"],
        before: Float[Tensor, "sample batch dim"],
        gap: Float[Tensor, "sample batch dim"],
    ) -> Float[Tensor, "sample batch"]:
        """Give log psi_t of particles that drew x_t after x_{t-1}; 0 where the row is no missing one."""
        said = torch.einsum("sbf,bfd->sbd", features(x, before, self.columns), self.weight[:, t])
        off = self.target[:, t] - gap[..., self.columns] - said
        squared = torch.einsum("sbd,bde,sbe->sb", off, self.precision[:, t], off)
        return torch.where(
            self.inside[:, t], -(FREEDOM + len(self.columns)) / 2 * torch.log1p(squared / FREEDOM), 0.0
        )


def features(x: Tensor, before: Tensor, columns: list[int]) -> Tensor:
    """Put (x_t, x_{t-1}, 1) side by side, of the continuous dimensions."""
    return torch.cat([x[..., columns], before[..., columns], torch.ones_like(x[..., :1])], -1)


def missing_inside(batch: Batch) -> Bool[Tensor, "batch time"]:
    """Tell the rows without any entry that an observed row of the same sequence follows."""
    later = batch.mask.flip(-1).cumsum(-1).flip(-1) > 0
    return ~batch.mask & later & batch.alive


def build_bridge(
    model: Model,
    batch: Batch,
    noise: Noise,
    known: Float[Tensor, "batch time known"],
    steps: Iterable[FilterStep],
) -> Bridge:
    """Learn bridges from a filter that crosses the gaps blindly: by weighted least squares over its particles, row by row.

    What a particle foretells of the first row after a gap is drawn with a latent from the prior: one from the posterior has
    been told.

    Args:
        noise: of that filter.
        known: features of the inputs.
        steps: of that filter. Inside a gap nothing is weighed, so that particles keep their places from row to row; where
            a gap begins in the first rows and a code is weighed there, a row may lose its bridge's sharpness, no more.
    """
    columns = [i for i, continuous in enumerate(model.family.continuous) if continuous]
    xs, befores, gaps, foretold, weights = [], [], [], [], []
    for t, record in enumerate(steps):
        step, lead = record.step, record.before.gap.shape[:2]
        befores.append(take(xs[-1], record.ancestor) if xs else torch.zeros_like(step.gap))
        xs.append(step.x.expand(*lead, -1))
        gaps.append(step.gap)
        weights.append(record.belief.log_weight.exp())
        if step.emission is None:
            foretold.append(torch.zeros_like(step.gap))
            continue
        blind = model.prior(step.entering, known[:, t]).sample(noise.latent[:, :, t])
        emission = model.emission(model.with_latent(step.entering, blind), known[:, t])
        foretold.append(record.before.gap + emission.sample(noise.observation[:, :, t]))
    x, before, gap, said = (
        torch.stack(part, 2)[..., columns].double() for part in (xs, befores, gaps, foretold)
    )
    weight = torch.stack(weights, 2).double()
    time = torch.arange(x.shape[2], device=x.device)
    seen = torch.where(batch.mask, time, x.shape[2] - 1)
    following = seen.flip(-1).cummin(-1).values.flip(-1)  # the next observed row
    index = following[None, ..., None].expand_as(said)
    y = said.gather(2, index) - gap
    phi = features(x, before, list(range(len(columns))))
    phi_w = phi * weight[..., None]
    gram = torch.einsum("sbtf,sbtg->btfg", phi_w, phi)
    gram = gram + 1e-6 * (1 + gram.diagonal(dim1=-2, dim2=-1).sum(-1))[..., None, None] * torch.eye(
        phi.shape[-1]
    ).to(gram)
    solved = torch.linalg.solve(gram, torch.einsum("sbtf,sbtd->btfd", phi_w, y))
    off = y - torch.einsum("sbtf,btfd->sbtd", phi, solved)
    spread = torch.einsum("sbt,sbtd,sbte->btde", weight, off, off)
    trace = spread.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    spread = spread + (1e-4 * trace + 1e-8) * torch.eye(len(columns)).to(spread)
    chosen = following[..., None].expand(-1, -1, len(columns))
    target, there = (part[..., columns].gather(1, chosen) for part in (batch.x, batch.present))
    precision = masked_inverse(spread, there)
    return Bridge(solved.to(batch.x), precision.to(batch.x), target, missing_inside(batch), columns)


def masked_inverse(
    spread: Float[Tensor, "*lead dim dim"], there: Bool[Tensor, "*lead dim"]
) -> Float[Tensor, "*lead dim dim"]:
    """Invert the part of a covariance that is there; rows and columns of the rest are 0.

    >>> masked_inverse(torch.tensor([[2.0, 1.0], [1.0, 2.0]]), torch.tensor([True, False]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.0000]])
    """
    both = there[..., :, None] & there[..., None, :]
    unit = torch.eye(spread.shape[-1]).to(spread)
    return torch.where(both, torch.linalg.inv(torch.where(both, spread, unit)), 0.0)
