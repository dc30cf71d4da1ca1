"""Codes: the n x 2 table, mean and scale of every latent dimension, that an encoder hands over."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vrnn.data.io.write import OutputTable, write_table
from vrnn.data.tracks import Tracks
from vrnn.errors import DataError, UnsupportedError, check_seed, require
from vrnn.inference.noise import Stream, draw_noise, seeded
from vrnn.kernels import unroll
from vrnn.models import RolloutVAE
from vrnn.tasks.futures import PASS_SIZE
from vrnn.training.resolve import ModelOrFolder, resolve_model


@dataclass(frozen=True)
class Codes:
    """Hold the tables of tracks.

    Attributes:
        tables: one array a track: (n, 2) for a model that encodes a track once, (T_i, n, 2) for one with a latent at every
            step; [..., 0] is the mean and [..., 1] the scale.
        ids: the tracks.
        per_step: which of the two it is.
    """

    tables: list[np.ndarray]
    ids: list[str]
    per_step: bool

    def to_columns(self) -> OutputTable:
        """Give a table with a row a track (and step): id, step, mean0.., scale0.. ."""
        rows = [t if self.per_step else t[None] for t in self.tables]
        flat = np.concatenate(rows)
        columns: OutputTable = {"id": np.repeat(np.array(self.ids, object), [len(r) for r in rows])}
        if self.per_step:
            columns["step"] = np.concatenate([np.arange(len(r)) for r in rows])
        for j, name in enumerate(("mean", "scale")):
            columns |= {f"{name}{i}": flat[:, i, j] for i in range(flat.shape[1])}
        return columns

    def to_frame(self) -> Any:
        """Give the table as a pandas DataFrame."""
        return require("pandas", "frames").DataFrame(self.to_columns())

    def save(self, path: str | Path) -> Path:
        """Write the table to .csv, .parquet or .npz."""
        return write_table(self.to_columns(), path)


@torch.no_grad()
def encode(tracks: Tracks | np.ndarray, *, model: ModelOrFolder, seed: int = 0) -> Codes:
    """Encode tracks as tables (mu, s) of the latent's Gaussian given the data.

    A RolloutVAE gives one table a track, N(mu(T), s(T)). The others give one a row, N(mu_t, s_t) given the data up to t and
    one sampled past. Rows that a displacement transform takes as given have no code.

    Args:
        seed: of the sampled past.

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
    network, preprocessor = model.network, model.preprocessor
    if not network.latent_dim and not network.code_dim:
        raise UnsupportedError(
            "an RNN has no latent to encode into; train a seq2seq, rollout or vrnn model"
        )
    least = 1 + preprocessor.transform.given
    tracks = preprocessor.trim(model.as_tracks(tracks), least)
    if not len(tracks):
        raise DataError(
            f"expected a track of at least {least} observed {'row' if least == 1 else 'rows'}, found none"
        )
    tables: list[np.ndarray] = []
    size = max(1, PASS_SIZE // int(tracks.lengths.max()))
    for start in range(0, len(tracks), size):
        batch = preprocessor.batch(tracks[start : start + size])[0]
        batch = (batch.swap_target() if network.supervised else batch).to(
            next(network.parameters())
        )
        if isinstance(network, RolloutVAE):
            table = network.table_of(batch)
            tables += list(torch.stack([table.mean, table.scale], -1).cpu().double().numpy())
            continue
        count, time = batch.x.shape[:2]
        noise = draw_noise(network, 1, count, time, seeded(seed, Stream.ENCODE, start))
        posterior = unroll(network, batch, noise).posterior
        both = torch.stack([posterior.mean[0], posterior.scale[0]], -1).cpu().double().numpy()
        tables += [t[:n] for t, n in zip(both, batch.length.tolist(), strict=True)]
    return Codes(tables, list(tracks.ids), per_step=not isinstance(network, RolloutVAE))
