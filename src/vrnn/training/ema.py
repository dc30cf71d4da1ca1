"""The exponential moving average of weights, which is validated and kept for the last weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class EMA:
    """The exponential moving average of a model's weights, w' <- d w' + (1 - d) w in every step.

    The decay rises to its value, d_t = min(d, (1 + t) / (10 + t)), so the first weights are soon
    forgotten. A decay of 0 keeps no average.

    Args:
        model: the model whose weights are averaged.
        decay: the decay d, of at least 0 and below 1.
        weights: the average of a run that is resumed; empty to start from the model's weights.

    Source: Polyak and Juditsky 1992, in the exponential form common since.
    """

    def __init__(self, model: nn.Module, decay: float, weights: dict[str, Tensor] | None = None):
        self.model, self.decay = model, decay
        now = model.state_dict() if decay else {}
        self.weights = {
            name: weights[name].to(value) if weights else value.detach().clone()
            for name, value in now.items()
        }

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Add the weights after optimiser step `step`, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        now = self.model.state_dict()
        for name, value in self.weights.items():
            value.lerp_(now[name], 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average into the model, and put the model's weights back afterwards."""
        if not self.weights:
            yield
            return
        now = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.weights)
        try:
            yield
        finally:
            self.model.load_state_dict(now)
