"""The particle filter: samples that compete, their weights, and the estimate of the likelihood they give."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian
from vrnn.distributions.base import Distribution
from vrnn.inference.noise import Noise
from vrnn.inference.resampling import THRESHOLD, Scheme, effective_size, resample, take, weigh
from vrnn.inference.step import (
    Belief,
    Embedded,
    Path,
    Proposal,
    Row,
    Step,
    advance,
    embed,
    last_belief,
    rows,
    stack_beliefs,
    stack_steps,
    start_belief,
)
from vrnn.inference.unroll import code_laws
from vrnn.kernels.online import OnlineStep, online_step
from vrnn.models.contract import Model, no_latent


class Guide(Protocol):
    """Lead the particles of a filter through gaps; see `vrnn.inference.twisting.Guided`."""

    def draw(
        self,
        emission: Distribution,
        normals: Float[Tensor, "sample batch noise"],
        fixed: Float[Tensor, "batch dim"] | None,
        *,
        t: int,
        before: Float[Tensor, "sample batch dim"],
        gap: Float[Tensor, "sample batch dim"],
        unseen: Bool[Tensor, "batch dim"],
    ) -> tuple[Float[Tensor, "sample batch dim"], Float[Tensor, "sample batch"]]:
        """Draw the missing points of row t, and give the log-weight that goes with how each draw was chosen.

        Args:
            fixed: the draw of the first particle, of a conditional filter.
            before: x_{t-1}.
            gap: what was drawn since the last observed row, before this one.
            unseen: entries of the row that add to it.
        """
        ...

    def log_potential(
        self,
        t: int,
        x: Float[Tensor, "sample batch dim"],
        before: Float[Tensor, "sample batch dim"],
        gap: Float[Tensor, "sample batch dim"],
    ) -> Float[Tensor, "sample batch"]:
        """Give log psi_t of particles, 0 where nothing is foretold."""
        ...


class Led(NamedTuple):
    """Hold what a guided filter carries from row to row beside its belief: x_t and log psi_t of every particle."""

    x: Float[Tensor, "sample batch dim"]
    log_potential: Float[Tensor, "sample batch"]


class Filtered(NamedTuple):
    """Record a particle filter over a batch.

    Attributes:
        log_prob: log of the estimate of p(x_t | x_{<t}), (batch, time), 0 where nothing is observed. Their sum is the log of
            an unbiased estimate of p(x_{1:T}); the code's weight is in the first.
        effective: effective sample size 1 / sum_i w_i^2 after each step, (batch, time).
        ancestor: for each particle of a step, the index of its ancestor at the step before, (sample, batch, time).
        log_choice: log-probability of the ancestors that were drawn at a step, is_increment over particles, (batch, time).
        prior, posterior: p_t and the q_t that z_t was drawn from, over (sample, batch, time, latent).
        latent: z_t, (sample, batch, time, latent).
        code_prior, code_posterior, code: the laws of the global latent, over (batch, code), and what was drawn of it,
            (sample, batch, code).
        x: the observations as each particle received them, (sample, batch, time, dim).
        mask: steps at which something is observed, (batch, time).
        belief: weighted particles after each sequence's last row.
    """

    log_prob: Float[Tensor, "batch time"]
    effective: Float[Tensor, "batch time"]
    ancestor: Int[Tensor, "sample batch time"]
    log_choice: Float[Tensor, "batch time"]
    prior: DiagonalGaussian
    posterior: DiagonalGaussian
    latent: Float[Tensor, "sample batch time latent"]
    code_prior: DiagonalGaussian
    code_posterior: DiagonalGaussian
    code: Float[Tensor, "sample batch code"]
    x: Float[Tensor, "sample batch time dim"]
    mask: Bool[Tensor, "batch time"]
    belief: Belief


def first_belief(
    model: Model,
    batch: Batch,
    noise: Noise,
    embedded: Embedded,
    proposal: Proposal = "posterior",
    ratio_weight: float = 1.0,
    path: Path | None = None,
) -> tuple[Belief, DiagonalGaussian, DiagonalGaussian, Float[Tensor, "sample batch code"]]:
    """Give the belief before the first row, weighted by how the code was drawn, with the code's two laws and the code."""
    prior, posterior = code_laws(model, batch, embedded, proposal)
    code = posterior.sample(noise.code)
    code = code if path is None else torch.cat([path.code[None], code[1:]])
    start = start_belief(model, code, embedded.context, batch.x.shape[-1])
    ratio = ratio_weight * (prior.log_prob(code) - posterior.log_prob(code))
    return start._replace(log_weight=start.log_weight + ratio), prior, posterior, code


