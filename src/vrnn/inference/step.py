"""One step of a model over a row of data, which every inference is made of: unroll, particle filter, online filtering."""

import math
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian
from vrnn.distributions.base import Distribution
from vrnn.errors import ConfigError
from vrnn.models.contract import Model, State
from vrnn.models.loops import PLAIN, Loops

Proposal = Literal["posterior", "prior"]
Draw = Callable[[Distribution, Tensor, Tensor | None], tuple[Tensor, Tensor]]
"""Draws from (emission, normals, the first particle's path), and the log-weight of how each was chosen."""


class Belief(NamedTuple):
    """Hold where a pass has come to: what `imagine`, a further `unroll` and a further `particle_filter` start from.

    Attributes:
        state: the model's state, tensors (sample, batch, .).
        gap: what the model has drawn itself since the last observed entry, in the is_increment dimensions, (sample, batch, dim).
        log_weight: log of each particle's weight, their sum being 1, (sample, batch). Particle filters change it;
            `unroll`, whose samples do not compete, hands on what it began with.
    """

    state: State
    gap: Float[Tensor, "sample batch dim"]
    log_weight: Float[Tensor, "sample batch"]

    def where(self, moved: Bool[Tensor, " batch"], other: "Belief") -> "Belief":
        """Take this belief of the sequences that have moved, the other one of the rest."""
        if bool(moved.all()):
            return self
        stay = lambda new, old: torch.where(moved.view(-1, *(1,) * (new.dim() - 2)), new, old)  # noqa: E731
        states = (stay(new, old) for new, old in zip(self.state, other.state, strict=True))
        return Belief(
            type(self.state)(*states),
            stay(self.gap, other.gap),
            stay(self.log_weight, other.log_weight),
        )

    def map(self, change) -> "Belief":
        """Apply a function to every tensor (sample, batch, ...)."""
        return Belief(
            type(self.state)(*(change(s) for s in self.state)),
            change(self.gap),
            change(self.log_weight),
        )


class Embedded(NamedTuple):
    """Hold what a model computes of a batch before the loop; see the contract for each."""

    known: Float[Tensor, "batch time known"]
    seen: Float[Tensor, "batch time seen"]
    evidence: Float[Tensor, "batch time evidence"]
    context: Float[Tensor, "batch context"]

    def steps(self, index: slice) -> "Embedded":
        """Select steps."""
        return self._replace(
            known=self.known[:, index], seen=self.seen[:, index], evidence=self.evidence[:, index]
        )

    def after(self, start: int) -> "Embedded":
        """Drop the first `start` steps."""
        return self.steps(slice(start, None))


class Row(NamedTuple):
    """Hold the data of one step.

    Attributes:
        known, seen, evidence: features of the step, (batch, .).
        x: observations, (batch, dim).
        present: where they are observed, (batch, dim).
        plain: every living sequence has all its entries, now and at the step before, so that nothing is drawn.
    """

    known: Float[Tensor, "batch known"]
    seen: Float[Tensor, "batch seen"]
    evidence: Float[Tensor, "batch evidence"]
    x: Float[Tensor, "batch dim"]
    present: Bool[Tensor, "batch dim"]
    plain: bool


class Path(NamedTuple):
    """Hold one path of each sequence: what a particle drew from its beginning to its end.

    Attributes:
        code: the global latent, (batch, code).
        latent: z_t, (batch, time, latent); at a single step (batch, latent).
        x: the observations as the particle received them, its own draws where missing, (batch, time, dim) or (batch, dim).
    """

    code: Float[Tensor, "batch code"]
    latent: Float[Tensor, "batch *time latent"]
    x: Float[Tensor, "batch *time dim"]


class Step(NamedTuple):
    """Record a step.

    Attributes:
        entering: the state that prior and posterior read.
        posterior: the distribution that the latent was drawn from.
        latent: the draw, (sample, batch, latent).
        emitting: the state that the emission reads.
        emission: the emission, where the step had to draw from it; else None.
        x: the observation as the model received it, (sample or 1, batch, dim).
        state, gap: of the belief after the step.
        log_chosen: log-weight of how the missing points were drawn, where not by the emission alone.
    """

    entering: State
    posterior: DiagonalGaussian
    latent: Float[Tensor, "sample batch latent"]
    emitting: State
    emission: Distribution | None
    x: Float[Tensor, "*sample batch dim"]
    state: State
    gap: Float[Tensor, "sample batch dim"]
    log_chosen: Float[Tensor, "sample batch"] | None = None


def embed(
    model: Model, batch: Batch, prefix: Batch | None = None, loops: Loops = PLAIN
) -> Embedded:
    """Compute everything that needs no recurrent state, for all t at once.

    Args:
        loops: what reads whole sequences.

    Raises:
        ConfigError: no prefix for a model that conditions on one; the batch itself would be the future it scores.
    """
    if model.conditions and prefix is None:
        raise ConfigError(
            "this model scores the future of a prefix: expected the prefix beside the batch, found none"
        )
    known = model.embed_inputs(batch.u)
    seen = model.embed_observations(batch.x, known)
    evidence = model.embed_evidence(batch.x, known, seen, batch, loops)
    context = embed_prefix(model, batch if prefix is None else prefix, loops)
    return Embedded(known, seen, evidence, context)


def embed_prefix(
    model: Model, prefix: Batch, loops: Loops = PLAIN
) -> Float[Tensor, "batch context"]:
    """Read a prefix that is given and not scored; width 0 for a model that does not condition."""
    if not model.conditions:
        return prefix.x.new_zeros(len(prefix.x), 0)
    x = torch.where(prefix.present, prefix.x, 0.0)  # the last point of a prefix may lack entries
    return model.embed_context(
        model.embed_observations(x, model.embed_inputs(prefix.u)), prefix, loops
    )


