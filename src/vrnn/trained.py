"""A trained model: the network with all that it takes to use it on a person's own data."""

from dataclasses import dataclass

import numpy as np
import torch

from vrnn.data.preprocessor import Preprocessor
from vrnn.models import Model, ModelConfig, make_model
from vrnn.models.modes import ModeHead
from vrnn.models.position import Placed
from vrnn.training.config import TrainConfig


def build_network(config: ModelConfig, preprocessor: Preprocessor) -> Model:
    """Build the network of a config for data of a preprocessor, with weights drawn from torch's default generator."""
    network = make_model(config)
    if not preprocessor.position_mean:
        return network
    drift = torch.tensor(preprocessor.drift, dtype=torch.get_default_dtype())
    return Placed(
        network, tuple(np.flatnonzero(preprocessor.transform.is_increment).tolist()), drift
    )


@dataclass(frozen=True, repr=False)
class TrainedModel:
    """Hold a network, the preprocessor of its data and the settings both were made with.

    Every verb takes one; `vrnn.load` reads it from a run folder and `vrnn.train(...).model` gives it after training.
    `modes` is the head that `vrnn.fit_modes` adds, None before.
    """

    network: Model
    preprocessor: Preprocessor
    config: ModelConfig
    training: TrainConfig
    modes: ModeHead | None = None

    def __repr__(self) -> str:
        columns = ", ".join(self.preprocessor.x_names)
        return f"TrainedModel({self.config}, columns {columns})"

    def to(self, device: torch.device | str) -> "TrainedModel":
        """Move the network to a device."""
        self.network.to(device)
        if self.modes is not None:
            self.modes.to(device)
        return self

    @property
    def first_scored(self) -> int:
        """Rows of a batch before the first whose density is one of the data: those a heading transform was read from."""
        heading = self.preprocessor.transform.heading
        return (
            0
            if heading is None or self.network.conditions
            else heading.row + 1 - self.preprocessor.transform.given
        )

    @property
    def exact(self) -> bool:
        """Whether the log-density has no latent to integrate out, so that it is exact where nothing is missing."""
        return not self.network.latent_dim and not self.network.code_dim

    @property
    def bounds_what(self) -> str:
        """What the number of this model is a bound on, such as log p(track)."""
        network = self.network
        given = self.first_scored + self.preprocessor.transform.given
        if network.supervised:
            return "log p(y | x)"
        if self.first_scored and not self.exact:
            under = "under the states that a forecast starts from"
            if network.looks_ahead:
                under = "given the past, with the latents of the past from their prior"
            return f"the log density of the future, {under}"
        if network.conditions:
            return "log p(future | prefix)"
        if given:
            return (
                "log p(track | its first point)"
                if given == 1
                else f"log p(track | its first {given} points)"
            )
        return "log p(track)"
