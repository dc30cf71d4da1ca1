"""The registry of fast paths: for a class of models, functions that replace a plain loop.

A plan maps the layers of a model to the recurrences of `vrnn.ops`. It declines with None what it
does not cover, and is tested equal to the plain loop. `vrnn.fastpath` fills the registry.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vrnn.models.contract import Model
from vrnn.ops.backend import is_reference


@dataclass(frozen=True)
class Plan:
    """What a fast path offers in place of plain functions.

    Attributes:
        scan: the trace of complete time steps, in place of `unroll.run_loop`. Its argument `heads`
            says whether priors and emissions are wanted too.
        embed: the features of a batch, in place of `embed.embed` without a prefix.
        rollout: free generation, in place of `rollout.rollout`.
        stepper: from a model to a `particle_filter.Stepper`, which takes one complete time step.
    """

    scan: Callable[..., Any]
    embed: Callable[..., Any] | None = None
    rollout: Callable[..., Any] | None = None
    stepper: Callable[[Any], Any] | None = None


PLANS: dict[type[Model], Plan] = {}


def plan_of(model: Model) -> Plan | None:
    """Return the plan of a model's class; None where there is none, or the reference is chosen."""
    return None if is_reference() else PLANS.get(type(model))


def stepper_of(model: Model) -> Any:
    """Return what takes one complete time step of a filter fast; None where there is nothing."""
    plan = plan_of(model)
    return None if plan is None or plan.stepper is None else plan.stepper(model)
