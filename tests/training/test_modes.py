"""Learned representatives: what they come to where the best set is known, for every model, in files, and refusals."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open

import vrnn
from vrnn.data.batch import make_batch
from vrnn.data.transforms import turn
from vrnn.errors import ConfigError, DataError, NonFiniteError, RunFolderError, UnsupportedError
from vrnn.inference.noise import seeded
from vrnn.metrics.displacement import best_of
from vrnn.models import make_model
from vrnn.objectives.futures import cut_rows
from vrnn.training.checkpoint import MODES, copy_weights, save_weights
from vrnn.training.mode_context import context_of
from vrnn.training.modes import _prepare, _terms

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
    """Walks of unit steps that go straight for five rows and then, with one chance in three each, left, right or on."""
    rng = np.random.default_rng(seed)
    angle = np.repeat(rng.uniform(0, 2 * np.pi, (count, 1)), rows, 1)
    angle[:, 5:] += rng.choice([-1.0, 0.0, 1.0], (count, 1))
    return vrnn.Tracks(
        list(
            np.stack([np.cos(angle), np.sin(angle)], -1).cumsum(1) + rng.normal(size=(count, 1, 2))
        )
    )


@pytest.fixture(scope="module")
def model():
    return vrnn.train(forks(100, 0), config=MODELS["vrnn"], training=TRAINING, quiet=True).model


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
    trained = vrnn.train(tracks, config=MODELS[name], training=TRAINING, quiet=True).model
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
        [turn(x[None], np.array([0.7]))[0] + np.array([30.0, -4.0]) for x in prefix.x]
    )
    expected = turn(named.samples, np.full(5, 0.7)) + np.array([30.0, -4.0])
    assert np.abs(vrnn.predict_modes(moved, model=learned).samples - expected).max() < 1e-3
    shorter = vrnn.predict_modes(prefix, model=learned, horizon=2)
    assert np.array_equal(shorter.samples, named.samples[:, :, :2]) and shorter.times.shape == (
        5,
        2,
    )


def test_tracks_of_all_lengths_with_gaps():
    """Cut anywhere: the head learns from any beginning, and paths go on from the last point that was seen."""
    rng = np.random.default_rng(0)
    x = [
        rng.normal(size=(n, 2)).cumsum(0) + np.array([100.0, 0.0]) for n in rng.integers(2, 12, 30)
    ]
    for a in x[::3]:
        a[len(a) // 2 : len(a) - 1] = np.nan
    tracks = vrnn.Tracks(x)
    trained = vrnn.train(
        tracks, config=MODELS["dmm"], training=vrnn.TrainConfig(steps=10, batch_size=8), quiet=True
    ).model
    learned = vrnn.fit_modes(tracks, model=trained, config=SMALL, quiet=True)
    work = _prepare(learned, tracks, SMALL, None, [])
    batch = learned.preprocessor.batch(work.train)[0]
    with torch.no_grad():
        found = _terms(work, work.train, seeded(3))
    cut = 1 + cut_rows(batch, seeded(3), rows=4, observe=None)[0].length.numpy()
    assert len(set(cut)) > 3  # unequal
    gaps = 0
    for i, track in enumerate(work.train):
        prefix, truth = track.cut(stop=cut[i]), track.x[0][cut[i] :][:4]
        gaps += np.isnan(prefix.x[0][-1]).any()
        named = vrnn.predict_modes(prefix, model=replace(learned, modes=work.head)).samples[:, 0]
        there = np.isfinite(truth).all(-1)
        assert bool(found.counted[i]) == there.any()
        if there.any():
            average, final = best_of(named[:, None, : len(truth)][:, :, there], truth[None, there])
            assert float(found.best.average[i]) == pytest.approx(average[0], abs=1e-3)
            assert float(found.best.final[i]) == pytest.approx(final[0], abs=1e-3)
    assert gaps > 1  # some begin within a gap


@pytest.mark.parametrize(
    "name", [name for name in MODELS if name != "rollout"]
)  # whose prefixes all have one length
def test_the_head_reads_nothing_of_the_future(name):
    torch.manual_seed(0)
    model, x = make_model(MODELS[name]), torch.randn(6, 9, 2)
    length, observe = torch.tensor([9, 9, 8, 7, 9, 5]), torch.tensor([2, 5, 3, 6, 8, 4])
    later = torch.arange(9) >= observe[:, None]
    states = []
    for values in (x, torch.where(later[..., None], 50 * torch.randn(6, 9, 2), x)):
        prefix, rest = make_batch(values, length=length).split_at(observe)
        states.append(context_of(model, prefix, rest.u[:, :4]))
    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))


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
    trained = vrnn.train(
        tracks, config=vrnn.VRNNConfig(2, hidden=8), training=settings, quiet=True
    ).model
    config = replace(SMALL, steps=300, observe=4, hidden=32, learning_rate=5e-3, batch_size=20)
    learned = vrnn.fit_modes(tracks, model=trained, config=config, quiet=True)
    found = vrnn.evaluate(tracks, model=learned, observe=4, horizon=4, samples=4, selection="modes")
    assert found.unit == "nmi" and found.model.min_fde < 12  # of 240 on the way


def test_inputs_of_the_horizon():
    """The futures follow the model's own way through them; `evaluate` takes those of the data."""
    wind = np.random.default_rng(0).normal(size=(30, 9, 1))
    tracks = replace(forks(30, 0), u=list(wind), u_names=("wind",))
    trained = vrnn.train(tracks, config=MODELS["vrnn"], training=TRAINING, quiet=True).model
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
    assert (
        found.model.nll == plain.model.nll and found.model.energy_score == plain.model.energy_score
    )
    with pytest.raises(ConfigError, match="expected as many samples, found 20"):
        vrnn.evaluate(tracks, model=learned, observe=5, horizon=4, selection="modes")
    with pytest.raises(ConfigError, match="found 'best'"):
        vrnn.evaluate(tracks, model=learned, observe=5, horizon=4, samples=4, selection="best")


