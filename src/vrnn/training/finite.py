"""Losses and gradients that are not finite, and the track that each comes from."""

import math
from collections.abc import Sequence

import torch

from vrnn.errors import Function, NonFiniteError, Setting
from vrnn.training.objective import Objective, Terms, Work

WAY_OUT = (
    *("look at its values with ", Function("describe"), ", or train into another folder with "),
    *("a lower ", Setting("learning_rate"), " or ", Setting("grad_clip")),
)


def check_terms(terms: Terms, step: int, tracks: Sequence[str]) -> None:
    """Refuse terms that are not finite.

    Args:
        terms: the terms of a batch.
        step: the step to name.
        tracks: the names of its tracks.

    Raises:
        NonFiniteError: names the step, the term and the track.
    """
    if bool(torch.isfinite(terms.nll + terms.penalty + terms.score).all()):
        return
    for name, term in (
        ("log-likelihood", terms.nll),
        ("KL", terms.penalty),
        ("score of futures", terms.score),
    ):
        bad = ~torch.isfinite(term)
        if bool(bad.any()):
            raise NonFiniteError(
                f"the {name} of track {tracks[int(bad.nonzero()[0])]} is not finite",
                where=f"step {step}",
                hint=WAY_OUT,
            )


def check_gradient(
    norm: torch.Tensor,
    objective: Objective,
    work: Work,
    step: int,
    tracks: Sequence[str],
) -> None:
    """Refuse a gradient whose norm is not finite though the loss is.

    Raises:
        NonFiniteError: names the step and the track with the largest gradient.
    """
    if bool(torch.isfinite(norm)):
        return
    raise NonFiniteError(
        "the gradient of the loss of track "
        f"{tracks[steepest(objective, work, step)]} is not finite though the loss is",
        where=f"step {step}",
        hint=WAY_OUT,
    )


def steepest(objective: Objective, work: Work, step: int) -> int:
    """Return the sequence of a batch with the largest gradient; one that is not finite is first."""
    parameters, norms = list(objective.model.parameters()), []
    for i in range(len(work.batch.x)):
        terms = objective(work.sequences(slice(i, i + 1)), step)
        score = objective.config.energy_weight * terms.score
        loss = (terms.nll + terms.penalty + score).sum()
        gradient = torch.autograd.grad(loss, parameters, allow_unused=True)
        norm = sum(float(g.norm()) for g in gradient if g is not None)
        norms.append(norm if math.isfinite(norm) else math.inf)
    return max(range(len(norms)), key=norms.__getitem__)
