"""Small untrained models of every kind, and walks for them: for what a verb does with data, not for what a model learns."""

from dataclasses import replace
from functools import cache

import numpy as np
import torch

import vrnn
from vrnn.trained import TrainedModel
from vrnn.training.prepare import prepare

LATENT = {"hidden": 6, "latent_dim": 3}
KINDS = {
    "rnn": vrnn.RNNConfig(2, hidden=6, emission="full_gaussian"),
    "factorised": vrnn.RNNConfig(2, hidden=6),
    "seq2seq": vrnn.Seq2SeqVAEConfig(2, **LATENT),
    "same": vrnn.Seq2SeqVAEConfig(2, target="same", **LATENT),
    "autoencoder": vrnn.RolloutVAEConfig(2, task="autoencoding", dynamics="driven", **LATENT),
    "vrnn": vrnn.VRNNConfig(2, emission="mixture(2)", **LATENT),
    "dmm": vrnn.DMMConfig(2, **LATENT),
    "srnn": vrnn.SRNNConfig(2, **LATENT),
    "storn": vrnn.STORNConfig(2, emission="student_t", **LATENT),
    "rssm": vrnn.RSSMConfig(2, **LATENT),
}
SUPERVISED = {
    "rnn-y": vrnn.RNNConfig(2, y_dim=1, supervised=True, hidden=6),
    "seq2seq-y": vrnn.Seq2SeqVAEConfig(2, y_dim=1, target="supervised", **LATENT),
    "vrnn-y": vrnn.VRNNConfig(2, y_dim=1, supervised="encoder", **LATENT),
    "conditional-y": vrnn.VRNNConfig(2, y_dim=1, supervised="conditional", **LATENT),
}
OTHERS = {
    "rollout": vrnn.RolloutVAEConfig(2, **LATENT),
    "binary": vrnn.VRNNConfig(2, emission="bernoulli", **LATENT),
}
CONFIGS = KINDS | SUPERVISED | OTHERS


def walks(
    count: int = 6, rows: int = 12, seed: int = 0, *, u: bool = False, y: bool = False
) -> vrnn.Tracks:
    """Walks in metres, one row every half second, with a known input and a target if asked."""
    random = np.random.default_rng(seed)
    x = np.cumsum(random.normal(size=(count, rows, 2)), 1) + 10
    more = {"u": list(random.normal(size=(count, rows, 1))), "u_names": ("load",)} if u else {}
    if y:
        more |= {"y": list(30 + 2 * x[..., :1]), "y_names": ("power",)}
    return vrnn.Tracks(
        list(x), [f"w{i}" for i in range(count)], times=[0.5 * np.arange(rows)] * count, **more
    )


def bits(count: int = 6, rows: int = 12, seed: int = 0) -> vrnn.Tracks:
    """Two keys that are down or up."""
    return vrnn.Tracks(
        list(np.random.default_rng(seed).integers(0, 2, (count, rows, 2)).astype(float))
    )


def holed(tracks: vrnn.Tracks, *places: tuple[int, slice]) -> vrnn.Tracks:
    """Take rows of x away."""
    x = [a.copy() for a in tracks.x]
    for track, rows in places:
        x[track][rows] = np.nan
    return replace(tracks, x=x)


@cache
def made(
    kind: str, *, displacement: bool = True, heading: bool = False, u: bool = False
) -> TrainedModel:
    """Make a model in float64, its weights further apart than at the start of training."""
    binary = kind == "binary"
    tracks = bits(20) if binary else walks(20, seed=9, u=u, y=kind in SUPERVISED)
    settings = vrnn.TrainConfig(
        transform=vrnn.TransformConfig(displacement=displacement and not binary, heading=heading, standardise=not binary),
        observe=5, holdout=0.0,
    )  # fmt: skip
    model = prepare(CONFIGS[kind], tracks, settings, None).trained
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        for parameter in model.network.double().parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model
