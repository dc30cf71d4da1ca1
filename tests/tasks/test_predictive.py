"""The next row as a density, as draws and as a mean, and forecasts that go on from a belief."""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
import torch
from tests.helpers.monte_carlo import assert_mean
from tests.helpers.untrained_models import SUPERVISED, bits, holed, made, walks
from tests.models.settings import tensors

import vrnn
from vrnn.data.transforms import rotate
from vrnn.errors import ConfigError, DataError, UnsupportedError
from vrnn.inference.noise import draw_noise
from vrnn.inference.random_numbers import seeded
from vrnn.inference.rollout import rollout
from vrnn.inference.unroll import unroll
from vrnn.tasks.belief import TrackBelief
from vrnn.training.prepare import prepare

EITHER_FRAME = pytest.mark.parametrize(
    "displacement", [True, False], ids=["displacement", "positions"]
)
LINE = {
    "rnn": vrnn.RNNConfig(1, hidden=6, emission="mixture(2)"),
    "vrnn": vrnn.VRNNConfig(1, hidden=6, latent_dim=3),
    "srnn": vrnn.SRNNConfig(1, hidden=6, latent_dim=3),
}


@pytest.mark.parametrize("name", LINE)
@EITHER_FRAME
@pytest.mark.parametrize("gap", [0, 2], ids=["after-a-point", "after-a-gap"])
def test_density_integrates_to_one_and_gives_the_mean_and_the_draws(name, displacement, gap):
    walk = np.cumsum(np.random.default_rng(0).normal(size=(2, 8, 1)), 1)
    settings = vrnn.TrainConfig(
        transform=vrnn.TransformConfig(displacement=displacement), holdout=0.0
    )
    model = prepare(LINE[name], vrnn.Tracks(list(walk)), settings, None).trained
    walk[:, 8 - gap :] = np.nan
    ahead = vrnn.predictive(vrnn.filter_tracks(walk, model=model, particles=30).belief, model=model)
    grid = np.broadcast_to(np.linspace(-40, 40, 20001)[:, None, None], (20001, 2, 1))
    density, step = np.exp(ahead.log_prob(grid)), 80 / 20000
    np.testing.assert_allclose(density.sum(0) * step, 1.0, atol=1e-4)
    np.testing.assert_allclose((density[..., None] * grid).sum(0) * step, ahead.mean, atol=2e-3)
    drawn = ahead.sample(20000, seed=1)
    error = drawn.std(0) / math.sqrt(20000)
    assert (np.abs(drawn.mean(0) - ahead.mean) < 4 * error).all()
    below = np.cumsum(density, 0) * step
    for i in range(2):  # draws through the distribution function are uniform
        uniform = np.interp(drawn[:, i, 0], grid[:, i, 0], below[:, i])
        assert scipy.stats.kstest(uniform, "uniform").pvalue > 1e-3


def test_masses_of_binary_rows_add_up_to_one():
    model = made("binary")
    ahead = vrnn.predictive(
        vrnn.filter_tracks(bits(2), model=model, particles=20).belief, model=model
    )
    rows = np.array([[a, b] for a in (0.0, 1.0) for b in (0.0, 1.0)])
    mass = np.exp(ahead.log_prob(np.repeat(rows[:, None], 2, 1)))
    np.testing.assert_allclose(mass.sum(0), 1.0, rtol=1e-9)
    np.testing.assert_allclose(mass[2:].sum(0), ahead.mean[:, 0], rtol=1e-9)
    assert set(np.unique(ahead.sample(50))) == {0.0, 1.0}


