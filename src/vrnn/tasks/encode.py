"""Codes: the mean and scale of every latent dimension, given the data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vrnn.data.io.write import OutputTable, write_table
from vrnn.data.tracks import Tracks
from vrnn.errors import DataError, UnsupportedError, check_seed, require
from vrnn.inference.noise import Stream, draw_noise, seeded
from vrnn.inference.unroll import unroll
from vrnn.models.contract import GlobalLatentModel
from vrnn.tasks import memory
from vrnn.trained import to_numpy
from vrnn.training.resolve import ModelOrFolder, resolve_model


@dataclass(frozen=True)
class Codes:
    """The codes of tracks.

    Attributes:
        tables: one array for each track: (n, 2) from a model with a global latent, (T_i, n, 2)
            from one with a latent at every time step. [..., 0] is the mean, [..., 1] the scale.
        ids: the tracks.
        per_step: whether there is a table for every time step.
    """

    tables: list[np.ndarray]
    ids: list[str]
    per_step: bool

    def to_columns(self) -> OutputTable:
        """Return a table with a row for each track, or time step: id, step, mean0, ..., scale0."""
        rows = [t if self.per_step else t[None] for t in self.tables]
        flat = np.concatenate(rows)
        columns: OutputTable = {"id": np.repeat(np.array(self.ids, object), [len(r) for r in rows])}
        if self.per_step:
            columns["step"] = np.concatenate([np.arange(len(r)) for r in rows])
        for j, name in enumerate(("mean", "scale")):
            columns |= {f"{name}{i}": flat[:, i, j] for i in range(flat.shape[1])}
        return columns

    def to_frame(self) -> Any:
        """Return the table as a pandas DataFrame."""
        return require("pandas", "frames").DataFrame(self.to_columns())

    def save(self, path: str | Path) -> Path:
        """Write the table to .csv, .parquet or .npz."""
        return write_table(self.to_columns(), path)


@torch.no_grad()
def encode(tracks: Tracks | np.ndarray, *, model: ModelOrFolder, seed: int = 0) -> Codes:
    """Return the codes of tracks: mean and scale of the latent's Gaussian given the data.

    A RolloutVAE has one global latent, N(mu(T), s(T)), and so one table for each track. The other
    models have a table for every time step, N(mu_t, s_t), given one sampled past. The first row
    has no code under a displacement transform, because it only says where the track begins.

    Args:
        tracks: tracks, or an array (batch, time, dim) or (time, dim).
        model: a trained model, or the path of a run folder.
        seed: seed of the sampled past.

    Raises:
        UnsupportedError: an RNN, which has no latent.
        DataError: no track is long enough.

    Example:
        >>> import numpy as np, vrnn
        >>> walk = lambda i: np.cumsum(np.random.default_rng(i).normal(size=(12, 2)), 0)
        >>> tracks = vrnn.Tracks([walk(i) for i in range(20)])
        >>> config = vrnn.RolloutVAEConfig(x_dim=2, hidden=8, latent_dim=4, task="autoencoding")
        >>> run = vrnn.train(tracks, config=config, training=vrnn.TrainConfig(steps=5), quiet=True)
        >>> vrnn.encode(tracks[:2], model=run.model).tables[0].shape
        (4, 2)
    """
    check_seed(seed)
    model = resolve_model(model)
    network = model.network
    if model.exact:
        raise UnsupportedError(
            "an RNN has no latent to encode into; train a seq2seq, rollout or vrnn model"
        )
    least = 1 + model.preprocessor.transform.given
    tracks = model.preprocessor.trim(model.as_tracks(tracks), least)
    if not len(tracks):
        rows = "row" if least == 1 else "rows"
        raise DataError(f"expected a track of at least {least} observed {rows}, found none")
    tables = []
    at_once = max(1, memory.ENCODED_ROWS // int(tracks.lengths.max()))
    for chunk in model.batches(tracks, at_once=at_once):
        batch = chunk.batch
        if isinstance(network, GlobalLatentModel):
            tables += list(to_numpy(network.encode(batch, network.embed_inputs(batch.u)).table))
            continue
        count, time = batch.x.shape[:2]
        noise = draw_noise(network, 1, count, time, seeded(seed, Stream.ENCODE, chunk.start))
        posterior = to_numpy(unroll(network, batch, noise).posterior.table[0])
        tables += [t[:n] for t, n in zip(posterior, batch.length.tolist(), strict=True)]
    per_step = not isinstance(network, GlobalLatentModel)
    return Codes(tables, list(tracks.ids), per_step=per_step)
