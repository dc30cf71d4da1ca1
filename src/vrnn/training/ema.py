"""Averages of weights along training: what is validated and kept in place of the last step's weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Keep the exponential moving average of a model's weights, w' <- d w' + (1 - d) w after every step.

    The decay d rises to its value, d_t = min(d, (1 + t) / (10 + t)), so that the first steps are soon forgotten. With a decay of
    0 nothing is kept and the weights are those of the model.

    Source: Polyak and Juditsky 1992, in the exponential form common since.
    """

    def __init__(self, model: nn.Module, decay: float, kept: dict[str, Tensor]):
        self.model, self.decay = model, decay
        first = (
            {name: value.detach().clone() for name, value in model.state_dict().items()}
            if decay
            else {}
        )
        self.weights = {name: kept[name].to(first[name]) if kept else first[name] for name in first}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after optimiser step `step`, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        now = self.model.state_dict()
        for name, value in self.weights.items():
            value.lerp_(now[name], 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the model its averaged weights for a while."""
        if not self.weights:
            yield
            return
        now = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.weights)
        try:
            yield
        finally:
            self.model.load_state_dict(now)