def rows(batch: Batch, embedded: Embedded, start: Belief) -> Iterator[Row]:
    """Go through the steps of a batch, from a belief that may have drawn observations itself."""
    plain = plain_rows(batch, start)
    parts = (embedded.known, embedded.seen, embedded.evidence, batch.x, batch.present)
    return (Row(*row) for row in zip(*(part.unbind(1) for part in parts), plain, strict=True))


def plain_rows(batch: Batch, start: Belief) -> list[bool]:
    """Tell at which rows every living sequence has all its entries, there and at the row before."""
    resumes = bool((start.gap != 0).any())
    whole = (batch.present | ~batch.alive[..., None]).all(-1).all(0).tolist()
    return [now and before for now, before in zip(whole, [not resumes, *whole[:-1]], strict=False)]


def start_belief(
    model: Model,
    code: Float[Tensor, "sample batch code"],
    context: Float[Tensor, "batch context"],
    dim: int,
) -> Belief:
    """Give the belief before the first step, its particles equally weighted."""
    lead = code.shape[:-1]
    gap, weight = code.new_zeros(*lead, dim), code.new_full(lead, -math.log(lead[0]))
    return Belief(model.initial_state(code, context), gap, weight)


def advance(
    model: Model,
    belief: Belief,
    row: Row,
    latent_normals: Float[Tensor, "sample batch latent"],
    observation_normals: Float[Tensor, "sample batch noise"] | None,
    batch: Batch,
    proposal: Proposal = "posterior",
    path: Path | None = None,
    draw: Draw | None = None,
) -> Step:
    """Take one step: input, latent, observation.

    At a missing entry the latent of a track without its point comes from the prior and the state receives a draw of the
    model's own emission. At the first entry observed after a gap, in the dimensions that are `is_increment`, the value is what
    remains of the increment after those draws, so that the track reconnects.

    Args:
        observation_normals: needed where the row is not plain.
        batch: what the row belongs to.
        path: what the first particle is made to draw, for a conditional particle filter.
        draw: how missing points are drawn, of what is observed later too; by the emission when omitted.
    """
    known, x, seen, gap = row.known, row.x, row.seen, belief.gap
    entering = model.with_input(belief.state, known)
    if row.plain and proposal == "posterior":
        posterior = model.posterior(entering, row.evidence, known)
    else:
        posterior = model.prior(entering, known)
    if not row.plain:
        x = torch.where(row.present, x - gap, 0.0)
        if proposal == "posterior" and not model.tied:
            evidence = row.evidence
            if not model.looks_ahead:
                evidence = model.embed_evidence(x, known, model.embed_observations(x, known), batch)
            posterior = choose(
                row.present.any(-1), model.posterior(entering, evidence, known), posterior
            )
    latent = _follow(posterior.sample(latent_normals), None if path is None else path.latent)
    emitting, emission, log_chosen = model.with_latent(entering, latent), None, None
    if not row.plain:
        emission = model.emission(emitting, known)
        assert observation_normals is not None, (
            "a row that is not plain needs normals for its draws"
        )
        fixed = None if path is None else path.x
        if draw is None:
            drawn = _follow(emission.sample(observation_normals), fixed)
        else:
            drawn, log_chosen = draw(emission, observation_normals, fixed)
        x = torch.where(row.present, x, drawn)
        gap = torch.where(batch.is_increment & ~row.present, gap + drawn, 0.0)
        seen = model.embed_observations(x, known)
    state = model.with_observation(emitting, seen)
    return Step(entering, posterior, latent, emitting, emission, x, state, gap, log_chosen)


def choose(
    mask: Bool[Tensor, " batch"], a: DiagonalGaussian, b: DiagonalGaussian
) -> DiagonalGaussian:
    """Take a where the mask is True, else b."""
    return DiagonalGaussian(*(torch.where(mask[:, None], s, t) for s, t in zip(a, b, strict=True)))


def _follow(
    drawn: Float[Tensor, "sample batch width"], path: Float[Tensor, "batch width"] | None
) -> Tensor:
    return drawn if path is None else torch.cat([path[None], drawn[1:]])


def stack_steps(steps: list) -> State:
    """Stack values of every step, tensors or NamedTuples of them, on a time axis before the last one."""
    if isinstance(steps[0], Tensor):
        same = all(s is steps[0] for s in steps)
        if same:
            return steps[0].unsqueeze(-2).expand(*steps[0].shape[:-1], len(steps), -1)
        return torch.stack(torch.broadcast_tensors(*steps), -2)
    return type(steps[0])(*(stack_steps(list(field)) for field in zip(*steps, strict=True)))


def stack_beliefs(beliefs: list[Belief]) -> Belief:
    """Stack the beliefs after every step, time behind the sequences."""
    return Belief(
        stack_steps([b.state for b in beliefs]),
        stack_steps([b.gap for b in beliefs]),
        torch.stack([b.log_weight for b in beliefs], -1),
    )


def last_belief(left: Belief, batch: Batch, start: Belief) -> Belief:
    """Gather the belief after each sequence's own last row, of those after every row; that of the start where it has none."""
    time = batch.x.shape[1]
    if not bool((batch.length < time).any()):
        return left.map(lambda steps: steps[:, :, -1])
    index = batch.length.clamp(min=1) - 1
    each = torch.arange(len(index), device=index.device)
    return left.map(lambda steps: steps[:, each, index]).where(batch.length > 0, start)
