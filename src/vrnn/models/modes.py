"""The mode head: a network that returns k futures at once and the probability of each."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vrnn.models.layers import features
from vrnn.models.settings import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ProperFraction,
    check_settings,
)
from vrnn.stored import revive


@dataclass(frozen=True)
class ModesConfig:
    """The settings of a mode set: of its head and of the training of that head.

    Args:
        count: futures of each track, k.
        horizon: rows of a future.
        observe: rows known before the future begins. None takes the number that the model was
            trained with. A model trained without one begins anywhere in a track.
        hidden: width of the head's layers.
        depth: hidden layers of the head.
        steps: number of optimiser steps.
        batch_size: tracks or windows in a step.
        learning_rate: peak learning rate of Adam. A half cosine lowers it to a hundredth.
        ema_decay: decay of the exponential moving average of the weights. The average is
            validated and kept in place of the last weights. 0 switches it off.
        final_weight: weight of the distance at the last row, added to the mean over all rows.
        validate_every: steps from one validation to the next. The weights of the best validation
            are kept.
        seed: seed of the weights, the order of the data and its random changes.
    """

    count: PositiveInt = 20
    horizon: PositiveInt = 12
    observe: PositiveInt | None = None
    hidden: PositiveInt = 256
    depth: PositiveInt = 2
    steps: PositiveInt = 3000
    batch_size: PositiveInt = 128
    learning_rate: PositiveFloat = 1e-3
    ema_decay: ProperFraction = 0.995
    final_weight: NonNegativeFloat = 0.5
    validate_every: PositiveInt = 500
    seed: NonNegativeInt = 0

    def __post_init__(self) -> None:
        check_settings(self)

    @classmethod
    def from_dict(cls, values: dict) -> "ModesConfig":
        """Return the config that `dataclasses.asdict` turned into a dict.

        Raises:
            ConfigError: an unknown setting, or a value of another type.
        """
        return revive(cls, values, "modes")


class Hypotheses(NamedTuple):
    """The futures that a head returns.

    Attributes:
        x: paths in model units, (k, batch, horizon, dim).
        log_weight: log of the probability of each, (k, batch).
    """

    x: Float[Tensor, "k batch horizon dim"]
    log_weight: Float[Tensor, "k batch"]


class ModeHead(nn.Module):
    """A network from the state of a model to k futures and the probability of each.

        f = MLP(state),   x^k = rollout + W_k f + b_k,   p(k) = softmax(V f)_k

    The futures lie around the deterministic `rollout` of the model. The probabilities read f
    without a gradient, so only the distances train the paths.

    Args:
        width: width of the state of one sequence.
        dim: width of an observation.
        config: sizes of the network.
    """

    def __init__(self, width: int, dim: int, config: ModesConfig):
        super().__init__()
        self.width, self.dim, self.config = width, dim, config
        self.trunk = features(width, config.hidden, config.depth)
        self.paths = nn.Linear(config.hidden, config.count * config.horizon * dim)
        self.weights = nn.Linear(config.hidden, config.count)
        with torch.no_grad():
            # The first k futures differ by one constant increment each and hardly read the past.
            ways = torch.randn(config.count, 1, dim).expand(-1, config.horizon, -1)
            self.paths.bias.copy_(ways.reshape(-1))
            self.paths.weight.mul_(0.1)

    def forward(
        self, state: Float[Tensor, "batch width"], rollout: Float[Tensor, "batch horizon dim"]
    ) -> Hypotheses:
        """Return the futures of a batch, from its states and its deterministic rollouts."""
        f = self.trunk(state)
        config = self.config
        around = self.paths(f).view(-1, config.count, config.horizon, self.dim).transpose(0, 1)
        return Hypotheses(rollout + around, self.weights(f.detach()).log_softmax(-1).T)