def particle_filter(
    model: Model,
    batch: Batch,
    noise: Noise,
    *,
    proposal: Proposal = "posterior",
    embedded: Embedded | None = None,
    start: Belief | None = None,
    threshold: float = THRESHOLD,
    scheme: Scheme = "systematic",
    ratio_weight: float = 1.0,
    unscored: int = 0,
    path: Path | None = None,
    kernel: Literal["auto", "plain"] = "auto",
) -> Filtered:
    """Filter a batch with N particles that are resampled when few of them carry the weight.

    z_t^i ~ q(. | s_{t-1}^i),  log a_t^i = log p(x_t | s_t^i) + log p(z_t^i | s_{t-1}^i) - log q(z_t^i | s_{t-1}^i)
    log p^(x_t | x_{<t}) = log sum_i w_{t-1}^i a_t^i,  w_t^i = w_{t-1}^i a_t^i / sum_j w_{t-1}^j a_t^j

    A sequence whose effective sample size has fallen under `threshold` N is resampled before its next row. With a
    threshold of 0 nothing is ever resampled and the sum of `log_prob` is that of importance sampling.

    Args:
        noise: standard normals, see `draw_noise` (with `resampling`); its sample axis is that of the particles.
        proposal, embedded, start: as in `unroll`; the start's weights count.
        threshold: share of N, from 0 to 1.
        scheme: systematic, or multinomial (more noise; its choices are independent, which the score term of FIVO needs).
        ratio_weight: factor on log p(z) - log q(z); below 1 in the warm-up of training only.
        unscored: rows at the start that carry no weight, those a heading transform was read from; a proposal that looks
            ahead has its log p(z) - log q(z) counted there all the same.
        path: what the first particle is made to do; it is never replaced. The others are then drawn given that path: a
            conditional particle filter, which needs the multinomial scheme.
        kernel: as of `filter_steps`.

    Source: Maddison et al. 2017, arXiv:1705.09279, algorithm 1; Andrieu et al. 2010 for the conditional form.
    """
    embedded = embed(model, batch) if embedded is None else embedded
    code_prior = code_posterior = no_latent(embedded.context)  # a start has drawn its code already
    code, begun = noise.code[..., :0], start is not None
    if start is None:
        start, code_prior, code_posterior, code = first_belief(
            model, batch, noise, embedded, proposal, ratio_weight, path
        )
    records = list(
        filter_steps(
            model, batch, noise, embedded, start, proposal=proposal, threshold=threshold, scheme=scheme,
            ratio_weight=ratio_weight, unscored=unscored, path=path, resamples_first=begun, kernel=kernel,
        )
    )  # fmt: skip
    lead = noise.latent.shape[:3]
    expand = lambda law: DiagonalGaussian(*(p.expand(*lead, -1) for p in law))  # noqa: E731
    return Filtered(
        log_prob=torch.stack([r.log_prob for r in records], -1),
        effective=torch.stack([effective_size(r.belief.log_weight) for r in records], -1),
        ancestor=torch.stack([r.ancestor for r in records], -1),
        log_choice=torch.stack([r.log_choice for r in records], -1),
        prior=expand(stack_steps([r.prior for r in records])),
        posterior=expand(stack_steps([r.step.posterior for r in records])),
        latent=stack_steps([r.step.latent for r in records]),
        code_prior=code_prior,
        code_posterior=code_posterior,
        code=code,
        x=stack_steps([r.step.x.expand(*lead[:2], -1) for r in records]),
        mask=batch.mask,
        belief=last_belief(stack_beliefs([r.belief for r in records]), batch, start),
    )


