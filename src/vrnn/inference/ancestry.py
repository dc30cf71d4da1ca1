"""Paths of particles: who stems from whom, and what was drawn on the way."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from vrnn.inference.step import SamplePath


class Ancestry(NamedTuple):
    """What the particles of every step drew, and the particle of the step before each stems from.

    Attributes:
        global_latent: (sample, batch, .).
        ancestor: (sample, batch, time).
        latent: (sample, batch, time, .).
        x: (sample, batch, time, dim).
    """

    global_latent: Float[Tensor, "sample batch global"]
    ancestor: Int[Tensor, "sample batch time"]
    latent: Float[Tensor, "sample batch time latent"]
    x: Float[Tensor, "sample batch time dim"]

    def ancestors(
        self, index: Int[Tensor, "path batch"], last: int, first: int
    ) -> Int[Tensor, "path batch"]:
        """Return the particles of step `first` that particles of a later step stem from."""
        for t in range(last, first, -1):
            index = self.ancestor[..., t].gather(0, index)
        return index

    def of(self, i: int) -> "Ancestry":
        """Return the ancestry of one sequence."""
        return Ancestry(*(part[:, i : i + 1] for part in self))

    def trace(
        self,
        index: Int[Tensor, "path batch"],
        change: Callable[[int, Tensor], Tensor] | None = None,
    ) -> SamplePath:
        """Return what particles of the last step and their ancestors drew, paths leading.

        Args:
            index: the particles of the last step.
            change: may put others in place of the particles (path, batch) that a step has been
                traced back to.
        """
        batch = torch.arange(index.shape[1], device=index.device)
        latents, xs = [], []
        for t in reversed(range(self.ancestor.shape[-1])):
            index = index if change is None else change(t, index)
            latents.append(self.latent[index, batch, t])
            xs.append(self.x[index, batch, t])
            index = self.ancestor[..., t].gather(0, index)
        return SamplePath(
            self.global_latent[index, batch],
            torch.stack(latents[::-1], -2),
            torch.stack(xs[::-1], -2),
        )