def test_they_are_kept_in_the_run_folder(tmp_path):
    tracks, run = forks(30, 0), tmp_path / "run"
    trained = vrnn.train(
        tracks, config=MODELS["vrnn"], training=TRAINING, out=run, quiet=True
    ).model
    assert vrnn.load(run).modes is None
    learned = vrnn.fit_modes(tracks, model=trained, config=SMALL, out=run, quiet=True)
    prefix = tracks[:3].cut(stop=5)
    loaded = vrnn.load(run)
    assert loaded.modes.config == SMALL
    assert np.array_equal(
        vrnn.predict_modes(prefix, model=loaded).samples,
        vrnn.predict_modes(prefix, model=learned).samples,
    )
    path = run / MODES
    with safe_open(path, "pt") as stored:
        assert json.loads(stored.metadata()["modes"])["config"]["count"] == 4
    other = vrnn.train(
        tracks, config=MODELS["vrnn"], training=replace(TRAINING, seed=1), quiet=True
    ).model
    with pytest.raises(RunFolderError, match="expected the run of this model, found other weights"):
        vrnn.fit_modes(tracks, model=other, config=SMALL, out=run, quiet=True)
    save_weights(run, copy_weights(other.network))
    with pytest.raises(RunFolderError, match="learned from other weights of the model"):
        vrnn.load(run)
    save_weights(run, copy_weights(trained.network))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RunFolderError, match="learn the representatives again or delete the file"):
        vrnn.load(run)
    with pytest.raises(RunFolderError, match="expected a run folder"):
        vrnn.fit_modes(tracks, model=trained, config=SMALL, out=tmp_path / "none", quiet=True)
    assert not (tmp_path / "none").exists()


def test_refusals(model):
    tracks, learn = forks(30, 0), vrnn.fit_modes
    with pytest.raises(ConfigError, match="has no modes yet"):
        vrnn.predict_modes(tracks.cut(stop=5), model=model)
    with pytest.raises(ConfigError, match="expected observe of 5, found 3"):
        learn(tracks, model=model, config=replace(SMALL, observe=3), quiet=True)
    with pytest.raises(DataError, match=r"training tracks: .* lower horizon or observe"):
        learn(tracks, model=model, config=replace(SMALL, horizon=9), quiet=True)
    whole = vrnn.train(
        tracks, config=MODELS["rnn"], training=vrnn.TrainConfig(steps=1), quiet=True
    ).model
    with pytest.raises(
        DataError, match=r"has 9 rows after .* the longest future has 7; lower horizon"
    ):
        learn(tracks, model=whole, config=replace(SMALL, horizon=9), quiet=True)
    with pytest.raises(DataError, match=r"read it with vrnn.read_tracks"):
        learn("walks.csv", model=model, config=SMALL)
    with pytest.raises(ConfigError, match="as a trained model or as the path of a run folder"):
        learn(tracks, model=None, config=SMALL)
    with pytest.raises(RunFolderError, match="expected a run folder"):
        learn(tracks, model="runs/a", config=SMALL)
    learned = learn(tracks, model=model, config=SMALL, quiet=True)
    with pytest.raises(
        ConfigError, match="fitted for 4 rows: expected a horizon up to that, found 5"
    ):
        vrnn.predict_modes(tracks.cut(stop=5), model=learned, horizon=5)
    pen = vrnn.Tracks([np.concatenate([x, np.ones((9, 1))], 1) for x in tracks.x])
    config = vrnn.RNNConfig(3, hidden=8, emission="gaussian:2+bernoulli:1")
    with pytest.raises(UnsupportedError, match="expected every column to be one, found x0, x1, x2"):
        learn(
            pen,
            model=vrnn.train(
                pen, config=config, training=vrnn.TrainConfig(steps=1), quiet=True
            ).model,
            config=SMALL,
            quiet=True,
        )
    supervised = replace(tracks, y=[x[:, :1] for x in tracks.x], y_names=("speed",))
    config = vrnn.RNNConfig(2, y_dim=1, hidden=8, supervised=True)
    with pytest.raises(UnsupportedError, match="a supervised model does not draw"):
        learn(
            supervised,
            model=vrnn.train(
                supervised, config=config, training=vrnn.TrainConfig(steps=1), quiet=True
            ).model,
            config=SMALL,
        )


def test_a_loss_that_is_not_finite_is_named(model):
    tracks = forks(30, 0)
    tracks.x[3][7] = 1e200
    with pytest.raises(NonFiniteError, match="the loss of the representatives is not finite"):
        vrnn.fit_modes(
            tracks, model=model, config=replace(SMALL, steps=20, batch_size=30), quiet=True
        )


def test_a_validation_that_is_not_finite_is_named(model):
    far = forks(5, 1)
    far.x[2][7] = 1e39
    with pytest.raises(
        NonFiniteError, match="the distances on the validation tracks are not finite"
    ):
        vrnn.fit_modes(forks(30, 0), model=model, config=SMALL, val=far, quiet=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [("count", 0), ("horizon", 0), ("observe", 0), ("hidden", 0), ("depth", 0), ("steps", 0), ("learning_rate", 0.0),
     ("average", 1.0), ("final_weight", -1.0), ("seed", -1)],
)  # fmt: skip
def test_settings_that_make_no_sense(name, value):
    with pytest.raises(ConfigError, match=f"{name}"):
        vrnn.ModesConfig(**{name: value})
