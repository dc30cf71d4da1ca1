"""Smoothing: joint sample paths of latents and missing points given everything before and after them."""

from collections.abc import Iterator
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.inference.ancestry import Ancestry
from vrnn.inference.embed import embed
from vrnn.inference.noise import Noise, draw_noise
from vrnn.inference.particle_filter import FilterConfig, FilterStep, filter_steps, first_belief
from vrnn.inference.random_numbers import Source, TrackNumbers, normals, part
from vrnn.inference.resampling import draw_ancestors
from vrnn.inference.step import SamplePath
from vrnn.inference.twisting import (
    TwistedProposal,
    TwistingFunction,
    fit_twisting_function,
    missing_inside,
)
from vrnn.models.contract import Model

PILOTS = 100  # particles, at least, that a twisting function is fitted to
ROUNDS = 2  # fits: to a filter without one, then to the filter that the first one twisted
SHARE = 2  # one path in so many is distinct enough
LAG = 4  # time steps after a gap, at least, that tell about it
PILOT, LAST, SWEEP, NOISE, TWIST, CHOICE, BRANCH = range(7)  # what numbers are drawn for


def smooth(
    model: Model,
    batch: Batch,
    paths: int,
    source: Source,
    *,
    particles: int = 2000,
    sweeps: int = 0,
    sweep_particles: int = 16,
) -> SamplePath:
    """Return paths of (global latent, z_{1:T}, missing x) drawn from p(. | x_observed).

    The paths are a leading axis. A particle filter crosses the gaps first. Its particles' predictions
    of the points after the gaps give a twisting function (`TwistingFunction`), which twists the
    filters after it (`TwistedProposal`). `paths` particles of the last filter, drawn by their last
    weights, are followed back.

    Far from the end they share ancestors. Where few of them are distinct in a gap, what comes before
    its end is drawn again by the weights of an earlier step, at least `LAG` steps after the gap
    (fixed-lag smoothing). Those weights know nothing of what is observed past that step. So paths
    are joint draws within a gap, and not always across gaps far apart.

    Each path can be renewed `sweeps` times by a conditional particle filter of its own (particle
    Gibbs). That move leaves p(. | x_observed) unchanged for any number of particles. Backward
    simulation is ruled out: a recurrent state carries the whole past, so only its own path leads to
    it.

    Source: Andrieu, Doucet and Holenstein 2010, section 2.4.3, for the conditional filter; Kitagawa
    and Sato 2001, "Monte Carlo smoothing and self-organising state-space model", for the fixed lag.
    """
    twisting = None
    if any(model.observation.continuous) and bool(missing_inside(batch).any()):
        for i in range(ROUNDS):
            pilots, of = max(PILOTS, particles // 4), part(source, PILOT, i)
            noise, steps, _ = _filter(model, batch, pilots, of, twisting)
            twisting = fit_twisting_function(model, batch, noise, steps)
    drawn = _draw(model, batch, max(particles, 2), paths, part(source, LAST), twisting)
    index = torch.arange(len(batch.x), device=batch.x.device).repeat(paths)
    for i in range(sweeps):
        given = SamplePath(*(values.flatten(0, 1) for values in drawn))
        twisted = None if twisting is None else twisting.sequences(index)
        of, count = part(source, SWEEP, i), max(sweep_particles, 2)
        of = of.copies(paths) if isinstance(of, TrackNumbers) else of
        renewed = _draw(model, batch.sequences(index), count, 1, of, twisted, given)
        drawn = SamplePath(*(values[0].unflatten(0, (paths, len(batch.x))) for values in renewed))
    return drawn


def _filter(
    model: Model,
    batch: Batch,
    particles: int,
    source: Source,
    twisting: TwistingFunction | None = None,
    path: SamplePath | None = None,
) -> tuple[Noise, Iterator[FilterStep], Float[Tensor, "sample batch global"]]:
    """Return the noise of a filter, its steps, and the global latents of its first particles."""
    count, time = batch.x.shape[:2]
    noise = draw_noise(model, particles, count, time, part(source, NOISE), resampling=True)
    embedded = embed(model, batch)
    config = FilterConfig(scheme="systematic" if path is None else "multinomial")
    start, once = first_belief(model, batch, noise, embedded, config, path)
    twist = None if twisting is None else TwistedProposal(twisting, part(source, TWIST))
    steps = filter_steps(model, batch, noise, embedded, start, config, path=path, twist=twist)
    return noise, steps, once.z


def _draw(
    model: Model,
    batch: Batch,
    particles: int,
    paths: int,
    source: Source,
    twisting: TwistingFunction | None,
    path: SamplePath | None = None,
) -> SamplePath:
    """Return particles of a filter, drawn by their last weights and followed back."""
    _, steps, once = _filter(model, batch, particles, source, twisting, path)
    shape = (particles, len(batch.x), -1)
    kept = (
        (step.ancestor, step.step.latent, step.step.x.expand(shape), step.belief.log_weight)
        for step in steps
    )
    ancestor, latent, x, log_weight = zip(*kept, strict=True)
    ancestry = Ancestry(once, torch.stack(ancestor, -1), torch.stack(latent, 2), torch.stack(x, 2))
    # A sequence that has ended keeps its weights.
    last = _chosen(log_weight[-1], paths, part(source, CHOICE))
    if path is not None:
        return ancestry.trace(last)
    traced = ancestry.trace(
        last,
        partial(
            _branch,
            ancestry,
            torch.stack(log_weight, -1),
            missing_inside(batch),
            batch.length,
            part(source, BRANCH),
        ),
    )
    return traced._replace(x=_reconnected(traced.x, batch))


def _reconnected(
    drawn: Float[Tensor, "path batch time dim"], batch: Batch
) -> Float[Tensor, "path batch time dim"]:
    """Return paths with what remains of an observed increment after their own draws.

    It differs where ancestors were drawn again within the gap.
    """
    pending, steps = torch.zeros_like(drawn[:, :, 0]), []
    for t, x in enumerate(drawn.unbind(2)):
        there = batch.present[:, t]
        x = torch.where(there, batch.x[:, t] - pending, x)
        pending = torch.where(batch.is_increment & ~there, pending + x, 0.0)
        steps.append(x)
    return torch.stack(steps, 2)


def _chosen(
    log_weight: Float[Tensor, "sample batch"], paths: int, source: Source
) -> Int[Tensor, "path batch"]:
    drawn = normals(source, paths, log_weight.shape[1]).to(log_weight)
    return draw_ancestors(log_weight, drawn, "multinomial", paths)


def _branch(
    ancestry: Ancestry,
    log_weight: Float[Tensor, "sample batch time"],
    missing: Bool[Tensor, "batch time"],
    length: Int[Tensor, " batch"],
    source: Source,
    t: int,
    index: Int[Tensor, "path batch"],
) -> Int[Tensor, "path batch"]:
    """Return the particles of step t that paths go on back from.

    They are drawn again where a gap ends and few of those that came so far are distinct in it.
    """
    ends = (
        missing[:, t] & ~missing[:, t + 1]
        if t + 1 < missing.shape[1]
        else torch.zeros_like(missing[:, t])
    )
    if not bool(ends.any()):
        return index
    index = index.clone()
    for i in ends.nonzero().flatten().tolist():
        of = part(source[i : i + 1], t) if isinstance(source, TrackNumbers) else source
        seen = (~missing[i, :t]).nonzero()
        first = int(seen[-1]) + 1 if len(seen) else 0
        own = index[:, i : i + 1]
        index[:, i : i + 1] = _most_distinct(
            ancestry.of(i), log_weight[:, i : i + 1], own, first, t, int(length[i]), of
        )
    return index


def _most_distinct(
    ancestry: Ancestry,
    log_weight: Float[Tensor, "sample one time"],
    own: Int[Tensor, "path one"],
    first: int,
    t: int,
    length: int,
    source: Source,
) -> Int[Tensor, "path one"]:
    """Return particles of step t, the end of a gap that begins at step `first`.

    They are drawn by the weights of the latest step that leaves enough of them distinct, or else of
    the step that leaves most. `own` are the ancestors of the last step's particles.
    """
    most, lag = (
        len(ancestry.ancestors(own, t, first).unique()),
        1 << max(length - 2 - t, 1).bit_length(),
    )
    while SHARE * most < len(own) and lag > LAG:
        lag //= 2
        later = _chosen(log_weight[..., t + lag], len(own), part(source, lag))
        found = ancestry.ancestors(later, t + lag, t)
        distinct = len(ancestry.ancestors(found, t, first).unique())
        if distinct > most:
            most, own = distinct, found
    return own
