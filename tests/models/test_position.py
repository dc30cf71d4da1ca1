"""Positions as inputs: the model reads where the track is, in every task, and learns from it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.helpers.untrained_models import bits, holed, walks

import vrnn
from vrnn.errors import ConfigError
from vrnn.inference.noise import draw_noise
from vrnn.inference.random_numbers import seeded
from vrnn.inference.unroll import unroll
from vrnn.trained import TrainedModel
from vrnn.training.prepare import prepare

CONFIGS = {
    "rnn": vrnn.RNNConfig(2, hidden=6, emission="full_gaussian"),
    "vrnn": vrnn.VRNNConfig(2, hidden=6, latent_dim=3),
    "srnn": vrnn.SRNNConfig(2, hidden=6, latent_dim=3),
}
GAPS = [(0, slice(4, 6)), (1, slice(9, None)), (2, slice(0, 3))]


def on_the_map(tracks: vrnn.Tracks) -> vrnn.Tracks:
    return replace(tracks, x_names=("lat", "lon"))


def made(name: str, geographic: str = "", **settings) -> TrainedModel:
    transform = vrnn.TransformConfig(geographic=geographic)
    tracks = on_the_map(walks(20, seed=9))
    config = vrnn.TrainConfig(transform=transform, position_input=True, holdout=0.0, **settings)
    model = prepare(CONFIGS[name], tracks, config, None).trained
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        for parameter in model.network.double().parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return model


def place(model: TrainedModel, u: torch.Tensor, moved: torch.Tensor) -> np.ndarray:
    """The position that `PositionConditioned` tells its inner model, in data units."""
    start, factor = u[..., -4:-2], u[..., -2:]
    told = (start + factor * moved).detach().double().numpy()
    return told * np.array(model.preprocessor.position_scale) + np.array(
        model.preprocessor.position_mean
    )


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("geographic", ["", "nmi"])
def test_the_place_is_where_the_track_is(name, geographic):
    """After every track's last observed row, gaps behind it or not; the inner model has one input for a start and a factor."""
    model = made(name, geographic)
    assert model.network.inner.emission  # the network is the model of the config in its place
    assert model.config.u_dim == 2 and model.preprocessor.u_dim == 4
    tracks = on_the_map(holed(walks(), (0, slice(4, 6)), (1, slice(3, 4))))
    batch = model.preprocessor.batch(tracks)[0].to(next(model.network.parameters()))
    noise = draw_noise(model.network, 3, len(batch.x), batch.x.shape[1], seeded(0))
    state = unroll(model.network, batch, noise).belief.state
    last = np.stack([x[-1] for x in tracks.x])
    np.testing.assert_allclose(
        place(model, batch.u[:, -1], state.moved), np.broadcast_to(last, (3, 6, 2)), atol=1e-4
    )


@pytest.mark.parametrize("name", ["rnn", "vrnn"])
@pytest.mark.parametrize("geographic", ["", "km"])
def test_point_by_point_equals_the_whole_track_and_forecasts_go_on_from_both(name, geographic):
    model, tracks = made(name, geographic), on_the_map(holed(walks(), *GAPS[:2]))
    tracks = tracks.rename([str(i) for i in range(6)])  # the ids of a belief before any point
    whole = vrnn.filter_tracks(tracks, model=model, particles=5, seed=3)
    belief = vrnn.initial_belief(model=model, count=6, particles=5, seed=3)
    for t in range(12):
        belief, _ = vrnn.observe(
            np.stack([x[t] for x in tracks.x]), belief=belief, model=model, time=0.5 * t
        )
    for a, b in zip(belief.belief.state, whole.belief.belief.state, strict=True):
        torch.testing.assert_close(*torch.broadcast_tensors(a, b), rtol=1e-5, atol=1e-5)
    one, two = (
        vrnn.forecast(b, model=model, horizon=4, samples=8, seed=1).samples
        for b in (belief, whole.belief)
    )
    np.testing.assert_allclose(one, two, rtol=1e-5)
    from_tracks = vrnn.forecast(tracks[3:], model=model, horizon=4, samples=400, seed=1).samples
    from_belief = vrnn.forecast(
        vrnn.filter_tracks(tracks[3:], model=model, particles=400, seed=5).belief,
        model=model,
        horizon=4,
        samples=400,
    ).samples
    np.testing.assert_allclose(from_tracks.mean(0), from_belief.mean(0), atol=0.5)


