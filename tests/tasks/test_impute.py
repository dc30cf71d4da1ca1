"""Imputation: what is filled and what is left alone, bit for bit, and what is refused."""

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.helpers.untrained_models import KINDS, SUPERVISED, bits, holed, made, walks

import vrnn
from vrnn.errors import ConfigError, UnsupportedError
from vrnn.tasks.imputed import Imputed

QUICK = {"samples": 7, "particles": 30}
GAPS = [(0, slice(4, 6)), (2, slice(9, None)), (3, slice(0, 3)), (4, slice(None))]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("displacement", [True, False], ids=["displacement", "positions"])
def test_what_was_observed_stays_bit_for_bit_and_the_rest_is_drawn(name, displacement):
    tracks = holed(walks(), *GAPS)
    filled = vrnn.impute(tracks, model=made(name, displacement=displacement), **QUICK)
    low, high = filled.interval(0.5)
    for i, x in enumerate(tracks.x):
        there = np.isfinite(x)
        paths = filled.samples[i]
        assert paths.shape == (7, 12, 2)
        for values in (*paths, filled.mean[i], filled.quantile(0.3)[i], low[i], high[i]):
            assert np.array_equal(values[there], x[there])
        first = there.all(-1).argmax() if there.any() else 12
        drawn = ~there & (np.arange(12) >= first)[:, None]
        if not displacement:
            drawn = ~there & (np.arange(12) > (first if there.any() else 11))[:, None]
        assert np.array_equal(filled.missing[i], drawn)
        assert np.isfinite(paths[:, drawn]).all() and np.isnan(paths[:, ~there & ~drawn]).all()
        if drawn.any():
            assert (low[i][drawn] <= high[i][drawn]).all()
    assert filled.samples[2][:, 9:].std(0).min() > 0  # inside a gap few particles may be left
    assert filled.tracks is tracks and repr(filled) == "Imputed(5 points of 6 tracks, 7 paths)"


def test_single_entries_are_drawn_where_the_emission_takes_them_apart():
    tracks = walks(2)
    x = [a.copy() for a in tracks.x]
    x[0][4, 1] = x[1][6, 0] = np.nan
    holes = replace(tracks, x=x)
    apart = vrnn.impute(holes, model=made("factorised"), **QUICK)
    assert [m.sum() for m in apart.missing] == [1, 1]
    assert np.array_equal(apart.mean[0][4, 0], x[0][4, 0]) and apart.samples[0][:, 4, 1].std() > 0
    together = vrnn.impute(
        holes, model=made("rnn"), **QUICK
    )  # the row is missing as a whole, and what was seen stays
    assert np.array_equal(together.mean[1][6, 1], x[1][6, 1])
    assert together.samples[1][:, 6, 0].std() > 0


def test_after_the_last_point_it_forecasts():
    """Of an RNN: the paths through a trailing gap are those of a forecast, 3000 against 3000."""
    model, tracks = made("rnn"), holed(walks(2), (0, slice(9, None)), (1, slice(9, None)))
    filled = vrnn.impute(tracks, model=model, samples=3000, particles=3000, sweeps=0)
    ahead = vrnn.forecast(tracks.cut(stop=9), model=model, horizon=3, samples=3000).samples
    for i in range(2):
        found = filled.samples[i][:, 9:]
        error = np.hypot(found.std(0), ahead[:, i].std(0)) * math.sqrt(
            2 / 3000
        )  # paths are drawn twice over
        assert (np.abs(found.mean(0) - ahead[:, i].mean(0)) < 4.5 * error).all()


def test_paths_come_back_to_the_next_point():
    """A walk that goes east at one metre a row: inside a gap of nine rows the paths stay on the line between its ends."""
    random = np.random.default_rng(0)
    east = [np.stack([np.arange(20.0), 0.02 * random.normal(size=20)], -1) for _ in range(30)]
    settings = vrnn.TrainConfig(steps=150, batch_size=16, warmup=0, learning_rate=5e-3, holdout=0.0)
    model = vrnn.train(
        vrnn.Tracks(east), config=vrnn.RNNConfig(2, hidden=8), training=settings, quiet=True
    ).model
    gone = east[0] + np.array([500.0, -20.0])
    gone[5:14] = np.nan
    filled = vrnn.impute(gone, model=model, samples=50, particles=200)
    np.testing.assert_allclose(filled.mean[0][5:14, 0], 500 + np.arange(5, 14), atol=0.3)
    np.testing.assert_allclose(filled.mean[0][5:14, 1], -20, atol=0.3)


@pytest.mark.parametrize("name", SUPERVISED)
def test_supervised_models_fill_y(name):
    model, tracks = made(name), walks(3, y=True)
    y = [a.copy() for a in tracks.y]
    y[0][3:5] = y[1][10:] = np.nan
    filled = vrnn.impute(replace(tracks, y=y), model=model, **QUICK)
    assert filled.names == ("power",)
    assert filled.tracks.x_names == ("power",)
    assert filled.tracks.ids == tracks.ids
    assert [m.sum() for m in filled.missing] == [2, 2, 0]
    assert np.abs(np.concatenate([filled.mean[0][3:5], filled.mean[1][10:]]) - 50).max() < 200
    blind = vrnn.impute(
        replace(tracks, y=[], y_names=()), model=model, **QUICK
    )  # with no target at all, all are drawn
    assert [m.sum() for m in blind.missing] == [11, 11, 11]


