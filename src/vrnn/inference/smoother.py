"""Smoothing: joint sample paths of latents and missing points given everything before and after them."""

from collections.abc import Iterator
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.inference.noise import Noise, draw_noise
from vrnn.inference.particle_filter import FilterStep, Lineage, filter_steps, first_belief
from vrnn.inference.resampling import draw_ancestors
from vrnn.inference.step import Path
from vrnn.inference.twisting import Bridge, Guided, build_bridge, missing_inside
from vrnn.kernels import embed
from vrnn.models.contract import Model

PILOTS = 100  # particles, at least, that bridges are learnt from
ROUNDS = 2  # times that they are learnt: from a blind filter, then from one led by what it taught
SHARE = 2  # one path in so many is distinct enough
LAG = 4  # rows after a gap, at least, that tell about it


def smooth(
    model: Model,
    batch: Batch,
    paths: int,
    generator: torch.Generator,
    *,
    particles: int = 2000,
    sweeps: int = 0,
    sweep_particles: int = 16,
) -> Path:
    """Draw paths of (code, z_{1:T}, missing x) from p(. | x_observed), a leading axis of `paths`.

    A particle filter crosses the gaps blindly; what its particles foretold of the points after them makes bridges (`Bridge`), and
    further filters are led over these (`Guided`). `paths` particles of the last filter, drawn by their last weights, are followed
    back.

    Far from the end they share ancestors. Where few of them are distinct in a gap, what comes before its end is drawn anew by the
    weights of an earlier row, at least `LAG` rows after the gap (fixed-lag smoothing): without regard for what is observed past
    that row. So paths are joint draws within a gap, and not always across gaps far apart.

    Each path can be renewed `sweeps` times by a conditional particle filter of its own (particle Gibbs), a move that leaves
    p(. | x_observed) unchanged for any number of particles. States that carry the whole past in a recurrent network rule out
    backward simulation: no path but its own leads to a state.

    Source: Andrieu, Doucet and Holenstein 2010, section 2.4.3, for the conditional filter; Kitagawa and Sato 2001, "Monte Carlo
    smoothing and self-organising state-space model", for the fixed lag.
    """
    bridge = None
    if any(model.family.continuous) and bool(missing_inside(batch).any()):
        for _ in range(ROUNDS):
            noise, steps, _ = _filter(model, batch, max(PILOTS, particles // 4), generator, bridge)
            bridge = build_bridge(model, batch, noise, model.embed_inputs(batch.u), steps)
    drawn = _draw(model, batch, max(particles, 2), paths, generator, bridge)
    index = torch.arange(len(batch.x), device=batch.x.device).repeat(paths)
    for _ in range(sweeps):
        given = Path(*(part.flatten(0, 1) for part in drawn))
        led = bridge and bridge.rows(index)
        renewed = _draw(model, batch.rows(index), max(sweep_particles, 2), 1, generator, led, given)
        drawn = Path(*(part[0].unflatten(0, (paths, len(batch.x))) for part in renewed))
    return drawn


def _filter(
    model: Model,
    batch: Batch,
    particles: int,
    generator: torch.Generator,
    bridge: Bridge | None = None,
    path: Path | None = None,
) -> tuple[Noise, Iterator[FilterStep], Float[Tensor, "sample batch code"]]:
    """Begin a filter: its noise, its steps, and the global latents of its first particles."""
    count, time = batch.x.shape[:2]
    noise = draw_noise(model, particles, count, time, generator, resampling=True)
    embedded = embed(model, batch, row_by_row=True)
    start, _, _, code = first_belief(model, batch, noise, embedded, path=path)
    scheme = "systematic" if path is None else "multinomial"
    guide = None if bridge is None else Guided(bridge, generator)
    steps = filter_steps(
        model,
        batch,
        noise,
        embedded,
        start,
        scheme=scheme,
        path=path,
        guide=guide,
    )
    return noise, steps, code


def _draw(
    model: Model,
    batch: Batch,
    particles: int,
    paths: int,
    generator: torch.Generator,
    bridge: Bridge | None,
    path: Path | None = None,
) -> Path:
    """Filter, draw particles by their last weights and follow them back."""
    _, steps, code = _filter(model, batch, particles, generator, bridge, path)
    shape = (particles, len(batch.x), -1)
    kept = (
        (step.ancestor, step.step.latent, step.step.x.expand(shape), step.belief.log_weight)
        for step in steps
    )
    ancestor, latent, x, log_weight = zip(*kept, strict=True)
    lineage = Lineage(code, torch.stack(ancestor, -1), torch.stack(latent, 2), torch.stack(x, 2))
    last = _chosen(log_weight[-1], paths, generator)  # a sequence that has ended keeps its weights
    if path is not None:
        return lineage.trace(last)
    traced = lineage.trace(
        last,
        partial(
            _branch,
            lineage,
            torch.stack(log_weight, -1),
            missing_inside(batch),
            batch.length,
            generator,
        ),
    )
    return traced._replace(x=_reconnected(traced.x, batch))


def _reconnected(
    drawn: Float[Tensor, "path batch time dim"], batch: Batch
) -> Float[Tensor, "path batch time dim"]:
    """Give each path what remains of an observed increment after its own draws, where lineages have changed within it."""
    gap, rows = torch.zeros_like(drawn[:, :, 0]), []
    for t, x in enumerate(drawn.unbind(2)):
        there = batch.present[:, t]
        x = torch.where(there, batch.x[:, t] - gap, x)
        gap = torch.where(batch.is_increment & ~there, gap + x, 0.0)
        rows.append(x)
    return torch.stack(rows, 2)


def _chosen(
    log_weight: Float[Tensor, "sample batch"], paths: int, generator: torch.Generator
) -> Int[Tensor, "path batch"]:
    normals = torch.randn(paths, log_weight.shape[1], generator=generator).to(log_weight)
    return draw_ancestors(log_weight, normals, "multinomial", paths)


def _branch(
    lineage: Lineage,
    log_weight: Float[Tensor, "sample batch time"],
    missing: Bool[Tensor, "batch time"],
    length: Int[Tensor, " batch"],
    generator: torch.Generator,
    t: int,
    index: Int[Tensor, "path batch"],
) -> Int[Tensor, "path batch"]:
    """Give the particles of row t that paths go on back from: others than have come so far where a gap ends and few are distinct in it."""
    ends = (
        missing[:, t] & ~missing[:, t + 1]
        if t + 1 < missing.shape[1]
        else torch.zeros_like(missing[:, t])
    )
    if not bool(ends.any()):
        return index
    index = index.clone()
    for i in ends.nonzero().flatten().tolist():
        seen = (~missing[i, :t]).nonzero()
        first = int(seen[-1]) + 1 if len(seen) else 0
        own = index[:, i : i + 1]
        index[:, i : i + 1] = _most_distinct(
            lineage.of(i), log_weight[:, i : i + 1], own, first, t, int(length[i]), generator
        )
    return index


def _most_distinct(
    lineage: Lineage,
    log_weight: Float[Tensor, "sample one time"],
    own: Int[Tensor, "path one"],
    first: int,
    t: int,
    length: int,
    generator: torch.Generator,
) -> Int[Tensor, "path one"]:
    """Draw particles of row t, the end of a gap that begins at row `first`, by the weights of as late a row as leaves enough distinct.

    Or by those of the row that leaves most; `own` are the ancestors of the last row's.
    """
    most, lag = (
        len(lineage.ancestors(own, t, first).unique()),
        1 << max(length - 2 - t, 1).bit_length(),
    )
    while SHARE * most < len(own) and lag > LAG:
        lag //= 2
        later = _chosen(log_weight[..., t + lag], len(own), generator)
        found = lineage.ancestors(later, t + lag, t)
        distinct = len(lineage.ancestors(found, t, first).unique())
        if distinct > most:
            most, own = distinct, found
    return own
