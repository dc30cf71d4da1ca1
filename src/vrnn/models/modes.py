"""A head of multiple hypotheses: k futures at once, and how likely each is, from the state that a past leaves."""

from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vrnn.errors import ConfigError, check_seed
from vrnn.models.layers import features


@dataclass(frozen=True)
class ModesConfig:
    """Configure representatives that are learned: the head and how it is trained.

    Args:
        count: futures of each track, k.
        horizon: rows of a future.
        observe: rows known before the future begins; those that the model was trained with when None, and anywhere in a track if it
            was trained with none.
        hidden: width of the head's layers.
        depth: its hidden layers.
        steps: optimiser steps.
        batch_size: tracks or windows a step.
        learning_rate: peak rate of Adam, which falls to a hundredth by a half cosine.
        average: decay of the moving average of the weights, which is kept in their place.
        final_weight: weight of the distance at the last row beside the mean distance over all rows.
        validate_every: steps from one validation to the next; the weights of the best one are kept.
        seed: of the weights, the order of the data and its random changes.
    """

    count: int = 20
    horizon: int = 12
    observe: int | None = None
    hidden: int = 256
    depth: int = 2
    steps: int = 3000
    batch_size: int = 128
    learning_rate: float = 1e-3
    average: float = 0.995
    final_weight: float = 0.5
    validate_every: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        for name in (
            "count",
            "horizon",
            "hidden",
            "depth",
            "steps",
            "batch_size",
            "validate_every",
            "observe",
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"expected {name} of at least 1, found {value}")
        if not self.learning_rate > 0:
            raise ConfigError(f"expected learning_rate above 0, found {self.learning_rate}")
        if self.final_weight < 0:
            raise ConfigError(f"expected final_weight of at least 0, found {self.final_weight}")
        if not 0 <= self.average < 1:
            raise ConfigError(f"expected average from 0 up to 1, found {self.average}")
        check_seed(self.seed)

    @classmethod
    def from_dict(cls, values: dict) -> "ModesConfig":
        """Read back what `dataclasses.asdict` made of one."""
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise ConfigError(f"unknown settings of representatives: {', '.join(sorted(unknown))}")
        return cls(**values)


class Hypotheses(NamedTuple):
    """Hold the futures that a head gives.

    Attributes:
        x: paths in model units, (k, batch, horizon, dim).
        log_weight: log of the probability of each, (k, batch).
    """

    x: Float[Tensor, "k batch horizon dim"]
    log_weight: Float[Tensor, "k batch"]


class ModeHead(nn.Module):
    """Give k futures around a deterministic one, and how likely each is, from what the state of a model has kept of the past.

        f = MLP(state),   x^k = rollout + W_k f + b_k,   p(k) = softmax(V f)_k

    The probabilities read f without a gradient, so that the paths are learned for their distances alone.

    Args:
        width: numbers in the state of one sequence.
        dim: of an observation.
        config: sizes.
    """

    def __init__(self, width: int, dim: int, config: ModesConfig):
        super().__init__()
        self.width, self.dim, self.config = width, dim, config
        self.trunk = features(width, config.hidden, config.depth)
        self.paths = nn.Linear(config.hidden, config.count * config.horizon * dim)
        self.weights = nn.Linear(config.hidden, config.count)
        with torch.no_grad():  # k ways to go at first, each its own increment at every row, nearly the same for all pasts
            ways = torch.randn(config.count, 1, dim).expand(-1, config.horizon, -1)
            self.paths.bias.copy_(ways.reshape(-1))
            self.paths.weight.mul_(0.1)

    def forward(
        self, state: Float[Tensor, "batch width"], rollout: Float[Tensor, "batch horizon dim"]
    ) -> Hypotheses:
        f = self.trunk(state)
        config = self.config
        around = self.paths(f).view(-1, config.count, config.horizon, self.dim).transpose(0, 1)
        return Hypotheses(rollout + around, self.weights(f.detach()).log_softmax(-1).T)