def test_keys_are_filled_with_zeros_and_ones():
    filled = vrnn.impute(
        holed(bits(3), (0, slice(3, 6)), (1, slice(0, 2))), model=made("binary"), **QUICK
    )
    assert set(np.unique(filled.samples[0])) == {0.0, 1.0}
    assert ((filled.mean[0] >= 0) & (filled.mean[0] <= 1)).all()


def test_distinct_paths_are_counted_where_they_are_fewest():
    x = np.array([[0.0, 0], [np.nan, 0], [np.nan, 0], [3, 0]])
    paths = np.stack([np.where(np.isnan(x), value, x) for value in (1.0, 1.0, 2.0)])
    paths[2, 1, 0] = 1.0  # three paths, of which two differ at one row and none at the other
    filled = Imputed(vrnn.Tracks([x, x[[0, 3]]]), [paths, paths[:, [0, 3]]], ("x", "y"))
    assert filled.distinct.tolist() == [1, 3]


def test_nothing_missing_gives_the_data_back():
    tracks = walks(3)
    filled = vrnn.impute(tracks, model=made("vrnn"), **QUICK)
    assert not np.concatenate(filled.missing).any()
    assert all(np.array_equal(a, b) for a, b in zip(filled.to_tracks().x, tracks.x, strict=True))


def test_skipped_times_are_filled_after_regular():
    tracks = walks(2)
    keep = np.r_[0:4, 7:12]
    skipped = replace(
        tracks, x=[x[keep] for x in tracks.x], times=[t[keep] for t in tracks.times], u=[], y=[]
    )
    filled = vrnn.impute(vrnn.regular(skipped), model=made("vrnn"), **QUICK).to_tracks()
    assert filled.lengths.tolist() == [12, 12] and np.isfinite(np.stack(filled.x)).all()
    np.testing.assert_array_equal(filled.times[0], tracks.times[0])


@pytest.mark.parametrize("ending", [".csv", ".npz", ".parquet"])
def test_tables(tmp_path, ending):
    tracks = holed(walks(), *GAPS)
    filled = vrnn.impute(tracks, model=made("vrnn"), **QUICK)
    path = filled.save(tmp_path / f"f{ending}", share=0.5)
    transform = filled.to_frame(0.5)
    assert ",".join(transform.columns) == "id,t,x,y,x_low,y_low,x_high,y_high,imputed"
    assert (
        transform["imputed"].tolist() == np.concatenate(filled.missing).any(-1).astype(int).tolist()
    )
    low, high = filled.interval(0.5)
    np.testing.assert_array_equal(transform["x_low"], np.concatenate(low)[:, 0])
    np.testing.assert_array_equal(transform["y_high"], np.concatenate(high)[:, 1])
    if ending == ".csv":
        back = vrnn.read_tracks(path)
        assert back.ids == tracks.ids
        assert all(
            np.array_equal(a, b, equal_nan=True) for a, b in zip(back.x, filled.mean, strict=True)
        )
    elif ending == ".npz":
        with np.load(path, allow_pickle=False) as back:
            np.testing.assert_array_equal(back["y"], transform["y"])
    else:
        import pandas

        np.testing.assert_array_equal(pandas.read_parquet(path)["t"], transform["t"])


def test_seeds_and_parts(monkeypatch):
    model, tracks = made("vrnn"), holed(walks(), *GAPS)
    one, two, other = (vrnn.impute(tracks, model=model, seed=s, **QUICK).samples for s in (1, 1, 2))
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, two, strict=True))
    assert not np.array_equal(one[0], other[0])
    monkeypatch.setattr("vrnn.tasks.memory.PATHS", 40)
    parts = vrnn.impute(tracks, model=model, **QUICK)
    assert [m.sum() for m in parts.missing] == [4, 0, 6, 0, 0, 0]


def test_what_is_refused():
    model, tracks = made("vrnn"), walks(2)
    with pytest.raises(UnsupportedError, match="a RolloutVAE that forecasts has no density"):
        vrnn.impute(tracks, model=made("rollout"))
    with pytest.raises(UnsupportedError, match="a model with a heading transform"):
        vrnn.impute(tracks, model=made("vrnn", heading=True))
    for name, value, least in (("samples", 0, 1), ("particles", 1, 2), ("sweeps", -1, 0)):
        with pytest.raises(ConfigError, match=f"{name}: expected at least {least}, found {value}"):
            vrnn.impute(tracks, model=model, **{name: value})
    with pytest.raises(ConfigError, match="seed"):
        vrnn.impute(tracks, model=model, seed=-1)
    filled = vrnn.impute(holed(tracks, (0, slice(4, 5))), model=model, **QUICK)
    for share in (0.0, 1.0, 1.5):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            filled.interval(share)
