"""Smoothing: joint sample paths of latents and missing points given everything before and after them."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.inference.bridge import Bridge, build_bridge, missing_inside
from vrnn.inference.noise import Noise, draw_noise
from vrnn.inference.particles import FilterStep, Lineage, filter_steps, first_belief
from vrnn.inference.resampling import draw_ancestors
from vrnn.inference.step import Path, embed
from vrnn.models.contract import Model

PILOTS = 100  # particles, at least, that bridges are learnt from


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

    A particle filter crosses the gaps blindly; what its particles foretold of the points after them makes bridges (`Bridge`),
    and a second filter is led over these. `paths` of its particles, drawn by their last weights, are followed back. Far from the
    end they share forebears; each can then be renewed `sweeps` times by a conditional particle filter of its own (particle
    Gibbs), a move that leaves p(. | x_observed) unchanged for any number of particles. States that carry the whole past in a
    recurrent network rule out backward simulation: no path but its own leads to a state.

    Source: Andrieu, Doucet and Holenstein 2010, section 2.4.3, for the conditional filter.
    """
    bridge = None
    if any(model.family.continuous) and bool(missing_inside(batch).any()):
        noise, steps, _ = _filter(model, batch, max(PILOTS, particles // 4), generator)
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
    embedded = embed(model, batch)
    start, _, _, code = first_belief(model, batch, noise, embedded, path=path)
    scheme = "systematic" if path is None else "multinomial"
    potential = None if bridge is None else bridge.log_potential
    steps = filter_steps(
        model,
        batch,
        noise,
        embedded,
        start,
        scheme=scheme,
        path=path,
        potential=potential,
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
    drawn, log_weight = [], code.new_zeros(particles, len(batch.x))
    for record in steps:
        step = record.step
        drawn.append((record.ancestor, step.latent, step.x.expand(particles, len(batch.x), -1)))
        log_weight = record.belief.log_weight  # a sequence that has ended keeps its own
    ancestor, latent, x = zip(*drawn, strict=True)
    lineage = Lineage(code, torch.stack(ancestor, -1), torch.stack(latent, 2), torch.stack(x, 2))
    normals = torch.randn(paths, len(batch.x), generator=generator).to(batch.x)
    return lineage.trace(draw_ancestors(log_weight, normals, "multinomial", paths))