def filter_steps(
    model: Model,
    batch: Batch,
    noise: Noise,
    embedded: Embedded,
    start: Belief,
    *,
    unscored: int = 0,
    path: Path | None = None,
    resamples_first: bool = False,
    kernel: Literal["auto", "plain"] = "auto",
    **settings: Any,
) -> Iterator["FilterStep"]:
    """Go through the steps of a particle filter; arguments as in `particle_filter`.

    Args:
        resamples_first: the weights of the start add up to 1, so that the first step may resample them.
        kernel: auto takes the compiled step where there is one; plain never does.
    """
    time = batch.x.shape[1]
    online = online_step(model) if kernel == "auto" else None
    drawn, chosen = (
        part.unbind(2) or (None,) * time for part in (noise.observation, noise.resampling)
    )
    belief, led = start, None
    for t, row in enumerate(rows(batch, embedded, start)):
        record = filter_step(
            model,
            belief,
            row,
            Normals(noise.latent[:, :, t], drawn[t], chosen[t] if t or resamples_first else None),
            batch,
            t=t,
            scored=t >= unscored,
            weighs_ratio=t >= unscored or model.looks_ahead,
            alive=t < batch.length,
            path=None if path is None else Path(path.code, path.latent[:, t], path.x[:, t]),
            led=led,
            online=online,
            **settings,
        )
        belief, led = record.belief, record.led
        yield record


class Normals(NamedTuple):
    """Hold the standard normals of one step of a filter, None for what is not drawn."""

    latent: Float[Tensor, "sample batch latent"]
    observation: Float[Tensor, "sample batch noise"] | None
    resampling: Float[Tensor, "sample batch"] | None


class FilterStep(NamedTuple):
    """Record one step of a filter; see `Filtered`.

    Attributes:
        before: the belief that the step began from, resampled where it was.
        belief: the belief after it.
        led: what a guide goes on from, None where none leads.
    """

    before: Belief
    belief: Belief
    step: Step
    prior: DiagonalGaussian
    log_prob: Float[Tensor, " batch"]
    ancestor: Int[Tensor, "sample batch"]
    log_choice: Float[Tensor, " batch"]
    led: Led | None = None


def filter_step(
    model: Model,
    belief: Belief,
    row: Row,
    normals: Normals,
    batch: Batch,
    *,
    t: int = 0,
    proposal: Proposal = "posterior",
    threshold: float = THRESHOLD,
    scheme: Scheme = "systematic",
    ratio_weight: float = 1.0,
    scored: bool = True,
    weighs_ratio: bool = True,
    alive: Bool[Tensor, " batch"] | None = None,
    path: Path | None = None,
    guide: Guide | None = None,
    led: Led | None = None,
    online: OnlineStep | None = None,
) -> FilterStep:
    """Take one step of a particle filter: resample, advance, weigh; arguments as in `particle_filter`.

    Args:
        batch: what the row belongs to.
        t: which row of it, for the guide.
        scored, weighs_ratio: whether the densities of x and of z enter the weights.
        alive: sequences that the row is a part of.
        guide: what draws missing points in view of those observed after them, the draws being weighed for it.
        led: what it goes on from, of the row before.
        online: the compiled step of the model, taken where it fits the row.
    """
    before, ancestor, choice = resample(
        belief, normals.resampling, threshold, scheme, alive, path is not None
    )
    draw = None
    if guide is not None:
        if led is None:
            led = Led(torch.zeros_like(before.gap), torch.zeros_like(before.log_weight))
        else:
            led = Led(take(led.x, ancestor), led.log_potential.gather(0, ancestor))
        unseen = batch.is_increment & ~row.present
        draw = partial(guide.draw, t=t, before=led.x, gap=before.gap, unseen=unseen)
    if (
        online is not None
        and row.plain
        and proposal == "posterior"
        and path is None
        and guide is None
    ):
        step, prior, emission = online(model, before, row, normals.latent)
    else:
        step = advance(
            model, before, row, normals.latent, normals.observation, batch, proposal, path, draw
        )
        prior = (
            step.posterior
            if model.tied or proposal == "prior"
            else model.prior(step.entering, row.known)
        )
        emission = step.emission
    gain = step_weight(model, step, row, prior, ratio_weight, scored, weighs_ratio, emission)
    if guide is not None:
        assert led is not None
        x = step.x.expand_as(step.gap)
        value = guide.log_potential(t, x, led.x, step.gap)
        gain = (
            gain + value - led.log_potential + (0.0 if step.log_chosen is None else step.log_chosen)
        )
        led = Led(x, value)
    log_prob, log_weight = weigh(before.log_weight, gain)
    after = Belief(step.state, step.gap, log_weight)
    return FilterStep(before, after, step, prior, log_prob, ancestor, choice, led)


