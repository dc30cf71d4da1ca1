"""Twisting functions over gaps: they favour particles by where these are likely to leave the gap.

Source: Whiteley and Lee 2014, "Twisted particle filters"; Guarniero, Johansen and Lee 2017, "The
iterated auxiliary particle filter".
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions.base import Distribution
from vrnn.inference.flat import flatten, unflatten
from vrnn.inference.noise import Noise
from vrnn.inference.particle_filter import FilterStep
from vrnn.inference.random_numbers import Source, part, uniforms
from vrnn.inference.random_numbers import normals as draw_normals
from vrnn.inference.resampling import take
from vrnn.models.contract import Model

FITS = 8  # steps of expectation maximisation; the first is least squares
DRAWS = 32  # draws of a missing point that each particle chooses from
FREEDOM = 4.0  # degrees of freedom: with heavy tails a poor fit shuts no particle out


class TwistingFunction(NamedTuple):
    """psi_t: at each missing step, how well a particle's last draws predict the next observation.

    psi_t = Student-t( x_next - pending_t ; W_t (x_t, x_{t-1}, 1), S_t ),   1 at all other steps

    A filter that multiplies its weights by psi_t / psi_{t-1} has the same target, whatever psi is.
    Its estimate of the likelihood has the same expectation. By the next observed step all of psi
    has been divided out. `TwistedProposal` does so.

    Attributes:
        weight: (batch, time, feature, dim), of the continuous dimensions.
        precision: inverse of S_t, (batch, time, dim, dim).
        target: x_next, (batch, time, dim).
        there: how many of the dimensions of x_next are observed, (batch, time).
        inside: missing steps with an observed one to come, (batch, time).
        columns: the continuous dimensions.
    """

    weight: Float[Tensor, "batch time feature dim"]
    precision: Float[Tensor, "batch time dim dim"]
    target: Float[Tensor, "batch time dim"]
    there: Int[Tensor, "batch time"]
    inside: Bool[Tensor, "batch time"]
    columns: list[int]

    def sequences(self, index: Int[Tensor, " chosen"]) -> "TwistingFunction":
        """Return the function of some sequences."""
        return TwistingFunction(
            self.weight[index],
            self.precision[index],
            self.target[index],
            self.there[index],
            self.inside[index],
            self.columns,
        )

    def log_twist(
        self,
        t: int,
        x: Float[Tensor, "*draw sample batch dim"],
        before: Float[Tensor, "sample batch dim"],
        pending: Float[Tensor, "*draw sample batch dim"],
    ) -> Float[Tensor, "*draw sample batch"]:
        """Return log psi_t of particles that drew x_t after x_{t-1}.

        It is 0 at observed steps, and where no observed step is to come.
        """
        predicted = torch.einsum(
            "...bf,bfd->...bd", features(x, before, self.columns), self.weight[:, t]
        )
        off = self.target[:, t] - pending[..., self.columns] - predicted
        squared = (torch.einsum("...bd,bde->...be", off, self.precision[:, t]) * off).sum(-1)
        return torch.where(
            self.inside[:, t],
            -(FREEDOM + self.there[:, t]) / 2 * torch.log1p(squared / FREEDOM),
            0.0,
        )


class TwistedProposal:
    """The proposal of a twisted filter: each particle chooses among several draws of a missing point.

    x^1, ..., x^C ~ p(x_t | s_t),   x_t = x^c with probability psi_t(x^c) / sum_k psi_t(x^k)
    w_t = w_{t-1} / psi_{t-1}(x_{t-1}) 1/C sum_k psi_t(x^k) a_t

    A particle so chosen is properly weighted for p psi, as C particles that share their state would
    be together. It helps because a missing point between two others is known much better than the
    emission alone would draw it. The fixed path of a conditional filter is the first of its own C
    draws.

    Args:
        function: psi.
        source: of the further draws and the choices.
        draws: C.
    """

    def __init__(self, function: TwistingFunction, source: Source, draws: int = DRAWS):
        self.function, self.source, self.draws = function, source, draws
        self.log_twist = function.log_twist

    def draw(
        self,
        emission: Distribution,
        normals: Float[Tensor, "sample batch noise"],
        fixed: Float[Tensor, "batch dim"] | None,
        *,
        t: int,
        before: Float[Tensor, "sample batch dim"],
        pending: Float[Tensor, "sample batch dim"],
        unseen: Bool[Tensor, "batch dim"],
    ) -> tuple[Float[Tensor, "sample batch dim"], Float[Tensor, "sample batch"]]:
        """Return the chosen draw of each particle, and the log-weight that goes with the choice.

        Only one draw is made where no sequence of the batch is in a gap. The log-weight is that of
        the draws together in place of the chosen one, log 1/C sum_k psi_t(x^k) - log psi_t(x^c).
        """
        drawn = emission.sample(normals)
        drawn = drawn if fixed is None else torch.cat([fixed[None], drawn[1:]])
        if not bool(self.function.inside[:, t].any()):
            return drawn, drawn.new_zeros(drawn.shape[:2])
        source, (samples, count, width) = part(self.source, t), normals.shape
        more = draw_normals(source, (self.draws - 1) * samples, count, width).to(normals)
        more = more.unflatten(0, (self.draws - 1, samples))
        drawn = torch.cat([drawn[None], emission.sample(more)])
        value = self.function.log_twist(t, drawn, before, torch.where(unseen, pending + drawn, 0.0))
        uniform = uniforms(part(source, 0), samples, count).to(value)
        chosen = (
            (value.softmax(0).cumsum(0) < uniform).sum(0, keepdim=True).clamp(max=self.draws - 1)
        )
        if fixed is not None:
            chosen[:, 0] = 0
        log_chosen = value.logsumexp(0) - math.log(self.draws) - value.gather(0, chosen)[0]
        return drawn.gather(0, chosen[..., None].expand(1, *drawn.shape[1:]))[0], log_chosen


def features(x: Tensor, before: Tensor, columns: list[int]) -> Tensor:
    """Return (x_t, x_{t-1}, 1) side by side, of the continuous dimensions."""
    before = before[..., columns].expand(*x.shape[:-1], -1)
    return torch.cat([x[..., columns], before, torch.ones_like(x[..., :1])], -1)


def missing_inside(batch: Batch) -> Bool[Tensor, "batch time"]:
    """Return the steps without any entry that an observed step of the same sequence follows."""
    later = batch.mask.flip(-1).cumsum(-1).flip(-1) > 0
    return ~batch.mask & later & batch.in_sequence


def fit_twisting_function(
    model: Model,
    batch: Batch,
    noise: Noise,
    steps: Iterable[FilterStep],
) -> TwistingFunction:
    """Return a twisting function fitted to a filter that crosses the gaps.

    The fit is by maximum likelihood over the weighted particles, step by step. What a particle
    predicts of the first step after a gap is drawn with a latent from the prior, since the
    posterior has read that step. A function fitted to a filter without one fits everywhere. Fitted
    again to a filter that it has twisted, it fits where it matters.

    Args:
        noise: of that filter.
        steps: of that filter.
    """
    columns = [i for i, continuous in enumerate(model.observation.continuous) if continuous]
    xs, befores, pendings, predictions, weights, ancestors = [], [], [], [], [], []
    for t, record in enumerate(steps):
        step, (samples, count) = record.step, record.before.pending.shape[:2]
        lead = (samples, count)
        befores.append(take(xs[-1], record.ancestor) if xs else torch.zeros_like(step.pending))
        xs.append(step.x.expand(*lead, -1))
        pendings.append(step.pending)
        weights.append(record.before.log_weight.exp())
        ancestors.append(record.ancestor)
        if step.emission is None:
            predictions.append(torch.zeros_like(step.pending))
            continue
        prior = step.prior
        if prior is None:
            prior = unflatten(model.prior(step.entering), lead)
        state = step.entering
        if model.latent.dim:
            blind = prior.sample(noise.latent[:, :, t])
            state = model.with_latent(state, flatten(blind, lead))
        emission = unflatten(model.emission(state), lead)
        predictions.append(record.before.pending + emission.sample(noise.observation[:, :, t]))
    x, before, pending, predicted = (
        torch.stack(part, 2)[..., columns].double() for part in (xs, befores, pendings, predictions)
    )
    weight, ancestor = torch.stack(weights, 2).double(), torch.stack(ancestors, 2)
    time = torch.arange(x.shape[2], device=x.device)
    seen = torch.where(batch.mask, time, x.shape[2] - 1)
    following = seen.flip(-1).cummin(-1).values.flip(-1)  # the next observed step
    index = following[None].expand_as(weight)
    place = next_ancestors(ancestor, batch.mask)
    x, before, pending = (
        part.gather(0, place[..., None].expand_as(part)) for part in (x, before, pending)
    )
    y, weight = (
        predicted.gather(2, index[..., None].expand_as(predicted)) - pending,
        weight.gather(2, index),
    )
    phi = features(x, before, list(range(len(columns))))
    solved, spread = fit_student(phi, y, weight)
    chosen = following[..., None].expand(-1, -1, len(columns))
    target, there = (part[..., columns].gather(1, chosen) for part in (batch.x, batch.present))
    precision = masked_inverse(spread, there)
    inside = missing_inside(batch)
    return TwistingFunction(
        solved.to(batch.x), precision.to(batch.x), target, there.sum(-1), inside, columns
    )


def fit_student(
    phi: Float[Tensor, "sample batch time feature"],
    y: Float[Tensor, "sample batch time dim"],
    weight: Float[Tensor, "sample batch time"],
) -> tuple[Float[Tensor, "batch time feature dim"], Float[Tensor, "batch time dim dim"]]:
    """Return W and S of y ~ Student-t(W phi, S) with `FREEDOM` degrees of freedom.

    The fit to weighted samples is by expectation maximisation from least squares.

    Source: Lange, Little and Taylor 1989, "Robust statistical modeling using the t distribution".
    """
    dim, trust = y.shape[-1], weight
    total = weight.sum(0)[..., None, None].clamp(min=1e-300)
    eye_features, eye = torch.eye(phi.shape[-1]).to(phi), torch.eye(dim).to(y)
    solved, spread = phi.new_zeros(*phi.shape[1:], dim), eye
    for _ in range(FITS):
        phi_w = phi * trust[..., None]
        gram = torch.einsum("sbtf,sbtg->btfg", phi_w, phi)
        ridge = 1e-6 * (1 + gram.diagonal(dim1=-2, dim2=-1).sum(-1))[..., None, None]
        solved = torch.linalg.solve(
            gram + ridge * eye_features, torch.einsum("sbtf,sbtd->btfd", phi_w, y)
        )
        off = y - torch.einsum("sbtf,btfd->sbtd", phi, solved)
        spread = torch.einsum("sbt,sbtd,sbte->btde", trust, off, off) / total
        trace = spread.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
        spread = spread + (1e-4 * trace + 1e-8) * eye
        squared = (torch.einsum("sbtd,btde->sbte", off, torch.linalg.inv(spread)) * off).sum(-1)
        trust = weight * (FREEDOM + dim) / (FREEDOM + squared)
    return solved, spread


def next_ancestors(
    ancestor: Int[Tensor, "sample batch time"], observed: Bool[Tensor, "batch time"]
) -> Int[Tensor, "sample batch time"]:
    """Return, for each particle of the next observed step, the place of its ancestor at a step.

    Where no observed step follows, the particles are those of the last step.

    >>> next_ancestors(torch.tensor([[[0, 1, 0]], [[1, 0, 0]]]), torch.tensor([[True, False, True]]))[:, 0].tolist()
    [[0, 0, 0], [1, 0, 1]]
    """
    own = torch.arange(len(ancestor), device=ancestor.device)[:, None].expand(ancestor.shape[:2])
    place, places = own, []
    for t in reversed(range(ancestor.shape[2])):
        places.append(torch.where(observed[:, t], own, place))
        place = ancestor[..., t].gather(0, places[-1])
    return torch.stack(places[::-1], 2)


def masked_inverse(
    spread: Float[Tensor, "*lead dim dim"], there: Bool[Tensor, "*lead dim"]
) -> Float[Tensor, "*lead dim dim"]:
    """Return the inverse of the part of a covariance that is there; the rest is 0.

    >>> masked_inverse(torch.tensor([[2.0, 1.0], [1.0, 2.0]]), torch.tensor([True, False]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.0000]])
    """
    both = there[..., :, None] & there[..., None, :]
    unit = torch.eye(spread.shape[-1]).to(spread)
    return torch.where(both, torch.linalg.inv(torch.where(both, spread, unit)), 0.0)
