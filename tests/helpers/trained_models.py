"""Small models of every kind, trained for a few steps on straight walks with a heading transform."""

from dataclasses import replace

import numpy as np

import vrnn
from vrnn.trained import TrainedModel

SETTINGS = vrnn.TrainConfig(steps=20, batch_size=16, warmup=0, learning_rate=5e-3, holdout=0.0)
WINDOWED = replace(SETTINGS, window=12, observe=5, transform=vrnn.TransformConfig(heading=True))
CONFIGS = {
    "rnn": vrnn.RNNConfig(x_dim=2, hidden=8),
    "seq2seq": vrnn.Seq2SeqVAEConfig(x_dim=2, hidden=8, latent_dim=3),
    "same": vrnn.Seq2SeqVAEConfig(x_dim=2, hidden=8, latent_dim=3, target="same"),
    "rollout": vrnn.RolloutVAEConfig(x_dim=2, hidden=8, latent_dim=3),
    "autoencoder": vrnn.RolloutVAEConfig(
        x_dim=2, hidden=8, latent_dim=3, dynamics="driven", task="autoencoding"
    ),
    "vrnn": vrnn.VRNNConfig(x_dim=2, hidden=8, latent_dim=3, emission="full_gaussian"),
    "dmm": vrnn.DMMConfig(x_dim=2, hidden=8, latent_dim=3),
    "srnn": vrnn.SRNNConfig(x_dim=2, hidden=8, latent_dim=3, cell="lstm"),
    "storn": vrnn.STORNConfig(x_dim=2, hidden=8, latent_dim=3, emission="mixture(2)"),
    "rssm": vrnn.RSSMConfig(x_dim=2, hidden=8, latent_dim=3),
}


def walks(count: int = 24, rows: int = 14, seed: int = 0) -> vrnn.Tracks:
    """Straight walks in all directions with a little noise, metres."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, count)
    velocity = np.stack([np.cos(angle), np.sin(angle)], -1)[:, None]
    steps = velocity + 0.05 * rng.normal(size=(count, rows, 2))
    return vrnn.Tracks(list(np.cumsum(steps, 1) + rng.normal(size=(count, 1, 2))))


def train_all() -> dict[str, TrainedModel]:
    """Return a trained model for every config."""
    return {
        name: vrnn.train(walks(), config=c, training=WINDOWED, quiet=True).model
        for name, c in CONFIGS.items()
    }