def step_weight(
    model: Model,
    step: Step,
    row: Row,
    prior: DiagonalGaussian,
    ratio_weight: float = 1.0,
    scored: bool = True,
    ratio: bool = True,
    emission: Distribution | None = None,
) -> Float[Tensor, "sample batch"]:
    """Give log a_t of every particle: log p(x_t | s_t) + log p(z_t) - log q(z_t), 0 where nothing is observed.

    Args:
        emission: where it has been computed already.
    """
    gain = step.latent.new_zeros(step.latent.shape[:2])
    if scored:
        emission = model.emission(step.emitting, row.known) if emission is None else emission
        gain = gain + emission.log_prob(step.x, row.present)
    if ratio and prior is not step.posterior and model.latent_dim:
        difference = prior.log_prob(step.latent) - step.posterior.log_prob(step.latent)
        difference = difference if ratio_weight == 1 else ratio_weight * difference
        gain = gain + difference.where(row.present.any(-1), 0.0)
    return gain


class Lineage(NamedTuple):
    """Hold what the particles of every step drew, and from which particle of the step before each one stems.

    Attributes:
        code: (sample, batch, code).
        ancestor: (sample, batch, time).
        latent: (sample, batch, time, latent).
        x: (sample, batch, time, dim).
    """

    code: Float[Tensor, "sample batch code"]
    ancestor: Int[Tensor, "sample batch time"]
    latent: Float[Tensor, "sample batch time latent"]
    x: Float[Tensor, "sample batch time dim"]

    def ancestors(
        self, index: Int[Tensor, "path batch"], row: int, first: int
    ) -> Int[Tensor, "path batch"]:
        """Give the particles of row `first` that particles of a later row stem from."""
        for t in range(row, first, -1):
            index = self.ancestor[..., t].gather(0, index)
        return index

    def of(self, i: int) -> "Lineage":
        """Select one sequence."""
        return Lineage(*(part[:, i : i + 1] for part in self))

    def trace(
        self,
        index: Int[Tensor, "path batch"],
        change: Callable[[int, Tensor], Tensor] | None = None,
    ) -> Path:
        """Follow particles of the last row back to the first.

        Args:
            change: may put others in place of the particles (path, batch) that a row has been traced back to.

        Returns:
            what each one and its ancestors drew, with the paths as a leading axis.
        """
        batch = torch.arange(index.shape[1], device=index.device)
        latents, xs = [], []
        for t in reversed(range(self.ancestor.shape[-1])):
            index = index if change is None else change(t, index)
            latents.append(self.latent[index, batch, t])
            xs.append(self.x[index, batch, t])
            index = self.ancestor[..., t].gather(0, index)
        return Path(
            self.code[index, batch], torch.stack(latents[::-1], -2), torch.stack(xs[::-1], -2)
        )
