"""What the plans share: states at all time steps, of all samples."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from vrnn.inference.flat import widened
from vrnn.models.contract import State
from vrnn.models.layers import last_step


def shared(t: Float[Tensor, "sample batch width"]) -> Float[Tensor, "shared batch width"]:
    """Return the first sample of what all samples have in common, else all of them."""
    return t[:1] if t.stride(0) == 0 else t


def before(
    first: Float[Tensor, "*#lead width"], after: Float[Tensor, "*lead time width"]
) -> Float[Tensor, "*lead time width"]:
    """Return what every time step starts from: `first`, then what the step before left."""
    first = first.expand(*after.shape[:-2], -1)[..., None, :]
    return torch.cat([first, after[..., :-1, :]], -2)


def full(t: Float[Tensor, "*#lead width"], lead: tuple[int, ...]) -> Float[Tensor, "*lead width"]:
    """Return a tensor with all of its leading axes."""
    return widened(t, lead)


def without(state: State, *fields: str) -> State:
    """Return a state with some fields of width 0, for methods that do not read them.

    Flattening a field costs a copy where it lies in memory in another order.
    """
    return state._replace(**{name: getattr(state, name)[..., :0] for name in fields})


def constant(
    t: Float[Tensor, "sample batch width"], time: int
) -> Float[Tensor, "sample batch time width"]:
    """Return a tensor that is the same at every time step."""
    return t[..., None, :].expand(*t.shape[:-1], time, -1)


def last(
    steps: Float[Tensor, "sample batch time width"],
    first: Float[Tensor, "sample batch width"],
    length: Int[Tensor, " batch"],
) -> Float[Tensor, "sample batch width"]:
    """Return what each sequence's own last step left, `first` where it has no step."""
    if not steps.shape[-1]:
        return first
    return last_step(steps, first, length)