@pytest.mark.parametrize("name", ["rnn", "factorised"])
@pytest.mark.parametrize("transform", [{}, {"displacement": False}, {"heading": True}], ids=str)
@pytest.mark.parametrize("gap", [0, 2], ids=["after-a-point", "after-a-gap"])
def test_it_is_the_density_that_observe_reports(name, transform, gap):
    """Of a model without latents, particle by particle; its one particle has drawn the rows of the gap itself."""
    model, tracks = made(name, **transform), walks(3)
    past = holed(tracks.cut(stop=9), *((i, slice(9 - gap, None)) for i in range(3)))
    belief = vrnn.filter_tracks(past, model=model, particles=1).belief
    row = np.stack([x[9] for x in tracks.x])
    ahead = vrnn.predictive(belief, model=model)
    found = vrnn.observe(row, belief=belief, model=model).log_prob
    np.testing.assert_allclose(ahead.log_prob(row), found, rtol=1e-6)
    several = np.stack([row + i for i in range(4)])
    np.testing.assert_allclose(ahead.log_prob(several)[0], found, rtol=1e-6)
    np.testing.assert_allclose(ahead.log_prob(several)[2], ahead.log_prob(row + 2), rtol=1e-9)


@pytest.mark.parametrize("name", ["seq2seq", "same", "autoencoder", "vrnn", "storn"])
def test_latents_from_the_prior_give_the_likelihood_that_the_posterior_proposes(name):
    """Two estimates of one number, of which the second is unbiased, from particles that are the same up to the row.

    Untrained, the posteriors of a DMM and an SRNN do not cover the prior, and their weights have heavy tails.
    """
    model, tracks = made(name), vrnn.Tracks([walks(1).x[0]] * 60)
    belief = vrnn.filter_tracks(tracks.cut(stop=6), model=model, particles=4000).belief
    ahead = vrnn.predictive(belief, model=model)
    row = ahead.mean + 0.5
    proposed = vrnn.observe(row, belief=belief, model=model).log_prob
    assert_mean(np.exp(proposed - ahead.log_prob(row)), 1.0, resolution=0.3)


@pytest.mark.parametrize("name", SUPERVISED)
def test_a_supervised_model_predicts_y_from_the_rows_x(name):
    model, tracks = made(name), walks(2, y=True)
    belief = vrnn.filter_tracks(tracks.cut(stop=8), model=model, particles=4000).belief
    x, y = (np.stack([a[8] for a in part]) for part in (tracks.x, tracks.y))
    ahead = vrnn.predictive(belief, model=model, x=x)
    assert ahead.names == ("power",)
    assert ahead.mean.shape == (2, 1)
    assert ahead.sample(7).shape == (7, 2, 1)
    expected = vrnn.observe(x, belief=belief, model=model, y=y).log_prob
    np.testing.assert_allclose(ahead.log_prob(y), expected, atol=1e-6 if name == "rnn-y" else 0.1)
    other = vrnn.predictive(belief, model=model, x=x + 5)
    assert np.abs(other.mean - ahead.mean).max() > 1e-3
    with pytest.raises(DataError, match=r"from the row's x \(x, y\)"):
        vrnn.predictive(belief, model=model)
    with pytest.raises(UnsupportedError, match=r"vrnn\.predictive"):
        vrnn.forecast(belief, model=model, horizon=3)


def test_inputs_and_times_of_the_row_count():
    model, tracks = made("vrnn", u=True), walks(2, u=True)
    belief = vrnn.filter_tracks(tracks, model=model, particles=5).belief
    held = vrnn.predictive(belief, model=model)
    last = np.stack([u[-1] for u in tracks.u])
    assert np.array_equal(held.mean, vrnn.predictive(belief, model=model, u=last).mean)
    assert not np.allclose(held.mean, vrnn.predictive(belief, model=model, u=last + 1).mean)
    with pytest.raises(DataError, match="time after the last"):
        vrnn.predictive(belief, model=model, time=0.0)


def test_the_same_belief_gives_the_same_distribution_and_stays_as_it_is():
    model = made("vrnn")
    belief = vrnn.filter_tracks(walks(2), model=model, particles=8, seed=4).belief
    before = [t.clone() for t in tensors(belief.belief)]
    one, two = (vrnn.predictive(belief, model=model) for _ in range(2))
    assert np.array_equal(one.mean, two.mean) and np.array_equal(one.sample(3, 5), two.sample(3, 5))
    assert not np.array_equal(one.sample(3, 5), one.sample(3, 6))
    assert all(torch.equal(a, b) for a, b in zip(before, tensors(belief.belief), strict=True))
    other = vrnn.filter_tracks(walks(2), model=model, particles=8, seed=5).belief
    assert not np.array_equal(one.mean, vrnn.predictive(other, model=model).mean)
    assert repr(one) == "Predictive(x, y of 2 tracks, 8 particles)"


