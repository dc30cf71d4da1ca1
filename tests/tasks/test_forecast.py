"""Forecasts: units, equivariance, seeds, gaps, temperature, refusals and files."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.helpers import untrained_models
from tests.helpers.trained_models import CONFIGS, SETTINGS, walks

import vrnn
from vrnn.data.transforms import rotate
from vrnn.errors import ConfigError, DataError, UnsupportedError
from vrnn.tasks.forecast import forecast_parts
from vrnn.tasks.futures import futures
from vrnn.tasks.sampling import SamplingConfig


@pytest.mark.parametrize("name", CONFIGS)
def test_forecast_is_reproducible_joint_and_in_data_units(trained, name):
    prefix = walks(7, 5, seed=1)
    a, b, c = (
        vrnn.forecast(prefix, model=trained[name], horizon=4, samples=6, seed=s) for s in (3, 3, 4)
    )
    assert a.samples.shape == (6, 7, 4, 2) and np.isfinite(a.samples).all()
    assert np.array_equal(a.samples, b.samples) and not np.array_equal(a.samples, c.samples)
    assert np.allclose(a.times, prefix.times[0][-1] + np.arange(1, 5))
    assert np.allclose(a.mean, a.samples.mean(0))
    assert np.allclose(a.quantile(0.5), np.median(a.samples, 0))
    last = np.stack(prefix.x)[:, -1]
    assert (
        np.abs(a.samples[:, :, 0] - last).max() < 20
    )  # a step from where the track ends, not from the origin of the transform


@pytest.mark.parametrize("name", CONFIGS)
def test_forecasts_move_and_turn_with_the_prefix(trained, name):
    prefix = walks(5, 5, seed=2)
    moved = vrnn.Tracks([rotate(x[None], np.array([0.7]))[0] + [100.0, -40.0] for x in prefix.x])
    here, there = (
        vrnn.forecast(p, model=trained[name], horizon=3, samples=4, seed=0).samples
        for p in (prefix, moved)
    )
    expected = rotate(here, np.full(5, 0.7)) + np.array([100.0, -40.0])
    assert np.abs(there - expected).max() < 1e-3


def test_prefixes_of_several_lengths_each_continue_from_their_own_end():
    model = vrnn.train(
        walks(60), config=CONFIGS["vrnn"], training=replace(SETTINGS, steps=150), quiet=True
    ).model
    tracks = walks(6, 14, seed=3)
    ragged = vrnn.Tracks([x[: 3 + i] for i, x in enumerate(tracks.x)])
    batch, anchor = model.preprocessor.batch(ragged)
    alone = [model.preprocessor.batch(t) for t in ragged]
    assert batch.length.tolist() == [2, 3, 4, 5, 6, 7]
    for i, (_, single) in enumerate(alone):
        assert np.array_equal(anchor.origin[i], single.origin[0])
        assert np.array_equal(anchor.since[i], single.since[0])
    samples = vrnn.forecast(ragged, model=model, horizon=1, samples=200).samples
    last = np.stack([x[-1] for x in ragged.x])
    assert np.abs(np.linalg.norm(samples.mean(0)[:, 0] - last, axis=-1) - 1.0).max() < 0.6


def test_a_forecast_after_missing_points_reconnects():
    """With a trailing gap of k rows the first forecast row is k + 1 steps from the last observed point."""
    east = vrnn.Tracks(
        [
            np.stack([np.arange(14.0), 0.01 * np.random.default_rng(i).normal(size=14)], -1)
            for i in range(30)
        ]
    )
    model = vrnn.train(
        east,
        config=vrnn.RNNConfig(x_dim=2, hidden=8),
        training=replace(SETTINGS, steps=200),
        quiet=True,
    ).model
    prefix = np.stack([np.arange(6.0), np.zeros(6)], -1)
    prefix[4:] = np.nan
    drawn = vrnn.forecast(vrnn.Tracks([prefix]), model=model, horizon=2, samples=50)
    assert np.allclose(drawn.mean[0, :, 0], [6.0, 7.0], atol=0.15)
    assert np.allclose(drawn.times, [[6.0, 7.0]])


def test_a_supervised_forecast_has_the_times_of_the_rows_it_predicts():
    tracks = untrained_models.walks(2, y=True)
    drawn = vrnn.forecast(tracks, model=untrained_models.made("rnn-y"), horizon=3, samples=2)
    assert np.array_equal(drawn.times, np.stack(tracks.times)[:, -3:])
    assert drawn.history.lengths.tolist() == [9, 9]


def test_clusters_have_probabilities_and_are_refused_without_enough_samples(trained):
    drawn = vrnn.forecast(walks(3, 5), model=trained["vrnn"], horizon=4, samples=40)
    few = drawn.cluster(5)
    assert few.samples.shape == (5, 3, 4, 2) and np.allclose(few.weights.sum(0), 1.0)
    assert np.allclose(few.mean, drawn.mean, atol=1e-6)  # weighted centres of clusters
    assert "weight" in few.to_columns() and "weight" not in drawn.to_columns()
    with pytest.raises(ConfigError, match="more samples than clusters"):
        drawn.cluster(40)


@pytest.mark.parametrize("ending", [".csv", ".npz", ".parquet"])
def test_files_hold_every_path(trained, tmp_path, ending):
    drawn = vrnn.forecast(walks(3, 5), model=trained["vrnn"], horizon=4, samples=2)
    path = drawn.save(tmp_path / f"futures{ending}")
    transform = drawn.to_frame()
    assert len(transform) == 3 * 2 * 4 and ",".join(transform.columns) == "id,sample,step,t,x,y"
    if ending == ".csv":
        back = np.genfromtxt(path, delimiter=",", names=True)
        assert np.array_equal(back["x"].reshape(3, 2, 4), drawn.samples[..., 0].swapaxes(0, 1))
    elif ending == ".npz":
        with np.load(path, allow_pickle=False) as back:
            assert np.array_equal(back["y"].reshape(3, 2, 4), drawn.samples[..., 1].swapaxes(0, 1))
    else:
        import pandas

        assert np.array_equal(pandas.read_parquet(path)["x"], transform["x"])
    with pytest.raises(DataError, match=r"ending in \.csv"):
        drawn.save(tmp_path / "futures.xlsx")
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name]


def test_what_a_forecast_refuses(trained):
    model = trained["vrnn"]
    with pytest.raises(DataError, match="at least 5 rows"):
        vrnn.forecast(walks(2, 3), model=model, horizon=2)
    with pytest.raises(DataError, match="found none"):
        vrnn.forecast(walks(2, 5)[:0], model=model, horizon=2)
    with pytest.raises(ConfigError, match="horizon: expected at least 1, found 0"):
        vrnn.forecast(walks(2, 5), model=model, horizon=0)
    with pytest.raises(DataError, match="trained with x columns"):
        vrnn.forecast(np.zeros((2, 5, 3)), model=model, horizon=2)
    gone = np.stack(walks(2, 5).x)
    gone[1, -1] = np.nan
    with pytest.raises(DataError, match="last row has a missing value"):
        vrnn.forecast(gone, model=trained["rollout"], horizon=2)


@pytest.mark.parametrize("name", CONFIGS)
def test_fewer_prefix_samples_are_shared_among_the_paths(trained, name):
    """Path i goes on from state i modulo their number, as the paths of a forecast with so many would."""
    model, prefix = trained[name], walks(7, 5, seed=1)
    each = vrnn.forecast(prefix, model=model, horizon=4, samples=6).samples
    assert np.array_equal(
        each, vrnn.forecast(prefix, model=model, horizon=4, samples=6, prefix_samples=6).samples
    )
    assert np.array_equal(
        each, vrnn.forecast(prefix, model=model, horizon=4, samples=6, prefix_samples=9).samples
    )
    shared = vrnn.forecast(prefix, model=model, horizon=4, samples=6, prefix_samples=2).samples
    if model.exact:  # the prefix leaves one state whatever is drawn
        np.testing.assert_allclose(each, shared, rtol=1e-5, atol=1e-5)
    sampling = SamplingConfig(samples=6, prefix_samples=2)
    (found,) = futures(model, prefix, 4, sampling)
    (two,) = futures(model, prefix, 4, replace(sampling, samples=2))
    for part, expected in zip(found.belief.state, two.belief.state, strict=True):
        assert torch.equal(part, expected[[0, 1, 0, 1, 0, 1]])
    torch.testing.assert_close(found.belief.log_weight.exp().sum(0), torch.ones(7))


def test_paths_at_a_temperature_lie_nearer_to_the_mean(trained):
    model, prefix = trained["vrnn"], walks(7, 5, seed=1)
    spread = [
        vrnn.forecast(prefix, model=model, horizon=4, samples=50, prefix_samples=1, temperature=t)
        .samples.std(0)
        .mean()
        for t in (1e-6, 0.5, 1.0, 2.0)
    ]
    assert spread[0] < 1e-4 and spread == sorted(spread)
    one, same = (
        vrnn.forecast(prefix, model=model, horizon=4, samples=5, **given).samples
        for given in ({}, {"temperature": 1.0})
    )
    assert np.array_equal(one, same)
    belief = vrnn.filter_tracks(prefix, model=model).belief
    assert (
        vrnn.forecast(belief, model=model, horizon=4, samples=50, temperature=1e-6)
        .samples.std(0)
        .mean()
        < spread[1]
    )
    cool, usual = (
        vrnn.evaluate(walks(), model=model, observe=5, horizon=4, samples=8, temperature=t).model
        for t in (0.01, 1.0)
    )
    assert cool.nll == usual.nll
    assert cool.min_ade > usual.min_ade
    assert cool.ade == pytest.approx(usual.ade, rel=0.3)


def test_what_a_temperature_does_not_go_with(trained):
    with pytest.raises(ConfigError, match="temperature: expected a number above 0"):
        vrnn.forecast(walks(2, 5), model=trained["vrnn"], horizon=2, temperature=0.0)
    for verb in (vrnn.evaluate, vrnn.reliability):
        with pytest.raises(UnsupportedError, match="leave temperature 1"):
            verb(walks(), model=trained["storn"], observe=5, horizon=4, temperature=0.9)


def test_what_prefix_samples_do_not_go_with(trained):
    with pytest.raises(ConfigError, match="prefix_samples: expected at least 1"):
        vrnn.forecast(walks(2, 5), model=trained["vrnn"], horizon=2, prefix_samples=0)
    belief = vrnn.filter_tracks(walks(2, 5), model=trained["vrnn"]).belief
    with pytest.raises(UnsupportedError, match="found a belief"):
        vrnn.forecast(belief, model=trained["vrnn"], horizon=2, prefix_samples=1)


@pytest.mark.parametrize("name", ["vrnn", "dmm", "srnn", "storn"])
def test_known_inputs_are_asked_for_and_used(name):
    tracks = walks(20)
    tracks = replace(tracks, u=[np.ones((14, 1)) * i for i in range(20)], u_names=("load",))
    model = vrnn.train(tracks, config=CONFIGS[name], training=SETTINGS, quiet=True).model
    prefix = tracks.cut(stop=8)
    with pytest.raises(ConfigError, match="inputs='hold'"):
        vrnn.forecast(prefix, model=model, horizon=2)
    held = vrnn.forecast(prefix, model=model, horizon=2, samples=2, inputs="hold").samples
    given = vrnn.forecast(
        prefix, model=model, horizon=2, samples=2, inputs=np.stack([u[:2] for u in tracks.u])
    ).samples
    other = vrnn.forecast(
        prefix, model=model, horizon=2, samples=2, inputs=np.zeros((20, 2, 1))
    ).samples
    assert np.array_equal(held, given) and not np.array_equal(held, other)
    with pytest.raises(ConfigError, match="inputs: expected the shape"):
        vrnn.forecast(prefix, model=model, horizon=2, inputs=np.zeros((20, 3, 1)))
    with pytest.raises(ConfigError, match="known inputs"):
        vrnn.generate(model=model, count=2, steps=5)
    assert len(vrnn.generate(model=model, count=2, steps=5, inputs=np.zeros((2, 5, 1)))) == 2


def test_inputs_follow_the_tracks_that_are_left_out():
    random = np.random.default_rng(0)
    x, u = random.normal(size=(12, 9, 2)).cumsum(1), random.normal(size=(12, 9, 1))
    tracks = vrnn.Tracks(list(x), u=list(u))
    config, training = vrnn.RNNConfig(2, hidden=4), vrnn.TrainConfig(steps=1)
    model = vrnn.train(tracks, config=config, training=training, quiet=True).model
    ahead = random.normal(size=(3, 4, 1))
    short = vrnn.Tracks([x[0], x[1][:1], x[2]], u=[u[0], u[1][:1], u[2]])
    with pytest.warns(vrnn.VrnnWarning, match="left out: 1"):
        found = vrnn.forecast(short, model=model, horizon=4, samples=3, inputs=ahead)
    kept = short[[0, 2]]
    same = vrnn.forecast(kept, model=model, horizon=4, samples=3, inputs=ahead[[0, 2]])
    np.testing.assert_array_equal(found.samples, same.samples)


@pytest.mark.parametrize("name", ["rnn", "vrnn"])
def test_parts_are_the_forecast_of_all_tracks(trained, name, monkeypatch):
    """Each part holds the paths, times and tracks of its own tracks."""
    monkeypatch.setattr("vrnn.tasks.memory.PATHS", 12)
    prefix = walks(7, 5, seed=1)
    whole = vrnn.forecast(prefix, model=trained[name], horizon=4, samples=6)
    parts = list(forecast_parts(prefix, model=trained[name], horizon=4, samples=6))
    assert [part.samples.shape[1] for part in parts] == [2, 2, 2, 1]
    assert np.array_equal(np.concatenate([part.samples for part in parts], 1), whole.samples)
    assert np.array_equal(np.concatenate([part.times for part in parts]), whole.times)
    assert [name for part in parts for name in part.history.ids] == whole.history.ids
