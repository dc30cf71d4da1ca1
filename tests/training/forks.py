"""Walks that fork in three, with models and settings small enough to fit a mode set to them."""

import numpy as np

import vrnn

TRAINING = vrnn.TrainConfig(
    steps=10, batch_size=16, window=9, observe=5, transform=vrnn.TransformConfig(heading=True)
)


SMALL = vrnn.ModesConfig(count=4, horizon=4, hidden=8, steps=6, batch_size=8, validate_every=3)


MODELS = {
    "rnn": vrnn.RNNConfig(2, hidden=8, emission="mixture(2)"),
    "seq2seq": vrnn.Seq2SeqVAEConfig(2, hidden=8, latent_dim=3),
    "rollout": vrnn.RolloutVAEConfig(2, hidden=8, latent_dim=3),
    "autoencoder": vrnn.RolloutVAEConfig(2, hidden=8, latent_dim=3, task="autoencoding"),
    "vrnn": vrnn.VRNNConfig(2, hidden=8, latent_dim=3, emission="full_gaussian", cell="lstm"),
    "dmm": vrnn.DMMConfig(2, hidden=8, latent_dim=3),
    "srnn": vrnn.SRNNConfig(2, hidden=8, latent_dim=3, emission="student_t"),
    "storn": vrnn.STORNConfig(2, hidden=8, latent_dim=3),
}


def forks(count: int, seed: int, rows: int = 9) -> vrnn.Tracks:
    """Return walks of unit steps that go straight for five rows, then left, right or on."""
    rng = np.random.default_rng(seed)
    angle = np.repeat(rng.uniform(0, 2 * np.pi, (count, 1)), rows, 1)
    angle[:, 5:] += rng.choice([-1.0, 0.0, 1.0], (count, 1))
    return vrnn.Tracks(
        list(
            np.stack([np.cos(angle), np.sin(angle)], -1).cumsum(1) + rng.normal(size=(count, 1, 2))
        )
    )
