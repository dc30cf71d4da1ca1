"""A trained model: the network with all that it takes to use it on a person's own data."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

import vrnn.fastpath  # noqa: F401, fills the registry of plans
from vrnn.baselines.kalman import Kalman
from vrnn.console import visible
from vrnn.data.batch import Batch
from vrnn.data.preprocessor import Change, Preprocessor
from vrnn.data.tracks import Tracks
from vrnn.data.transforms import Anchor, Standardise, Transform
from vrnn.errors import DataError, Function
from vrnn.inference.traits import has_global_latent, has_posterior, looks_ahead, reads_prefix
from vrnn.models.causal import CausalCoordinates
from vrnn.models.config import ModelConfig
from vrnn.models.contract import Model
from vrnn.models.modes import ModeHead
from vrnn.models.position import PositionConditioned
from vrnn.models.registry import make_model


def build_network(config: ModelConfig, preprocessor: Preprocessor) -> Model:
    """Return the network of a config; torch's default generator, or `drawing_from`, draws weights."""
    network = make_model(config)
    if preprocessor.transform.causal:
        return CausalCoordinates(
            network,
            looks_ahead=looks_ahead(network, preprocessor.model_u_dim),
            known=preprocessor.u_dim,
        )
    if not preprocessor.position_mean:
        return network
    drift = torch.tensor(preprocessor.drift, dtype=torch.get_default_dtype())
    return PositionConditioned(
        network, tuple(np.flatnonzero(preprocessor.transform.is_increment).tolist()), drift
    )


def to_numpy(tensor: Tensor) -> np.ndarray:
    """Return a tensor as an array in float64, on the CPU."""
    return tensor.detach().cpu().double().numpy()


class UsableTracks(NamedTuple):
    """Those of some tracks that a model can read, each from its first usable row on.

    Attributes:
        tracks: the tracks, without the rows before.
        index: which of the given tracks each one is, (track,).
        offset: number of rows that were dropped from each, (track,).
    """

    tracks: Tracks
    index: Int[np.ndarray, " track"]
    offset: Int[np.ndarray, " track"]

    def select(self, order: Int[np.ndarray, " chosen"]) -> "UsableTracks":
        """Return some of the tracks, in this order."""
        return UsableTracks(self.tracks[order], self.index[order], self.offset[order])


class Chunk(NamedTuple):
    """Tracks that go through the network together.

    Attributes:
        start: place of the first track in the order of all chunks.
        names: ids of the tracks, which their noise is seeded by.
        index: which of the given tracks each one is, (batch,).
        batch: the tracks in model units, on the model's device.
        prefix: the rows before `batch`, where a prefix was split off.
        offset: row of each given track that is the first row of `batch`, (batch,).
        anchor: where the tracks end, to decode what follows them.
    """

    start: int
    names: list[str]
    index: Int[np.ndarray, " batch"]
    batch: Batch
    prefix: Batch | None
    offset: Int[np.ndarray, " batch"]
    anchor: Anchor

    @property
    def rows(self) -> slice:
        """Places of the tracks in the order of all chunks."""
        return slice(self.start, self.start + len(self.index))


