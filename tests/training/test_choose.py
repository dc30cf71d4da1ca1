"""The emission and the latent of data for which none is named."""

import numpy as np
import pytest

import vrnn
from vrnn.training.choose import choose_families, chosen_families

RNG = np.random.default_rng(0)


def tracks(x: np.ndarray) -> vrnn.Tracks:
    return vrnn.Tracks([x])


WALK = RNG.normal(size=(20, 2)).cumsum(0)
HOLED = WALK.copy()
HOLED[3, 0] = np.nan
GAP = WALK.copy()
GAP[3] = np.nan
CATEGORIES = {"emission": "full_gaussian", "latent": "categorical(16)"}


@pytest.mark.parametrize(
    ("x", "config", "expected"),
    [
        (WALK, vrnn.VRNNConfig, CATEGORIES),
        (GAP, vrnn.VRNNConfig, CATEGORIES),
        (WALK, vrnn.RNNConfig, {"emission": "mixture(16)"}),
        (WALK, vrnn.SRNNConfig, {"emission": "mixture(16)"}),
        (HOLED, vrnn.VRNNConfig, {"emission": "gaussian"}),
        (RNG.normal(size=(20, 4)), vrnn.VRNNConfig, {"emission": "gaussian"}),
        (RNG.integers(0, 2, (20, 2)).astype(float), vrnn.VRNNConfig, {"emission": "bernoulli"}),
    ],
)
def test_families_follow_the_columns(x, config, expected):
    assert choose_families(tracks(x), config) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, CATEGORIES),
        ({"hidden": 8}, CATEGORIES),
        ({"emission": "gaussian"}, {}),
        ({"latent": "gaussian"}, {"emission": "full_gaussian"}),
        ({"latent_dim": 4}, {"emission": "full_gaussian"}),
        ({"supervised": "encoder"}, {}),
        ({"supervised": "no"}, CATEGORIES),
    ],
)
def test_what_a_user_names_is_not_chosen(given, expected):
    assert chosen_families(tracks(WALK), vrnn.VRNNConfig, given) == expected


def test_flags_of_other_models_choose_too():
    """A supervised setting may be a word, a switch or a target."""
    mixture = {"emission": "mixture(16)"}
    assert chosen_families(tracks(WALK), vrnn.RNNConfig, {"supervised": False}) == mixture
    assert chosen_families(tracks(WALK), vrnn.RNNConfig, {"supervised": True}) == {}
    assert chosen_families(tracks(WALK), vrnn.Seq2SeqVAEConfig, {"target": "next"}) == mixture
    assert chosen_families(tracks(WALK), vrnn.Seq2SeqVAEConfig, {"target": "supervised"}) == {}


def test_a_model_without_a_config_has_them():
    data = vrnn.Tracks([RNG.normal(size=(12, 2)).cumsum(0) for _ in range(8)])
    given = {"start": "scratch", "training": vrnn.TrainConfig(steps=1), "quiet": True}
    config = vrnn.train(data, **given).model.config
    assert (config.emission, config.latent) == tuple(CATEGORIES.values())