def test_many_candidates_are_compared_in_parts(monkeypatch):
    model = made("vrnn")
    ahead = vrnn.predictive(
        vrnn.filter_tracks(walks(2), model=model, particles=8).belief, model=model
    )
    rows = 10 + np.random.default_rng(0).normal(size=(50, 2, 2))
    whole = ahead.log_prob(rows)
    monkeypatch.setattr("vrnn.tasks.memory.CANDIDATE_DENSITIES", 100)
    np.testing.assert_allclose(ahead.log_prob(rows), whole, rtol=1e-12)


def test_what_predictive_refuses():
    model = made("vrnn")
    with pytest.raises(DataError, match="track 0 of the belief has no observed point"):
        vrnn.predictive(vrnn.initial_belief(model=model), model=model)
    belief = vrnn.filter_tracks(walks(2), model=model, particles=3).belief
    ahead = vrnn.predictive(belief, model=model)
    for shape in [(2,), (3, 2), (2, 3), (5, 3, 2)]:
        with pytest.raises(DataError, match=r"for 2 tracks, \(2, 2\)"):
            ahead.log_prob(np.zeros(shape))
    with pytest.raises(DataError, match="expected finite candidates"):
        ahead.log_prob(np.full((2, 2), np.nan))
    with pytest.raises(ConfigError, match="count: expected at least 1"):
        ahead.sample(0)
    with pytest.raises(ConfigError, match="seed"):
        ahead.sample(1, seed=-1)
    with pytest.raises(UnsupportedError, match="leave x out"):
        vrnn.predictive(belief, model=model, x=np.zeros((2, 2)))


# Forecasts from a belief


@pytest.mark.parametrize("transform", [{}, {"displacement": False}, {"heading": True}], ids=str)
def test_an_rnn_forecasts_from_a_belief_as_from_the_tracks(transform):
    model, tracks = made("rnn", **transform), walks(3, 5)
    belief = vrnn.filter_tracks(tracks, model=model, particles=1).belief
    found, expected = (
        vrnn.forecast(prefix, model=model, horizon=4, samples=6, seed=2)
        for prefix in (belief, tracks)
    )
    np.testing.assert_allclose(found.samples, expected.samples, atol=1e-5)
    np.testing.assert_array_equal(found.times, expected.times)
    assert found.names == ("x", "y") and np.allclose(found.weights, 1 / 6)
    assert found.history.lengths.tolist() == [1, 1, 1]
    np.testing.assert_allclose(
        np.concatenate(found.history.x), [x[-1] for x in tracks.x], atol=1e-9
    )


def test_after_a_gap_both_forecasts_have_one_distribution():
    """An RNN draws the rows of a trailing gap by itself, and no weight is at stake: 4000 particles against 4000 passes."""
    model, tracks = made("rnn"), holed(walks(2, 7), (0, slice(5, None)), (1, slice(4, None)))
    belief = vrnn.filter_tracks(tracks, model=model, particles=4000, seed=1).belief
    found, expected = (
        vrnn.forecast(prefix, model=model, horizon=3, samples=4000, seed=2).samples
        for prefix in (belief, tracks)
    )
    for i in range(2):
        for t in range(3):
            for d in range(2):
                assert scipy.stats.ks_2samp(found[:, i, t, d], expected[:, i, t, d]).pvalue > 1e-4
    error = np.hypot(found.std(0), expected.std(0)) / math.sqrt(4000)
    assert (np.abs(found.mean(0) - expected.mean(0)) < 4.5 * error).all()


