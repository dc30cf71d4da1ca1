"""Smoothing: joint sample paths of latents and missing points given everything before and after them."""

import torch
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.inference.noise import draw_noise
from vrnn.inference.particles import draw_ancestors, particle_filter, trace
from vrnn.inference.step import Path, embed
from vrnn.models.contract import Model

THRESHOLD = 0.5  # effective sample size, as a share of the particles, under which they are resampled


def smooth(
    model: Model,
    batch: Batch,
    paths: int,
    generator: torch.Generator,
    *,
    particles: int = 512,
    sweeps: int = 1,
    sweep_particles: int = 16,
) -> Path:
    """Draw paths of (code, z_{1:T}, missing x) from p(. | x_observed), a leading axis of `paths`.

    A particle filter is run and `paths` of its particles, drawn by their last weights, are followed back. Far from the end
    these share forebears, so each is then renewed `sweeps` times by a conditional particle filter of its own (particle Gibbs),
    a move that leaves p(. | x_observed) unchanged for any number of particles. States that carry the whole past in a recurrent
    network rule out backward simulation: no path but its own leads to a state.

    Source: Andrieu, Doucet and Holenstein 2010, section 2.4.3.
    """
    count, time = batch.x.shape[:2]

    def filter_once(part: Batch, size: int, path: Path | None):
        noise = draw_noise(model, size, len(part.x), time, generator, resampling=True)
        return particle_filter(
            model,
            part,
            noise,
            embedded=embed(model, part),
            threshold=THRESHOLD,
            scheme="systematic" if path is None else "multinomial",
            path=path,
        )

    def normals(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(batch.x)

    filtered = filter_once(batch, max(particles, 2), None)
    index = draw_ancestors(filtered.belief.log_weight, normals(paths, count), "multinomial", paths)
    drawn = trace(filtered, index)
    repeated = batch.rows(torch.arange(count, device=batch.x.device).repeat(paths))
    for _ in range(sweeps):
        given = Path(*(part.flatten(0, 1) for part in drawn))
        filtered = filter_once(repeated, max(sweep_particles, 2), given)
        index = draw_ancestors(filtered.belief.log_weight, normals(1, paths * count), "multinomial", 1)
        drawn = Path(*(part[0].unflatten(0, (paths, count)) for part in trace(filtered, index)))
    return drawn
