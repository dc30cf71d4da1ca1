"""A trained model: the network with all that it takes to use it on a person's own data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vrnn.data.preprocessor import Preprocessor
from vrnn.data.tracks import Tracks
from vrnn.errors import DataError
from vrnn.models import Model, ModelConfig, make_model
from vrnn.models.modes import ModeHead
from vrnn.models.position import Placed


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
    training: dict[str, Any]
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
    def observe(self) -> int | None:
        """Rows known before the future begins, as the model was trained; None where it was not."""
        return self.training["observe"]

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

    def as_tracks(self, data: Tracks | np.ndarray) -> Tracks:
        """Return tracks with the model's columns.

        Args:
            data: tracks, or an array (batch, time, dim) or (time, dim).

        Raises:
            DataError: no tracks, or columns that are not the model's.
        """
        if isinstance(data, str | Path):
            raise DataError(
                f"expected tracks or an array, found the path {str(data)!r}; "
                "read it with vrnn.read_tracks(path)"
            )
        tracks = data if isinstance(data, Tracks) else self._tracks_of(np.asarray(data, np.float64))
        if not len(tracks):
            raise DataError("expected at least one track, found none")
        self.preprocessor.check(tracks)
        return tracks

    def _tracks_of(self, array: np.ndarray) -> Tracks:
        """Return the sequences of an array as tracks."""
        names = self.preprocessor.x_names
        if array.ndim not in (2, 3):
            raise DataError(
                "expected tracks or an array (batch, time, dim), "
                f"found an array of shape {array.shape}"
            )
        if array.shape[-1] != len(names):
            raise DataError(
                f"the model was trained with x columns ({', '.join(names)}): "
                f"expected an array (batch, time, {len(names)}), found shape {array.shape}"
            )
        return Tracks(list(array if array.ndim == 3 else array[None]), x_names=names)