def test_particles_count_by_their_weight():
    """With all of the weight on one particle only that one goes on; with a quarter on it, a quarter of the paths."""
    model, tracks = made("rnn"), holed(walks(2, 7), (0, slice(5, None)), (1, slice(4, None)))
    belief = vrnn.filter_tracks(tracks, model=model, particles=6).belief

    def weighted(weights: list[float], *particles: int) -> TrackBelief:
        part = belief.belief.map(lambda s: s[list(particles)])
        log_weight = torch.tensor(weights).double().log()[:, None].expand(-1, 2)
        return replace(belief, belief=part._replace(log_weight=log_weight))

    alone, other = weighted([1.0], 3), weighted([1.0], 5)
    among = weighted([0, 0, 0, 1, 0, 0], *range(6))
    for verb in (
        lambda b: vrnn.forecast(b, model=model, horizon=3, samples=8).samples,
        lambda b: vrnn.predictive(b, model=model).mean,
        lambda b: vrnn.predictive(b, model=model).sample(8),
        lambda b: vrnn.predictive(b, model=model).log_prob(np.full((2, 2), 10.0)),
    ):
        np.testing.assert_allclose(verb(among), verb(alone), atol=1e-9)
        assert not np.allclose(verb(among), verb(other))
    mixed = vrnn.forecast(
        weighted([0.25, 0.75], 3, 5), model=model, horizon=1, samples=400, seed=1
    ).samples
    few, many = (
        vrnn.forecast(b, model=model, horizon=1, samples=400, seed=1).samples
        for b in (alone, other)
    )
    from_few = np.isclose(mixed, few).all((-1, -2))
    np.testing.assert_array_equal(from_few | np.isclose(mixed, many).all((-1, -2)), True)
    np.testing.assert_allclose(from_few.mean(0), 0.25, atol=1 / 400)
    np.testing.assert_allclose(
        vrnn.predictive(weighted([0.25, 0.75], 3, 5), model=model).mean,
        0.25 * vrnn.predictive(alone, model=model).mean
        + 0.75 * vrnn.predictive(other, model=model).mean,
    )


@pytest.mark.parametrize("name", ["vrnn", "seq2seq", "srnn", "autoencoder"])
@torch.no_grad()
def test_forecasts_are_those_of_importance_sampling(name):
    """With latents from the prior, each pass of the prefix weighs its density alone."""
    model, tracks, count = made(name), walks(2, 5), 20000
    particles = vrnn.filter_tracks(tracks, model=model, particles=4000, seed=1).belief
    found = vrnn.forecast(particles, model=model, horizon=2, samples=4000, seed=2).samples
    batch, anchor = model.preprocessor.batch(tracks)
    batch = batch.to(next(model.network.parameters()))
    past, ahead = (draw_noise(model.network, count, 2, time, seeded(3, time)) for time in (4, 2))
    passed = unroll(model.network, batch, past, proposal="prior")
    drawn = rollout(model.network, passed.belief, batch.u[:, :2], ahead).x.numpy()
    drawn = model.preprocessor.transform.decode(drawn, anchor, passed.belief.pending.numpy())
    weight = passed.log_weight.softmax(0).numpy()
    size = 1 / (weight**2).sum(0)
    assert (size > 200).all()
    mean = np.einsum("sb,sbtd->btd", weight, drawn)
    spread = np.sqrt(np.einsum("sb,sbtd->btd", weight, (drawn - mean) ** 2))
    error = spread * np.sqrt(1 / size + 1 / 1000)[:, None, None]
    assert (np.abs(found.mean(0) - mean) < 4.5 * error).all()


def test_forecasts_from_a_belief_are_reproducible_and_any_part_is_as_good():
    model = made("vrnn")
    belief = vrnn.filter_tracks(
        holed(walks(2), (0, slice(6, None))), model=model, particles=50
    ).belief
    one, two, other = (
        vrnn.forecast(belief, model=model, horizon=3, samples=200, seed=s).samples
        for s in (1, 1, 2)
    )
    assert np.array_equal(one, two) and not np.array_equal(one, other)
    few = vrnn.forecast(belief, model=model, horizon=3, samples=7).samples
    many = vrnn.forecast(belief, model=model, horizon=3, samples=500).samples
    assert few.shape == (7, 2, 3, 2) and many.shape == (500, 2, 3, 2) and np.isfinite(many).all()
    first, second = one[:100, 0, 0], one[100:, 0, 0]
    error = np.hypot(first.std(0), second.std(0)) / 10
    assert (np.abs(first.mean(0) - second.mean(0)) < 4.5 * error).all()


