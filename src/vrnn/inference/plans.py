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
    """What a fast path offers; each function has the arguments of the plain one it replaces.

    Attributes:
        embed: features of a batch, `vrnn.inference.embed.embed`.
        scan: complete time steps, `vrnn.inference.unroll.run_loop`.
        rollout: free generation, `vrnn.inference.rollout.rollout`.
        stepper: of a model, what takes one complete time step of a filter; see `Stepper`.
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