@dataclass(frozen=True, repr=False)
class TrainedModel:
    """A network, the preprocessor of its data, and the settings that both were made with.

    `vrnn.load` reads one from a run folder, and `vrnn.train` returns one in its result. Every
    task takes one.

    Attributes:
        network: the network, an `nn.Module`.
        preprocessor: turns tracks into batches in model units.
        config: settings of the network.
        training: settings of the training, as `config.json` holds them.
        modes: the head that `vrnn.fit_modes` trains; None without one.
        fits_data: a model for data of any units, whose preprocessor every task fits to its data.
        kalman: the baseline that was fitted to the training tracks; None where there is none.
    """

    network: Model
    preprocessor: Preprocessor
    config: ModelConfig
    training: dict[str, Any]
    modes: ModeHead | None = None
    fits_data: bool = False
    kalman: Kalman | None = None

    def __repr__(self) -> str:
        columns = visible(", ".join(self.preprocessor.x_names))
        return f"TrainedModel({self.config}, columns {columns})"

    def to(self, device: torch.device | str) -> "TrainedModel":
        """Move the network to a device."""
        self.network.to(device)
        if self.modes is not None:
            self.modes.to(device)
        return self

    @property
    def weight(self) -> Tensor:
        """One weight of the network; tensors take its device and dtype."""
        return next(self.network.parameters())

    @property
    def observe(self) -> int | None:
        """Rows before the future begins, as in training; None for a model trained without them."""
        return self.training["observe"]

    @property
    def u_dim(self) -> int:
        """Width of the known inputs that the network reads."""
        width = self.preprocessor.u_dim
        return width + self.preprocessor.transform.dim + 1 if self.network.supervised else width

    @property
    def has_posterior(self) -> bool:
        """Whether the latents have a posterior of their own; else it is the prior."""
        return has_posterior(self.network, self.u_dim)

    @property
    def first_scored(self) -> int:
        """Rows of a batch that a heading transform reads, and that have no density therefore."""
        heading = self.preprocessor.transform.heading
        if heading is None or reads_prefix(self.network):
            return 0
        return heading.row + 1 - self.preprocessor.transform.given

    @property
    def exact(self) -> bool:
        """Whether the model has no latent, so that its log-density is exact without gaps."""
        return not self.network.latent.dim and not has_global_latent(self.network)

    @property
    def bounds_what(self) -> str:
        """The quantity that a bound of this model bounds, such as log p(track)."""
        network = self.network
        given = self.first_scored + self.preprocessor.transform.given
        if network.supervised:
            return "log p(y | x)"
        if self.first_scored and not self.exact:
            under = "under the states that a forecast starts from"
            if looks_ahead(network, self.u_dim):
                under = "given the past, with the latents of the past from their prior"
            return f"the log density of the future, {under}"
        if reads_prefix(network):
            return "log p(future | prefix)"
        if given:
            points = "first point" if given == 1 else f"first {given} points"
            return f"log p(track | its {points})"
        return "log p(track)"

    @property
    def output_names(self) -> tuple[str, ...]:
        """Columns that the model emits: those of y for a supervised model, else those of x."""
        supervised = self.network.supervised
        return self.preprocessor.y_names if supervised else self.preprocessor.x_names

    @property
    def output_transform(self) -> Transform:
        """Map between the data units and the model units of what the model emits."""
        preprocessor = self.preprocessor
        if not self.network.supervised:
            return preprocessor.transform
        standardise = Standardise(preprocessor.y_mean, preprocessor.y_scale)
        return Transform(len(preprocessor.y_names), standardise=standardise)

    def output_anchor(self, anchor: Anchor) -> Anchor:
        """Return where the outputs continue: at the anchor of x, or nowhere for targets y."""
        if not self.network.supervised:
            return anchor
        return Anchor.zero(len(anchor.since), len(self.output_names))

    def as_tracks(self, data: Tracks | np.ndarray) -> Tracks:
        """Return tracks with the model's columns.

        Args:
            data: tracks, or an array (batch, time, dim) or (time, dim).

        Raises:
            DataError: no tracks, or columns that are not the model's.
        """
        if isinstance(data, str | Path):
            raise DataError(
                expected="tracks or an array",
                found=f"the path {str(data)!r}",
                hint=("read it with ", Function("read_tracks")),
            )
        tracks = data if isinstance(data, Tracks) else self._tracks_of(np.asarray(data, np.float64))
        if not len(tracks):
            raise DataError(expected="at least one track", found="none")
        return self.preprocessor.in_order(tracks)

    def usable(self, tracks: Tracks, least: int | None = None) -> UsableTracks:
        """Return tracks from their first observed point on, without those that have none.

        Args:
            least: rows that a track must keep; one row to model when None.
        """
        least = 1 + self.preprocessor.transform.given if least is None else least
        numbered = tracks.rename([str(i) for i in range(len(tracks))])
        kept = self.preprocessor.trim(numbered, least, ends=False)
        index = np.array([int(i) for i in kept.ids], np.int64)
        kept = kept.rename([tracks.ids[i] for i in index])
        return UsableTracks(kept, index, tracks.lengths[index] - kept.lengths)

    def batch(self, tracks: Tracks, change: Change | None = None) -> tuple[Batch, Anchor]:
        """Return tracks as one batch on the model's device, and where they end.

        The observations of a supervised model are y, and its inputs hold x.

        Args:
            tracks: tracks that begin with a usable row, see `usable`.
            change: applied to the positions first, such as an augmentation.
        """
        batch, anchor = self.preprocessor.batch(tracks, change)
        batch = batch.swap_target() if self.network.supervised else batch
        return batch.to(self.weight), anchor

    def batches(
        self, tracks: Tracks | UsableTracks, *, at_once: int, split_prefix: bool = False
    ) -> Iterator[Chunk]:
        """Yield tracks in chunks, each as one batch.

        Args:
            tracks: tracks that begin with a usable row, or the result of `usable`.
            at_once: number of tracks in a chunk.
            split_prefix: split off the prefix that a model conditions on.
        """
        if isinstance(tracks, Tracks):
            every = np.arange(len(tracks))
            tracks = UsableTracks(tracks, every, np.zeros_like(every))
        given = self.preprocessor.transform.given
        for start in range(0, len(tracks.tracks), at_once):
            rows = slice(start, start + at_once)
            batch, anchor = self.batch(tracks.tracks[rows])
            offset, prefix = tracks.offset[rows] + given, None
            if split_prefix and reads_prefix(self.network):
                prefix, batch, cut = batch.split_prefix((self.observe or 1) - given)
                offset = offset + cut.cpu().numpy()
            yield Chunk(
                start, tracks.tracks.ids[rows], tracks.index[rows], batch, prefix, offset, anchor
            )

    def decode(
        self,
        drawn: Float[Tensor, "*sample batch time dim"],
        anchor: Anchor,
        gap: Float[Tensor, "*sample batch dim"] | None = None,
    ) -> Float[np.ndarray, "*sample batch time dim"]:
        """Return outputs of the network in data units.

        Args:
            drawn: outputs in model units.
            anchor: where the tracks end that the outputs follow.
            gap: what the network has drawn since the last observed point.
        """
        before = None if gap is None or self.network.supervised else to_numpy(gap)
        return self.output_transform.decode(to_numpy(drawn), self.output_anchor(anchor), before)

    def _tracks_of(self, array: np.ndarray) -> Tracks:
        """Return the sequences of an array as tracks."""
        names = self.preprocessor.x_names
        if array.ndim not in (2, 3):
            raise DataError(
                expected="tracks or an array (batch, time, dim)",
                found=f"an array of shape {array.shape}",
            )
        if array.shape[-1] != len(names):
            raise DataError(
                f"the model was trained with x columns ({', '.join(names)})",
                expected=f"an array (batch, time, {len(names)})",
                found=f"shape {array.shape}",
            )
        return Tracks(list(array if array.ndim == 3 else array[None]), x_names=names)
