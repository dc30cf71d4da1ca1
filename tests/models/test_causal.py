"""A causal transform: every task, and forecasts that turn, mirror, scale and shift with the data."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.helpers.untrained_models import holed, walks

import vrnn
from vrnn.distributions.tree import tree_map
from vrnn.errors import ConfigError, UnsupportedError
from vrnn.inference.embed import embed_online
from vrnn.inference.noise import draw_noise
from vrnn.inference.random_numbers import seeded
from vrnn.inference.unroll import unroll
from vrnn.trained import TrainedModel

CAUSAL = vrnn.TransformConfig(causal=True)
CONFIGS = {
    "rnn": vrnn.RNNConfig(2, hidden=6, emission="mixture(3)"),
    "vrnn": vrnn.VRNNConfig(2, hidden=6, latent="categorical(4)", emission="full_gaussian"),
    "vrnn-gaussian": vrnn.VRNNConfig(2, hidden=6, latent_dim=3, emission="full_gaussian"),
    "srnn": vrnn.SRNNConfig(2, hidden=6, latent_dim=3, emission="full_gaussian"),
}


def made(name: str, **settings) -> TrainedModel:
    training = vrnn.TrainConfig(steps=3, holdout=0.0, transform=CAUSAL, **settings)
    return vrnn.train(walks(20), config=CONFIGS[name], training=training, quiet=True).model


def changed(tracks: vrnn.Tracks, matrix: np.ndarray, shift: float) -> vrnn.Tracks:
    return replace(tracks, x=[x @ matrix.T + shift for x in tracks.x])


@pytest.mark.parametrize("mirror", [1, -1])
@pytest.mark.parametrize("name", CONFIGS)
def test_forecasts_and_scores_go_with_the_data(name, mirror):
    """The model stays as it is; turned, mirrored, scaled and shifted tracks have such forecasts."""
    model, tracks = made(name), walks(8, seed=3)
    unit = model.preprocessor.transform.standardise.scale[0]
    c, s = np.cos(1.2), np.sin(1.2)
    matrix = np.array([[c, -s], [s, c]]) * [1, mirror] * 5.0
    given = {"model": model, "horizon": 6, "samples": 4, "seed": 1}
    one = vrnn.forecast(tracks, **given).samples
    other = vrnn.forecast(changed(tracks, matrix, 40.0), **given).samples
    np.testing.assert_allclose(other, one @ matrix.T + 40.0, rtol=1e-4, atol=1e-3 * 5 * unit)


def test_a_likelihood_changes_by_the_volume():
    model, tracks = made("vrnn"), walks(8, seed=3)
    moved = changed(tracks, 5.0 * np.eye(2), 40.0)
    one, other = (
        vrnn.filter_tracks(t, model=model, particles=200).log_prob for t in (tracks, moved)
    )
    for a, b in zip(one, other, strict=True):  # the first move is in the unit of the training data
        np.testing.assert_allclose(b[2:] - a[2:], -2 * np.log(5.0), atol=0.05)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_task_and_a_saved_run(name, tmp_path):
    tracks, settings = walks(20), vrnn.TrainConfig(steps=3, transform=CAUSAL)
    run = vrnn.train(
        tracks, config=CONFIGS[name], training=settings, out=tmp_path / "run", quiet=True
    )
    again, gaps = vrnn.load(tmp_path / "run"), holed(walks(), (0, slice(4, 6)), (1, slice(9, None)))
    for task in (
        lambda m: vrnn.forecast(gaps, model=m, horizon=4, samples=5).samples,
        lambda m: np.stack(vrnn.generate(model=m, count=3, steps=5).x),
        lambda m: vrnn.score(tracks[:3], model=m, particles=5).score,
        lambda m: np.concatenate(vrnn.impute(gaps, model=m, samples=4, particles=30).mean),
        lambda m: vrnn.reliability(tracks[:3], model=m, observe=4, horizon=3, samples=10).level,
        lambda m: np.array(
            vrnn.evaluate(tracks[:3], model=m, observe=4, horizon=3, samples=5).model.nll
        ),
    ):
        found = task(run.model)
        assert np.isfinite(found).all()
        np.testing.assert_array_equal(found, task(again))


def test_a_stream_reads_its_point_by_its_own_transform():
    """Also a model whose evidence looks ahead: the latent of a step depends on the step itself."""
    model, tracks = made("srnn"), walks(6, seed=3)
    network = model.network.double()
    batch = model.preprocessor.batch(tracks)[0].to(torch.zeros((), dtype=torch.float64))
    online = embed_online(network, batch)
    state = unroll(network, batch, draw_noise(network, 1, 6, batch.x.shape[1], seeded(0)))
    before = tree_map(lambda s: s[0], state.belief.state)
    q = [network.posterior(before, online.evidence[:, t]).mean for t in (2, 3)]
    assert (q[0] - q[1]).abs().max() > 1e-4


def test_mode_sets_are_refused():
    with pytest.raises(UnsupportedError, match="take clusters"):
        vrnn.fit_modes(walks(20), model=made("vrnn"))


def test_energy_and_long_sequences_train():
    settings = {"energy_weight": 0.5, "energy_rows": 4, "energy_from": 0.0}
    for more in (settings, {"chunk": 5}):
        run = vrnn.train(
            walks(20),
            config=CONFIGS["vrnn"],
            training=vrnn.TrainConfig(steps=3, transform=CAUSAL, **more),
            quiet=True,
        )
        assert np.isfinite([r["loss"] for r in run.history]).all()


@pytest.mark.parametrize(
    ("config", "transform", "words"),
    [
        (vrnn.RNNConfig(2, emission="gaussian"), CAUSAL, "expected full_gaussian or mixture"),
        (vrnn.RolloutVAEConfig(2, emission="full_gaussian"), CAUSAL, "found a RolloutVAE"),
    ],
)
def test_what_it_does_not_serve(config, transform, words):
    with pytest.raises(ConfigError, match=words):
        vrnn.train(
            walks(8),
            config=config,
            training=vrnn.TrainConfig(steps=1, transform=transform, observe=4),
            quiet=True,
        )


def test_settings_that_exclude_each_other():
    with pytest.raises(ConfigError, match="a causal transform turns every move"):
        vrnn.TransformConfig(causal=True, heading=True)
    with pytest.raises(ConfigError, match="a causal transform models increments"):
        vrnn.TransformConfig(causal=True, displacement=False)
    with pytest.raises(ConfigError, match="makes all places alike"):
        made("rnn", position_input=True)