def test_many_tracks_go_on_in_parts(monkeypatch):
    """Each track's belief is its own: with the paths of one particle, parts differ in noise alone."""
    model, tracks = made("rnn"), walks(5)
    belief = vrnn.filter_tracks(tracks, model=model, particles=1).belief
    whole = vrnn.forecast(belief, model=model, horizon=2, samples=3000).mean
    monkeypatch.setattr("vrnn.tasks.memory.PATHS", 6000)
    parts = vrnn.forecast(belief, model=model, horizon=2, samples=3000)
    error = parts.samples.std(0) * math.sqrt(2 / 3000)
    assert (np.abs(parts.mean - whole) < 4.5 * error).all()


def test_histories_are_turned_back():
    model, tracks = made("vrnn", heading=True), walks(3, 9)
    turned = replace(tracks, x=[rotate(x[None], np.array([0.7]))[0] for x in tracks.x])
    here, there = (
        vrnn.forecast(
            vrnn.filter_tracks(some, model=model, particles=5).belief,
            model=model,
            horizon=2,
            samples=4,
            seed=1,
        )
        for some in (tracks, turned)
    )
    np.testing.assert_allclose(
        np.concatenate(there.history.x), [x[-1] for x in turned.x], atol=1e-9
    )
    np.testing.assert_allclose(there.samples, rotate(here.samples, np.full(3, 0.7)), atol=1e-4)


def test_inputs_of_the_horizon():
    model, tracks = made("vrnn", u=True), walks(2, u=True)
    belief = vrnn.filter_tracks(tracks, model=model, particles=5).belief
    with pytest.raises(ConfigError, match="inputs='hold'"):
        vrnn.forecast(belief, model=model, horizon=3)
    held = vrnn.forecast(belief, model=model, horizon=3, samples=4, inputs="hold").samples
    last = np.repeat(np.stack([u[-1:] for u in tracks.u]), 3, 1)
    assert np.array_equal(
        held, vrnn.forecast(belief, model=model, horizon=3, samples=4, inputs=last).samples
    )
    assert not np.array_equal(
        held, vrnn.forecast(belief, model=model, horizon=3, samples=4, inputs=last + 1).samples
    )


def test_a_belief_of_nothing_goes_on_only_where_positions_are_drawn():
    positions, increments = made("vrnn", displacement=False), made("vrnn")
    drawn = vrnn.forecast(
        vrnn.initial_belief(model=positions, count=2), model=positions, horizon=3, samples=5
    )
    assert drawn.samples.shape == (5, 2, 3, 2) and drawn.times.tolist() == [[0.0, 0.5, 1.0]] * 2
    assert np.isnan(drawn.history.x[0]).all()
    belief = vrnn.initial_belief(model=increments, count=2)
    with pytest.raises(DataError, match="track 0 of the belief has no observed point"):
        vrnn.forecast(belief, model=increments, horizon=3)
    belief = vrnn.observe(
        np.array([[1.0, 2.0], [np.nan, np.nan]]), belief=belief, model=increments
    ).belief
    with pytest.raises(DataError, match="track 1 of the belief"):
        vrnn.forecast(belief, model=increments, horizon=3)


def test_a_rollout_that_forecasts_goes_on_after_its_prefix():
    model, tracks = made("rollout"), walks(2, 9)
    belief = vrnn.filter_tracks(tracks, model=model, particles=40).belief
    drawn = vrnn.forecast(belief, model=model, horizon=3, samples=20)
    assert np.isfinite(drawn.samples).all() and drawn.times[0].tolist() == [4.5, 5.0, 5.5]
    assert np.isfinite(vrnn.predictive(belief, model=model).log_prob(drawn.samples[:, :, 0])).all()
