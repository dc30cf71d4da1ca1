"""The report on the use of latents: of every kind of model, its words, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from tests.helpers.untrained_models import KINDS, SUPERVISED, bits, made, walks

import vrnn
from vrnn.cli.flags import CommandWords
from vrnn.errors import ConfigError, DataError, UnsupportedError, write
from vrnn.objectives.latent_use import LatentUse
from vrnn.tasks.latent_use import LatentUsage, use_sentences
from vrnn.trained import TrainedModel

SETTINGS = vrnn.TrainConfig(steps=2, holdout=0.0)
USE = LatentUse(["categories0"], [0.31], [0.13] * 7 + [0.001], True, 0.92, 2.08, 0.28)
BOTH = [f"gaussian{i}" for i in range(3)]


def with_latent(latent: str, **more) -> TrainedModel:
    config = vrnn.VRNNConfig(2, hidden=6, latent_dim=3, latent=latent)
    settings = replace(SETTINGS, **more)
    return vrnn.train(walks(), config=config, training=settings, quiet=True).model


@pytest.mark.parametrize(
    "kind", [*(n for n in KINDS if n not in ("rnn", "factorised")), *SUPERVISED]
)
def test_every_model_with_latents_has_a_report(kind):
    if kind == "rnn-y":
        return
    tracks = walks(y=kind in SUPERVISED)
    found = vrnn.latent_use(tracks, model=made(kind))
    own = kind not in ("seq2seq", "seq2seq-y", "vrnn-y")
    assert found.units == BOTH and found.has_posterior == own
    assert (found.nats > 0) == own == (found.loss != 0)
    assert found.information < found.information_limit < np.log(1024)
    assert ("training draws latents from the prior" in str(found)) != own


def test_models_with_a_prefix_a_heading_and_keys():
    for name, tracks, more in (
        ("rollout", walks(), {}),
        ("vrnn", walks(), {"heading": True}),
        ("binary", bits(), {}),
    ):
        found = vrnn.latent_use(tracks, model=made(name, **more))
        assert np.isfinite([found.nats, found.loss, found.information]).all()
        assert len(found.units) == 3


def test_a_report_as_numbers_and_as_a_table():
    found = vrnn.latent_use(walks(), model=with_latent("gaussian+categorical(5)"))
    assert isinstance(found, LatentUsage) and found.units == [*BOTH, "categories0"]
    assert len(found.shares) == 5 and sum(found.shares) == pytest.approx(1, rel=1e-5)
    assert found.categories_used == sum(s >= 0.01 for s in found.shares)
    table = found.to_columns()
    assert list(table["unit"]) == found.units and table["nats"].sum() == pytest.approx(found.nats)
    assert len(found.to_frame()) == 4
    assert found.to_dict()["nats"] == found.nats and "text" not in found.to_dict()
    assert str(found) == found.to_text() and " of 5 categories in use" in str(found)


def test_noise_is_that_of_the_seed_and_does_not_change_exact_parts():
    model = made("vrnn")
    one, two, other = (vrnn.latent_use(walks(), model=model, seed=s) for s in (0, 0, 1))
    assert one == two and one != other
    assert one.nats == pytest.approx(other.nats, rel=0.2)


def test_it_does_not_depend_on_how_many_tracks_go_together(monkeypatch):
    """Of rows that lack nothing, under a posterior that needs no draw of the past."""
    model = made("storn")
    whole = vrnn.latent_use(walks(), model=model)
    monkeypatch.setattr("vrnn.tasks.memory.USED_ROWS", 30)
    parts = vrnn.latent_use(walks(), model=model)
    assert parts.nats == pytest.approx(whole.nats, rel=0.1)


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (
            USE,
            [
                "0.31 nats a step carried by categories (mutual information 0.92), 7 of 8 categories "
                "in use",
                "with latents from the prior the likelihood falls by 0.28 nats a step",
            ],
        ),
        (
            USE._replace(units=[*BOTH, "categories0"], nats_per_unit=[0.1] * 4, loss=-0.1),
            [
                "0.40 nats a step carried by Gaussians and categories (mutual information about "
                "0.92), 7 of 8 categories in use",
                "with latents from the prior the likelihood rises by 0.10 nats a step",
            ],
        ),
        (
            USE._replace(nats_per_unit=[0.0], has_posterior=False, loss=0.0),
            [
                "0 nats a step: training draws latents from the prior "
                "(mutual information 0.92), 7 of 8 categories in use"
            ],
        ),
    ],
)
def test_the_report_in_words(use, words):
    found = [write(text, CommandWords()) for text in use_sentences(use, made("vrnn"))]
    assert found == words


@pytest.mark.parametrize(
    ("latent", "more", "ways"),
    [
        (
            "gaussian",
            {},
            "--latent 'categorical(8)', a narrower --emission, more --free-bits or a longer "
            "--kl-warmup",
        ),
        (
            "gaussian",
            {"objective": "iwae", "samples": 2},
            "--latent 'categorical(8)', a narrower --emission or a longer --kl-warmup",
        ),
        ("categorical(8)", {}, "a narrower --emission"),
        (
            "2*categorical(8)",
            {},
            "a narrower --emission, more --free-bits or a longer --kl-warmup",
        ),
    ],
)
def test_idle_latents_come_with_what_to_change(latent, more, ways):
    """Categories that are gone through have no KL in the loss, which free bits could change."""
    idle = USE._replace(nats_per_unit=[0.004], loss=0.002, shares=[])
    idle = idle if latent == "gaussian" else idle._replace(shares=[0.125] * 8)
    (text,) = use_sentences(idle, with_latent(latent, **more))
    expected = f"idle (0.004 nats a step; the likelihood does not need them); try {ways}"
    assert write(text, CommandWords()) == expected
    if latent == "gaussian":
        assert "try latent='categorical(8)', a narrower emission" in write(text)


def test_what_is_refused():
    model = made("vrnn")
    with pytest.raises(UnsupportedError, match="an RNN has no latent to use"):
        vrnn.latent_use(walks(2), model=made("rnn"))
    with pytest.raises(DataError, match="a track with a scored row"):
        vrnn.latent_use(walks(2).cut(stop=1), model=model)
    with pytest.raises(ConfigError, match="samples: expected at least 1"):
        vrnn.latent_use(walks(2), model=model, samples=0)
    with pytest.raises(ConfigError, match="seed"):
        vrnn.latent_use(walks(2), model=model, seed=-1)
