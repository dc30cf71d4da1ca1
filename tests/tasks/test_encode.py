"""Codes: their shapes and values, and the model that has none."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.helpers.enumeration import Chain
from tests.helpers.trained_models import WINDOWED, walks
from tests.helpers.untrained_models import bits

import vrnn
from vrnn.data.preprocessor import Preprocessor
from vrnn.errors import UnsupportedError
from vrnn.trained import TrainedModel


def with_latent(latent: str, config: vrnn.ModelConfig | None = None) -> TrainedModel:
    config = config or vrnn.VRNNConfig(x_dim=2, hidden=8, latent_dim=3)
    config = replace(config, latent=latent)  # pyrefly: ignore
    return vrnn.train(walks(), config=config, training=replace(WINDOWED, steps=2), quiet=True).model


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        *((name, (13, 3, 2)) for name in ("vrnn", "same", "dmm", "srnn", "storn")),
        *((name, (3, 2)) for name in ("autoencoder", "rollout")),
    ],
)
def test_encode_gives_the_table_of_means_and_scales(trained, name, shape):
    codes = vrnn.encode(walks(4), model=trained[name])
    assert len(codes.tables) == 4
    assert codes.tables[0].shape == shape
    assert (codes.tables[0][..., 1] > 0).all()
    assert codes.probabilities is None
    transform = codes.to_frame()
    assert len(transform) == (4 * 13 if len(shape) == 3 else 4)
    assert {"mean0", "scale2"} <= set(transform.columns)


@pytest.mark.parametrize(
    ("latent", "gaussians", "groups"),
    [
        ("categorical(4)", 0, 1),
        ("gaussian+categorical(4)", 3, 1),
        ("gaussian+2*categorical(4)", 3, 2),
    ],
)
def test_categories_have_probabilities(latent, gaussians, groups, tmp_path):
    codes = vrnn.encode(walks(4), model=with_latent(latent))
    assert codes.tables[0].shape == (13, gaussians, 2)
    assert [p.shape for p in codes.probabilities] == [(13, 4 * groups)] * 4
    np.testing.assert_allclose(np.concatenate(codes.probabilities).sum(1), groups, rtol=1e-5)
    table = codes.to_columns()
    names = [f"{kind}{i}" for kind in ("mean", "scale") for i in range(gaussians)]
    names += [f"probability{i}" for i in range(4 * groups)]
    assert list(table) == ["id", "step", *names]
    np.testing.assert_array_equal(table["probability1"][13:26], codes.probabilities[1][:, 1])
    assert codes.save(tmp_path / "codes.csv").read_text().count("\n") == 1 + 4 * 13


@pytest.mark.parametrize("latent", ["categorical(4)", "gaussian+categorical(4)"])
@pytest.mark.parametrize("task", ["forecasting", "autoencoding"])
def test_a_global_latent_has_one_code_a_track(latent, task):
    config = vrnn.RolloutVAEConfig(x_dim=2, hidden=8, latent_dim=3, task=task)
    codes = vrnn.encode(walks(4), model=with_latent(latent, config))
    assert codes.tables[0].shape == (3 if "gaussian" in latent else 0, 2) and not codes.per_step
    assert [p.shape for p in codes.probabilities] == [(4,)] * 4
    assert np.concatenate(codes.probabilities).sum() == pytest.approx(4, rel=1e-5)
    assert len(codes.to_columns()["probability3"]) == len(codes.to_columns()["id"]) == 4


def test_probabilities_are_those_of_bayes_rule():
    """q(k) is proportional to p(k) p(x | k). Where x is missing it is the prior."""
    chain = Chain("bernoulli", "categorical", 1)
    tracks = vrnn.Tracks([x[:, :1] for x in bits(6, 3).x])
    settings = vrnn.TrainConfig(
        transform=vrnn.TransformConfig(displacement=False, standardise=False)
    )
    preprocessor = Preprocessor.fit(
        tracks, settings.transform, chain.observation, supervised=False, observe=None,
        time_input=False, position_input=False,
    )  # fmt: skip
    model = TrainedModel(chain, preprocessor, vrnn.RNNConfig(1), settings.to_dict())
    codes = vrnn.encode(tracks, model=model)
    up = torch.special.ndtr(chain.moves[0, 0]).item()
    on = chain.emits[:, 0, 0].sigmoid().tolist()
    for x, found in zip(tracks.x, codes.probabilities, strict=True):
        joint = [p * (q if x[0, 0] else 1 - q) for p, q in zip((1 - up, up), on, strict=True)]
        np.testing.assert_allclose(found[0], np.array(joint) / sum(joint), rtol=1e-6)
    gap = vrnn.Tracks([np.array([[1.0], [np.nan], [0.0]])])
    found = vrnn.encode(gap, model=model).probabilities[0]
    assert np.isclose(found[1, 1], torch.special.ndtr(chain.moves[:, 1]).tolist()).any()


def test_an_rnn_has_no_code(trained):
    with pytest.raises(UnsupportedError, match="no latent"):
        vrnn.encode(walks(2), model=trained["rnn"])
