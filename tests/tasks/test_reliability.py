"""Reliability: levels and densities against the closed form of a random walk, uniform for the truth, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
import torch
from tests.helpers.untrained_models import KINDS, SUPERVISED, made, walks

import vrnn
from vrnn.errors import ConfigError, DataError, UnsupportedError
from vrnn.tasks.reliability import Reliability

STEP = np.array([0.5, 2.0])  # standard deviation of the walk's steps
DRIFT = np.array([0.3, -0.2])


def random_walk(count: int, rows: int, seed: int, stretch: float = 1.0) -> vrnn.Tracks:
    random = np.random.default_rng(seed)
    steps = DRIFT + stretch * STEP * random.normal(size=(count, rows, 2))
    return vrnn.Tracks(list(np.cumsum(steps, 1)))


@pytest.fixture(scope="module")
def walker():
    """An RNN whose every step is N(DRIFT, STEP^2): its head says so whatever it has read."""
    tracks = random_walk(40, 30, 1)
    config = vrnn.RNNConfig(2, hidden=4, emission="gaussian")
    settings = vrnn.TrainConfig(steps=1, transform=vrnn.TransformConfig(standardise=False))
    model = vrnn.train(tracks, config=config, training=settings, quiet=True).model
    network = model.network
    last = [m for m in network.head.modules() if isinstance(m, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.weight.zero_()
        probe = torch.zeros(2, 4)
        probe[1, 2:] = 10.0  # where the scale's softplus is the identity but for its floor
        floor = float(network.observation(probe[1]).scale[0]) - 10.0
        raw = np.log(np.expm1(STEP - floor))
        last.bias.copy_(torch.tensor([*DRIFT, *raw]))
    return model


@pytest.mark.parametrize("temperature", [1.0, 1.5])
def test_densities_and_levels_of_a_random_walk(walker, temperature):
    """At step h the position is N(x_0 + h DRIFT, h (T STEP)^2), whose level is a chi-squared probability."""
    tracks = random_walk(60, 8, 2)
    found = vrnn.reliability(
        tracks, model=walker, observe=3, horizon=5, samples=400, temperature=temperature
    )
    x = np.stack(tracks.x)
    for h in range(1, 6):
        law = scipy.stats.norm(x[:, 2] + h * DRIFT, np.sqrt(h) * temperature * STEP)
        true = x[:, 2 + h]
        exact = -law.logpdf(true).sum(-1)
        near = (
            np.sqrt((((true - law.mean()) / law.std()) ** 2).sum(-1)) < 2
        )  # a sampled mixture has thin tails
        assert np.abs(found.nll[near, h - 1] - exact[near]).mean() < 0.15
        level = scipy.stats.chi2(2).cdf((((true - law.mean()) / law.std()) ** 2).sum(-1))
        assert np.abs(found.level[:, h - 1] - level).max() < 0.16
        assert np.abs(found.level[:, h - 1] - level).mean() < 0.05
    np.testing.assert_allclose(
        found.nll[:, 0],
        -scipy.stats.norm(x[:, 2] + DRIFT, temperature * STEP).logpdf(x[:, 3]).sum(-1),
        rtol=1e-4,
    )


def test_levels_are_uniform_for_the_truth_and_tell_of_a_wrong_scale(walker):
    right = vrnn.reliability(random_walk(400, 8, 3), model=walker, observe=3, horizon=5, samples=60)
    for h in range(5):
        assert scipy.stats.kstest(right.level[:, h], "uniform").pvalue > 0.001
    assert np.abs(right.coverage(0.5) - 0.5).max() < 0.08
    wider = vrnn.reliability(
        random_walk(400, 8, 3, stretch=2.0), model=walker, observe=3, horizon=5, samples=60
    )
    # a Gaussian of half the width: P(chi2 < 4 x) for the region that should hold x
    expected = scipy.stats.chi2(2).cdf(scipy.stats.chi2(2).ppf(0.9) / 4)
    assert np.abs(wider.coverage(0.9) - expected).max() < 0.1


@pytest.mark.parametrize("name", [*KINDS, "rollout"])
@pytest.mark.parametrize("heading", [False, True], ids=["", "heading"])
def test_every_model(name, heading):
    """In the units of the data, the same for tracks alone and together with others."""
    model, tracks = made(name, heading=heading), walks()
    found = vrnn.reliability(tracks, model=model, observe=5, horizon=4, samples=12, seed=3)
    assert found.level.shape == found.nll.shape == (6 * 4, 4)
    assert ((found.level >= 0) & (found.level <= 1)).all() and np.isfinite(found.nll).all()


def test_units_of_the_data():
    """Metres or centimetres: levels stay, densities change by the factor of the plane."""
    small, large = walks(), replace(walks(), x=[100 * x for x in walks().x])
    settings = vrnn.TrainConfig(steps=3)
    config = vrnn.RNNConfig(2, hidden=6, emission="full_gaussian")
    a, b = (
        vrnn.reliability(
            t,
            model=vrnn.train(t, config=config, training=settings, quiet=True).model,
            observe=5,
            horizon=4,
            samples=30,
        )
        for t in (small, large)
    )
    np.testing.assert_allclose(a.level, b.level, atol=0.04)
    np.testing.assert_allclose(a.nll, b.nll - 2 * np.log(100), atol=1e-3)


def test_coverage_and_picture(tmp_path):
    level = np.array([[0.1, 0.95], [0.6, 0.2], [0.9, 0.3]])
    found = Reliability(level, -level, 0.4)
    assert found.coverage(0.5).tolist() == pytest.approx([1 / 3, 2 / 3])
    assert found.coverage(0.9).tolist() == pytest.approx(
        [2 / 3, 2 / 3]
    )  # a level of 0.9 is outside
    assert repr(found) == "Reliability(3 windows, 2 steps ahead)"
    assert found.plot(tmp_path / "r.png", units="s").stat().st_size > 1000
    with pytest.raises(DataError, match="at least one window"):
        Reliability(level[:0], level[:0], 0.4).plot(tmp_path / "none.png")
    for share in (0.0, 1.0):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            found.coverage(share)


def test_what_is_refused():
    model = made("vrnn")
    for name, value, least in (("observe", 1, 2), ("horizon", 0, 1), ("samples", 1, 2)):
        with pytest.raises(ConfigError, match=f"{name}: expected at least {least}, found {value}"):
            vrnn.reliability(walks(), model=model, **{name: value})
    with pytest.raises(DataError, match="windows"):
        vrnn.reliability(walks(), model=model, observe=20, horizon=20)
    name = next(iter(SUPERVISED))
    with pytest.raises(UnsupportedError, match="predicts y"):
        vrnn.reliability(walks(y=True), model=made(name))


def test_a_plot_has_the_time_of_every_step_ahead(monkeypatch, tmp_path):
    drawn = {}
    monkeypatch.setattr(
        "vrnn.plots.plot_reliability", lambda level, path, steps: drawn.update(at=steps)
    )
    Reliability(np.zeros((4, 3)), np.zeros((4, 3)), 0.5).plot(tmp_path / "a.png")
    assert drawn["at"].tolist() == [0.5, 1.0, 1.5]
