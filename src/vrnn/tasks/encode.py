"""Codes: what a model knows of its latents given the data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vrnn.data.io.write import OutputTable, to_frame, write_table
from vrnn.data.origin import FROM_MEMORY, Origin
from vrnn.data.tracks import Tracks
from vrnn.errors import DataError, Function, UnsupportedError, check_seed
from vrnn.inference.noise import draw_noise
from vrnn.inference.random_numbers import Stream, track_numbers
from vrnn.inference.unroll import unroll
from vrnn.models.contract import GlobalLatentModel
from vrnn.tasks import memory
from vrnn.trained import to_numpy
from vrnn.training.resolve import ModelOrFolder, resolve_model


@dataclass(frozen=True)
class Codes:
    """The codes of tracks.

    Attributes:
        tables: the Gaussian dimensions, one array for each track: (n, 2) from a model with a global
            latent, (T_i, n, 2) from one with a latent at every time step. [..., 0] is the mean,
            [..., 1] the scale. n is 0 where all latents are categories.
        ids: the tracks.
        per_step: whether there is a table for every time step.
        probabilities: of the categories, group after group, one array (K,) or (T_i, K) for each
            track. None where there are no categories.
        origin: the source of the tracks, whose names and types the table takes.
    """

    tables: list[np.ndarray]
    ids: list[str]
    per_step: bool
    probabilities: list[np.ndarray] | None = None
    origin: Origin = FROM_MEMORY

    def to_columns(self) -> OutputTable:
        """Return a table with a row for each track, or time step.

        Its columns are id, step, mean0, ..., scale0, ..., probability0, ...
        """
        rows = [t if self.per_step else t[None] for t in self.tables]
        flat = np.concatenate(rows)
        columns: OutputTable = {"id": np.repeat(np.array(self.ids, object), [len(r) for r in rows])}
        if self.per_step:
            columns["step"] = np.concatenate([np.arange(len(r)) for r in rows])
        for j, name in enumerate(("mean", "scale")):
            columns |= {f"{name}{i}": flat[:, i, j] for i in range(flat.shape[1])}
        if self.probabilities is not None:
            every = np.concatenate([np.atleast_2d(p) for p in self.probabilities])
            columns |= {f"probability{i}": column for i, column in enumerate(every.T)}
        return columns

    def to_frame(self) -> Any:
        """Return the table as a DataFrame, of the library that the tracks came from."""
        return to_frame(self.to_columns(), self.origin)

    def save(self, path: str | Path) -> Path:
        """Write the table to .csv, .parquet or .npz."""
        return write_table(self.to_columns(), path, self.origin)


@torch.no_grad()
def encode(
    tracks: Tracks | np.ndarray, *, model: ModelOrFolder | None = None, seed: int = 0
) -> Codes:
    """Return the codes of tracks: the posterior of each latent given the data.

    | latent | what is returned |
    |---|---|
    | gaussian | mean and scale of each dimension |
    | categorical(K) | probabilities of the K categories, exact given the sampled past |
    | G*categorical(K) | probabilities of K categories in each of G groups, by a network |
    | gaussian+categorical(K) | both; the probabilities are exact given a draw of the Gaussian too |

    Exact means q(k) proportional to p(k | s_t) p(x_t | s_t, k), where s_t holds the sampled past.
    A RolloutVAE and the target `same` of a Seq2SeqVAE have the probabilities of their encoder in
    its place. At a missing point, and where the posterior is the prior, the code is the prior.

    A RolloutVAE has one code for each track. The other models have one for every time step. The
    first row has no code under a displacement transform, because it only says where the track
    begins.

    Args:
        tracks: tracks, or an array (batch, time, dim) or (time, dim).
        model: a trained model, the path of a run folder, or None for the one that needs no training.
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
        >>> config = vrnn.VRNNConfig(x_dim=2, hidden=8, latent="categorical(3)")
        >>> run = vrnn.train(tracks, config=config, training=vrnn.TrainConfig(steps=5), quiet=True)
        >>> codes = vrnn.encode(tracks[:2], model=run.model)
        >>> codes.tables[0].shape, codes.probabilities[0].shape
        ((11, 0, 2), (11, 3))
    """
    check_seed(seed)
    model = resolve_model(model, tracks)
    network = model.network
    if model.exact:
        raise UnsupportedError(
            "an RNN has no latent to encode into", hint="train a seq2seq, rollout or vrnn model"
        )
    least = 1 + model.preprocessor.transform.given
    tracks = model.preprocessor.trim(model.as_tracks(tracks), least)
    if not len(tracks):
        rows = "row" if least == 1 else "rows"
        raise DataError(
            expected=f"a track of at least {least} observed {rows}",
            found="none",
            hint=("see what the data holds with ", Function("describe")),
        )
    tables, probabilities = [], []
    at_once = max(1, memory.ENCODED_ROWS // int(tracks.lengths.max()))
    for chunk in model.batches(tracks, at_once=at_once):
        batch = chunk.batch
        if isinstance(network, GlobalLatentModel):
            found = network.encode(batch, network.embed_inputs(batch.u))
            tables += list(to_numpy(found.table))
            probabilities += list(to_numpy(found.probabilities))
            continue
        count, time = batch.x.shape[:2]
        source = track_numbers(seed, Stream.ENCODE, chunk.names)
        noise = draw_noise(network, 1, count, time, source)
        posterior, lengths = unroll(network, batch, noise).posterior, batch.length.tolist()
        for every, of in ((tables, posterior.table), (probabilities, posterior.probabilities)):
            every += [t[:n] for t, n in zip(to_numpy(of[0]), lengths, strict=True)]
    per_step = not isinstance(network, GlobalLatentModel)
    has_categories = bool(probabilities[0].shape[-1])
    found = probabilities if has_categories else None
    return Codes(tables, list(tracks.ids), per_step, found, tracks.origin)
