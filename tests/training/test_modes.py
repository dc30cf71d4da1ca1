"""Mode sets: what they come to where the best set is known, for every model, and refusals."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.helpers.changed_tracks import changed
from tests.helpers.forking_walks import MODELS, SMALL, TRAINING, forks

import vrnn
from vrnn.data.transforms import rotate
from vrnn.errors import ConfigError, DataError, NonFiniteError, RunFolderError, UnsupportedError
from vrnn.metrics.displacement import best_of

ONE_STEP = vrnn.TrainConfig(steps=1)


def trained_on(tracks, config, training=ONE_STEP):
    return vrnn.train(tracks, config=config, training=training, quiet=True).model


@pytest.fixture(scope="module")
def model():
    return trained_on(forks(100, 0), MODELS["vrnn"], TRAINING)


@pytest.mark.slow
def test_the_three_ways_of_a_fork_are_found_with_their_chances(model):
    config = vrnn.ModesConfig(
        count=3, horizon=4, hidden=32, steps=600, batch_size=64, learning_rate=5e-3
    )
    learned = vrnn.fit_modes(forks(400, 1), model=model, config=config, quiet=True)
    tracks = forks(200, 2)
    named = vrnn.predict_modes(tracks.cut(stop=5), model=learned)
    average, final = best_of(named.samples, np.stack(tracks.x)[:, 5:])
    straight = best_of(
        np.stack([x[4] + np.arange(1, 5)[:, None] * (x[4] - x[3]) for x in tracks.x])[None],
        np.stack(tracks.x)[:, 5:],
    )[0]
    assert straight.mean() > 1.0  # one way alone is far from what happens
    assert average.mean() < 0.1 and final.mean() < 0.2
    assert np.allclose(named.weights.sum(0), 1.0) and np.abs(named.weights - 1 / 3).max() < 0.1
    assert (np.diff(named.weights, axis=0) <= 0).all()


@pytest.mark.parametrize("name", MODELS)
def test_every_model_learns_them_and_stays_as_it_is(name):
    tracks = forks(40, 0)
    trained = trained_on(tracks, MODELS[name], TRAINING)
    before = {k: v.clone() for k, v in trained.network.state_dict().items()}
    learned = vrnn.fit_modes(tracks, model=trained, config=SMALL, quiet=True)
    assert trained.modes is None and learned.network is trained.network
    assert all(torch.equal(v, before[k]) for k, v in trained.network.state_dict().items())
    prefix = forks(5, 1).cut(stop=5)
    named = vrnn.predict_modes(prefix, model=learned)
    assert named.samples.shape == (4, 5, 4, 2) and np.isfinite(named.samples).all()
    again = vrnn.predict_modes(
        prefix, model=vrnn.fit_modes(tracks, model=trained, config=SMALL, quiet=True)
    )
    assert np.array_equal(named.samples, again.samples)
    alone = np.concatenate(
        [vrnn.predict_modes(prefix[i], model=learned).samples for i in range(5)], 1
    )
    assert np.abs(alone - named.samples).max() < 1e-4
    moved = vrnn.Tracks(
        [rotate(x[None], np.array([0.7]))[0] + np.array([30.0, -4.0]) for x in prefix.x]
    )
    expected = rotate(named.samples, np.full(5, 0.7)) + np.array([30.0, -4.0])
    assert np.abs(vrnn.predict_modes(moved, model=learned).samples - expected).max() < 1e-3
    shorter = vrnn.predict_modes(prefix, model=learned, horizon=2)
    assert np.array_equal(shorter.samples, named.samples[:, :, :2])
    assert shorter.times.shape == (5, 2)


def test_on_the_globe_distances_are_those_of_its_unit():
    """Storms that keep going east: learned in nautical miles, given in degrees."""
    lat = np.array([10.0, 45.0]).repeat(15)
    tracks = [
        np.column_stack([np.full(9, a), -60 + np.arange(9) / np.cos(np.radians(a))]) for a in lat
    ]
    tracks = vrnn.Tracks(tracks, x_names=("lat", "lon"))
    settings = vrnn.TrainConfig(
        steps=30,
        transform=vrnn.TransformConfig(geographic="nmi"),
        position_input=True,
        time_input=True,
    )
    trained = trained_on(tracks, vrnn.VRNNConfig(2, hidden=8), settings)
    config = replace(SMALL, steps=300, observe=4, hidden=32, learning_rate=5e-3, batch_size=20)
    learned = vrnn.fit_modes(tracks, model=trained, config=config, quiet=True)
    found = vrnn.evaluate(tracks, model=learned, observe=4, horizon=4, samples=4, selection="modes")
    assert found.unit == "nmi" and found.model.min_fde < 12  # of 240 on the way


def test_inputs_of_the_horizon():
    """The futures follow the model's own way through them; `evaluate` takes those of the data."""
    wind = np.random.default_rng(0).normal(size=(30, 9, 1))
    tracks = replace(forks(30, 0), u=list(wind), u_names=("wind",))
    trained = trained_on(tracks, MODELS["vrnn"], TRAINING)
    learned = vrnn.fit_modes(tracks, model=trained, config=SMALL, quiet=True)
    with pytest.raises(ConfigError, match="known inputs"):
        vrnn.predict_modes(tracks.cut(stop=5), model=learned)
    prefix = tracks.cut(stop=5)
    held = vrnn.predict_modes(prefix, model=learned, inputs="hold").samples
    same = vrnn.predict_modes(prefix, model=learned, inputs=wind[:, 4:5].repeat(4, 1)).samples
    assert np.array_equal(held, same)
    told = vrnn.predict_modes(prefix, model=learned, horizon=3, inputs=wind[:, 5:8]).samples
    assert np.abs(told - held[:, :, :3]).max() > 1e-4
    assert np.allclose(
        told, vrnn.predict_modes(prefix, model=learned, inputs=wind[:, 5:]).samples[:, :, :3]
    )
    found = vrnn.evaluate(
        tracks.cut(stop=8), model=learned, observe=5, horizon=3, samples=4, selection="modes"
    )
    assert found.model.min_ade == pytest.approx(best_of(told, np.stack(tracks.x)[:, 5:8])[0].mean())


