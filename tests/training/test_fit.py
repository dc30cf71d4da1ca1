"""Training as a whole: it learns what can be learnt, from its seed alone, and returns what it writes."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
import torch
from tests.helpers.few import few
from tests.helpers.small_runs import CONFIG, QUICK, RNN, SETTINGS, small_run, timeless, walks

import vrnn
from vrnn.data.synthetic import ConstantVelocityWalk
from vrnn.data.tracks import concatenate
from vrnn.training.run import Run
from vrnn.training.trackers import read_metrics
from vrnn.training.weights import weights_digest


@pytest.mark.parametrize(
    "config",
    [
        vrnn.RNNConfig(1, hidden=16),
        vrnn.VRNNConfig(1, hidden=16, latent_dim=2, emission="gaussian"),
    ],
    ids=["rnn", "vrnn"],
)
def test_linear_process_is_learnt_to_its_entropy(config):
    """The noise in a position shows twice, so increments are correlated and white noise does not do."""
    world = ConstantVelocityWalk(drift=0.1, noise=0.5, velocity=0.5, dim=1)
    rows, difference = 12, np.diff(np.eye(12), axis=0)
    law = scipy.stats.multivariate_normal(cov=difference @ world.covariance(rows) @ difference.T)
    train, val = world.sample(1500, rows, seed=0), world.sample(500, rows, seed=1)
    increments = np.diff(np.stack(val.x)[..., 0], axis=1)
    best = law.logpdf(increments).mean() / (rows - 1)
    plain = scipy.stats.norm(0, increments.std()).logpdf(increments).mean()
    settings = vrnn.TrainConfig(steps=350, learning_rate=1e-2, warmup=20, validate_every=350)
    run = vrnn.train(train, config=config, training=settings, val=val, quiet=True)
    found = run.history[-1]["val_bound"]
    assert plain < best - 0.15  # there is something to learn
    assert best - 0.04 < found < best + 0.01
    assert run.history[0]["loss"] > run.history[-1]["loss"]


def noisy_autoregression(count: int, seed: int, rows: int = 12) -> tuple[vrnn.Tracks, np.ndarray]:
    """z_t = 0.9 z_{t-1} + 0.5 e_t, x_t = z_t + 0.4 e'_t from z_0 = 0: tracks and the exact covariance of their rows."""
    random = np.random.default_rng(seed)
    path = 0.5 * np.linalg.inv(np.eye(rows) - 0.9 * np.eye(rows, k=-1))
    x = random.normal(size=(count, rows)) @ path.T + 0.4 * random.normal(size=(count, rows))
    return vrnn.Tracks(list(x[..., None])), path @ path.T + 0.16 * np.eye(rows)


@pytest.mark.parametrize("config", few([vrnn.DMMConfig, vrnn.SRNNConfig, vrnn.STORNConfig]))
def test_noisy_autoregression_is_learnt_to_its_entropy(config):
    """The bound comes this close only where the posterior does too; none of the three is given its exact form."""
    (train, _), (val, covariance) = noisy_autoregression(1500, 0), noisy_autoregression(500, 1)
    values = np.stack(val.x)[..., 0]
    best = scipy.stats.multivariate_normal(cov=covariance).logpdf(values).mean() / 12
    plain = scipy.stats.norm(0, values.std()).logpdf(values).mean()
    settings = vrnn.TrainConfig(
        steps=250,
        learning_rate=1e-2,
        warmup=20,
        kl_warmup=100,
        validate_every=250,
        transform=vrnn.TransformConfig(displacement=False),
    )
    run = vrnn.train(
        train, config=config(1, hidden=16, latent_dim=2), training=settings, val=val, quiet=True
    )
    assert plain < best - 0.3
    assert best - 0.04 < run.history[-1]["val_bound"] < best + 0.01


@pytest.mark.parametrize("objective", ["iwae", "fivo"])
def test_other_bounds_are_maximised(objective):
    """Training by a tighter bound raises it, and resumes and validates by the same bound."""
    settings = replace(
        SETTINGS, objective=objective, samples=3, steps=60, validate_every=30, kl_warmup=0
    )
    run = vrnn.train(walks(), config=CONFIG, training=settings, quiet=True)
    values = [r["val_bound"] for r in run.history if "val_bound" in r]
    assert run.history[0]["bound"] + 0.3 < values[-1]


