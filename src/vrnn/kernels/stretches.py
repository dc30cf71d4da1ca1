"""Serve complete stretches of rows by a fast loop, and the rows around missing points by the plain one."""

from itertools import groupby

import torch

from vrnn.data.batch import Batch
from vrnn.inference.noise import Noise
from vrnn.inference.step import Belief, Embedded, Proposal, plain_rows
from vrnn.inference.unroll import Loop, Stretch, run_rows
from vrnn.models.contract import Model, State

LEAST = 3
"""Rows below which a complete stretch is not worth a call of its own."""


def in_stretches(fast: Loop, whole: Loop) -> Loop:
    """Make a loop of one that only goes through complete rows, and of one for a batch that is complete from end to end."""

    def run(
        model: Model,
        batch: Batch,
        noise: Noise,
        embedded: Embedded,
        start: Belief,
        proposal: Proposal,
    ) -> Stretch:
        parts, belief, cuts = [], start, stretches(plain_rows(batch, start))
        if len(cuts) == 1:
            loop = whole if cuts[0][2] else run_rows
            return loop(model, batch, noise, embedded, start, proposal)
        for begin, end, complete in cuts:
            steps = slice(begin, end)
            loop = fast if complete else run_rows
            rows = batch.steps(begin, end)
            part = loop(model, rows, noise.steps(steps), embedded.steps(steps), belief, proposal)
            belief = part.left.map(lambda after: after[:, :, -1])
            parts.append(part)
        return _join(parts)

    return run


def stretches(complete: list[bool]) -> list[tuple[int, int, bool]]:
    """Cut rows into stretches (begin, end, whether it is a complete one of at least `LEAST` rows).

    >>> stretches([True, True, True, False, True, True, True, True])
    [(0, 3, True), (3, 4, False), (4, 8, True)]
    >>> stretches([False, True, False])
    [(0, 3, False)]
    """
    cut: list[tuple[int, int, bool]] = []
    for whole, run in groupby(complete):
        begin = cut[-1][1] if cut else 0
        end = begin + len([*run])
        fast = whole and end - begin >= LEAST
        if cut and not fast and not cut[-1][2]:
            begin = cut.pop()[0]
        cut.append((begin, end, fast))
    return cut


def _join(parts: list[Stretch]) -> Stretch:
    """Put stretches behind one another."""
    lead = parts[0].latent.shape[:1]
    x = [part.x if part.x.dim() == 4 else part.x.expand(*lead, *part.x.shape) for part in parts]
    left = [part.left for part in parts]
    return Stretch(
        entering=_join_steps([part.entering for part in parts]),
        posterior=_join_steps([part.posterior for part in parts]),
        latent=torch.cat([part.latent for part in parts], 2),
        emitting=_join_steps([part.emitting for part in parts]),
        x=torch.cat(x, 2),
        left=Belief(
            _join_steps([belief.state for belief in left]),
            torch.cat([belief.gap for belief in left], 2),
            torch.cat([belief.log_weight for belief in left], 2),
        ),
    )


def _join_steps(parts: list[State]) -> State:
    """Put records of steps, tensors (sample, batch, time, .), behind one another."""
    return type(parts[0])(*(torch.cat(fields, 2) for fields in zip(*parts, strict=True)))