def test_evaluation_takes_the_best_of_them(model):
    learned = vrnn.fit_modes(forks(40, 0), model=model, config=SMALL, quiet=True)
    tracks = forks(12, 3)
    found = vrnn.evaluate(tracks, model=learned, observe=5, horizon=4, samples=4, selection="modes")
    average, final = best_of(
        vrnn.predict_modes(tracks.cut(stop=5), model=learned).samples, np.stack(tracks.x)[:, 5:]
    )
    assert found.selection == "modes"
    assert (found.model.min_ade, found.model.min_fde) == pytest.approx(
        (average.mean(), final.mean())
    )
    plain = vrnn.evaluate(tracks, model=learned, observe=5, horizon=4, samples=4)
    assert found.model.nll == plain.model.nll
    assert found.model.energy_score == plain.model.energy_score
    with pytest.raises(ConfigError, match="expected as many samples, found 20"):
        vrnn.evaluate(tracks, model=learned, observe=5, horizon=4, selection="modes")
    with pytest.raises(ConfigError, match="found 'best'"):
        vrnn.evaluate(tracks, model=learned, observe=5, horizon=4, samples=4, selection="best")


def test_refusals(model):
    tracks, learn = forks(30, 0), vrnn.fit_modes
    with pytest.raises(ConfigError, match="has no modes yet"):
        vrnn.predict_modes(tracks.cut(stop=5), model=model)
    with pytest.raises(ConfigError, match="to their heading at row 5: expected 5, found 3"):
        learn(tracks, model=model, config=replace(SMALL, observe=3), quiet=True)
    with pytest.raises(DataError, match=r"training tracks: .* lower horizon or observe"):
        learn(tracks, model=model, config=replace(SMALL, horizon=9), quiet=True)
    whole = trained_on(tracks, MODELS["rnn"])
    with pytest.raises(
        DataError, match=r"has 9 rows after .* found a longest future of 7; lower horizon"
    ):
        learn(tracks, model=whole, config=replace(SMALL, horizon=9), quiet=True)
    with pytest.raises(DataError, match=r"read it with vrnn.read_tracks"):
        learn("walks.csv", model=model, config=SMALL)
    with pytest.raises(
        ConfigError, match="model: expected a trained model or the path of a run folder"
    ):
        learn(tracks, model=None, config=SMALL)
    with pytest.raises(RunFolderError, match="expected a run folder"):
        learn(tracks, model="runs/a", config=SMALL)
    learned = learn(tracks, model=model, config=SMALL, quiet=True)
    with pytest.raises(ConfigError, match="fitted for 4 rows: expected no more than that, found 5"):
        vrnn.predict_modes(tracks.cut(stop=5), model=learned, horizon=5)
    pen = vrnn.Tracks([np.concatenate([x, np.ones((9, 1))], 1) for x in tracks.x])
    config = vrnn.RNNConfig(3, hidden=8, emission="gaussian:2+bernoulli:1")
    with pytest.raises(UnsupportedError, match="expected every column to be one, found x0, x1, x2"):
        learn(pen, model=trained_on(pen, config), config=SMALL, quiet=True)
    supervised = replace(tracks, y=[x[:, :1] for x in tracks.x], y_names=("speed",))
    config = vrnn.RNNConfig(2, y_dim=1, hidden=8, supervised=True)
    with pytest.raises(UnsupportedError, match="a supervised model does not draw"):
        learn(supervised, model=trained_on(supervised, config), config=SMALL)


def test_a_loss_that_is_not_finite_is_named(model):
    tracks = changed(forks(30, 0), "x", (3, 7, 1e200))
    with pytest.raises(NonFiniteError, match="the loss of the modes is not finite"):
        vrnn.fit_modes(
            tracks, model=model, config=replace(SMALL, steps=20, batch_size=30), quiet=True
        )


@pytest.mark.parametrize(
    ("name", "value"),
    [("count", 0), ("horizon", 0), ("observe", 0), ("hidden", 0), ("depth", 0), ("steps", 0), ("learning_rate", 0.0),
     ("ema_decay", 1.0), ("final_weight", -1.0), ("seed", -1)],
)  # fmt: skip
def test_settings_that_make_no_sense(name, value):
    with pytest.raises(ConfigError, match=f"{name}"):
        vrnn.ModesConfig(**{name: value})