def test_validation_tracks_given_or_held_out(capsys):
    run = vrnn.train(walks(30), config=RNN, training=QUICK)
    assert "3 of 30 tracks are held out for validation" in capsys.readouterr().err
    assert "val_bound" in run.history[-1]
    val = walks(9, seed=9)[[1, 2, 3, 5, 6, 7]]  # those without gaps
    given = vrnn.train(walks(30), config=RNN, training=QUICK, val=val)
    assert "held out" not in capsys.readouterr().err
    assert given.history[-1]["val_bound"] != run.history[-1]["val_bound"]
    ten = vrnn.train(
        walks(30), config=RNN, training=QUICK, val=concatenate([val] * 10), quiet=True
    )  # no error is counted twice
    assert ten.history[-1]["val_bound"] == pytest.approx(given.history[-1]["val_bound"], abs=1e-5)


def test_without_validation_the_last_weights_are_kept():
    settings = replace(QUICK, holdout=0.0)
    run = vrnn.train(walks(), config=RNN, training=settings, quiet=True)
    assert not any("val_bound" in r for r in run.history) and run.latent_use is None
    start = vrnn.train(
        walks(), config=RNN, training=replace(settings, learning_rate=1e-30), quiet=True
    )
    weights = zip(run.model.network.parameters(), start.model.network.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in weights)


def test_training_leaves_the_global_generators_alone():
    torch.manual_seed(0), np.random.seed(0)
    expected = torch.rand(1), np.random.rand()
    torch.manual_seed(0), np.random.seed(0)
    vrnn.train(walks(), config=RNN, training=QUICK, quiet=True)
    assert torch.equal(torch.rand(1), expected[0]) and np.random.rand() == expected[1]


def test_seed_decides_everything():
    first, again, other = (
        timeless(
            vrnn.train(
                walks(), config=CONFIG, training=replace(SETTINGS, seed=s), quiet=True
            ).history
        )
        for s in (0, 0, 1)
    )
    assert first == again and first[0]["loss"] != other[0]["loss"]


def test_run_folder_gives_the_weights_that_train_gave(tmp_path):
    run = small_run(tmp_path / "a")
    for name, value in vrnn.load(tmp_path / "a").network.state_dict().items():
        assert torch.equal(run.model.network.state_dict()[name], value)
    assert timeless(run.history) == timeless(read_metrics(tmp_path / "a" / "metrics.jsonl"))


@pytest.mark.skipif(not hasattr(vrnn, "backend"), reason="no choice of a backend yet")
def test_the_backend_changes_the_time_and_not_the_training():
    tracks = walks(40)
    fast = vrnn.train(tracks, config=CONFIG, training=QUICK, quiet=True)
    with vrnn.backend("reference"):
        plain = vrnn.train(tracks, config=CONFIG, training=QUICK, quiet=True)
    for a, b in zip(fast.history, plain.history, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)


def digest_of(run: Run) -> tuple[str, list[dict]]:
    """Return the weights and records of a run."""
    return weights_digest(run.model.network), timeless(run.history)


def test_training_in_threads_gives_the_bits_of_training_alone():
    """Of several kinds at once, and of mode sets; the generator that all share is left alone."""
    modes = vrnn.ModesConfig(count=2, horizon=2, steps=3)
    own = vrnn.train(walks(), config=RNN, training=QUICK, quiet=True).model

    def go(kind: int) -> object:
        if kind == 0:
            return digest_of(vrnn.train(walks(), config=RNN, training=QUICK, quiet=True))
        if kind == 1:
            return digest_of(vrnn.train(walks(), config=CONFIG, training=SETTINGS, quiet=True))
        fitted = vrnn.fit_modes(walks(), model=own, config=modes, quiet=True)
        return weights_digest(fitted.modes)

    state = torch.default_generator.get_state()
    alone = [go(kind) for kind in range(3)]
    assert torch.equal(torch.default_generator.get_state(), state)
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(go, [0, 1, 2] * 3)) == alone * 3
    assert torch.equal(torch.default_generator.get_state(), state)