def test_every_task_and_a_saved_run(tmp_path):
    tracks = on_the_map(walks(20))
    settings = vrnn.TrainConfig(
        steps=3, position_input=True, transform=vrnn.TransformConfig(geographic="nmi")
    )
    run = vrnn.train(
        tracks, config=CONFIGS["vrnn"], training=settings, out=tmp_path / "run", quiet=True
    )
    again, gaps = vrnn.load(tmp_path / "run"), on_the_map(holed(walks(), *GAPS[:2]))
    for task in (
        lambda m: vrnn.forecast(tracks[:3], model=m, horizon=4, samples=5).samples,
        lambda m: np.stack(
            vrnn.generate(model=m, count=3, steps=5, start=np.array([10.0, 20.0])).x
        ),
        lambda m: vrnn.score(tracks[:3], model=m, particles=5).score,
        lambda m: np.concatenate(vrnn.impute(gaps, model=m, samples=4, particles=30).mean),
        lambda m: vrnn.reliability(tracks[:3], model=m, observe=4, horizon=3, samples=10).level,
        lambda m: np.array(
            vrnn.evaluate(tracks[:3], model=m, observe=4, horizon=3, samples=5).model.nll
        ),
    ):
        np.testing.assert_array_equal(task(run.model), task(again))


def test_it_learns_what_only_the_place_tells():
    """A walk that is drawn to 0: its first step is -x / 2 and noise, which increments alone cannot foretell."""
    random = np.random.default_rng(0)
    x = []
    for _ in range(400):
        path = [random.normal(scale=10.0, size=2)]
        for _ in range(3):
            path.append(path[-1] / 2 + random.normal(size=2))
        x.append(np.array(path))
    tracks, found = vrnn.Tracks(x), {}
    for told in (False, True):
        settings = vrnn.TrainConfig(
            steps=400,
            learning_rate=5e-3,
            position_input=told,
            transform=vrnn.TransformConfig(standardise=True),
        )
        model = vrnn.train(
            tracks[:300], config=vrnn.RNNConfig(2, hidden=32), training=settings, quiet=True
        ).model
        scores = vrnn.score(tracks[300:], model=model, particles=1)
        found[told] = np.array([p[1] for p in scores.log_prob]).mean()
    best = -2 * (0.5 + 0.5 * np.log(2 * np.pi))
    assert found[True] > best - 0.4 and found[False] < best - 2.5


def test_what_is_refused():
    tracks = walks(20)
    with pytest.raises(
        ConfigError, match="knows where on the map it is; give a start, first points of lat, lon"
    ):
        vrnn.generate(model=made("rnn"), count=2, steps=5)
    with pytest.raises(ConfigError, match="models positions"):
        config = vrnn.RNNConfig(2, emission="bernoulli")
        vrnn.train(bits(), config=config, training=vrnn.TrainConfig(position_input=True))
    for change, word in (
        ({"transform": vrnn.TransformConfig(displacement=False)}, "models positions"),
        (
            {"transform": vrnn.TransformConfig(heading=True), "observe": 5},
            "a heading transform turns",
        ),
        ({"augment": vrnn.AugmentConfig(flip=True)}, "augmentation turns"),
    ):
        with pytest.raises(ConfigError, match=word):
            vrnn.train(
                tracks,
                config=CONFIGS["rnn"],
                training=vrnn.TrainConfig(position_input=True, **change),
            )
    with pytest.raises(ConfigError, match="reads x itself"):
        config = vrnn.RNNConfig(2, y_dim=1, supervised=True)
        vrnn.train(walks(20, y=True), config=config, training=vrnn.TrainConfig(position_input=True))
    for task in ("forecasting", "autoencoding"):
        with pytest.raises(ConfigError, match="reads a track at once"):
            config = vrnn.RolloutVAEConfig(2, task=task)
            vrnn.train(
                tracks, config=config, training=vrnn.TrainConfig(position_input=True, observe=5)
            )
