"""What a mode head reads of the past, and the models that such a head can be trained for."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.errors import UnsupportedError
from vrnn.inference.noise import no_noise
from vrnn.inference.rollout import condition, rollout
from vrnn.models.contract import Model
from vrnn.trained import TrainedModel


class Context(NamedTuple):
    """The past of some sequences, as a mode head reads it.

    Attributes:
        state: the model's state after the past, flat, (batch, width).
        rollout: what the model predicts with all noise at 0, in model units, (batch, horizon, dim).
        pending: what the model has drawn since the last observed entry, (batch, dim).
    """

    state: Float[Tensor, "batch width"]
    rollout: Float[Tensor, "batch horizon dim"]
    pending: Float[Tensor, "batch dim"]


@torch.no_grad()
def context_of(model: Model, prefix: Batch, u: Float[Tensor, "batch horizon inputs"]) -> Context:
    """Return the state after a prefix and the prediction from there, with all noise at 0."""
    belief = condition(model, prefix, no_noise(model, *prefix.x.shape[:2]))
    ahead = rollout(model, belief, u, no_noise(model, len(u), u.shape[1])).x[0]
    pending = belief.pending[0]
    state = torch.cat([*(part[0] for part in belief.state), pending], -1)
    return Context(state, ahead, pending)


def check_modes(model: TrainedModel) -> None:
    """Refuse models whose futures cannot be compared by a distance.

    Raises:
        UnsupportedError: a supervised model, or columns that are not positions, or a causal
            transform.
    """
    is_increment = model.preprocessor.transform.is_increment
    if model.network.supervised:
        raise UnsupportedError("modes are futures of x, and a supervised model does not draw x")
    if model.preprocessor.transform.causal:
        raise UnsupportedError(
            "a mode set reads the state, which has the scale of each track under a causal transform; "
            "take clusters of the samples of a forecast"
        )
    every = all(model.network.observation.continuous)
    if not every or (is_increment.any() and not is_increment.all()):
        raise UnsupportedError(
            "modes are fitted by distances between positions: expected every column to be one, "
            f"found {', '.join(model.preprocessor.x_names)}; train a model of the positions alone"
        )
