"""The model that needs no training: any units, any heading, and one clear line for other data."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import vrnn
from vrnn.errors import ConfigError, DataError, RunFolderError, UnsupportedError
from vrnn.training.shipped import SHIPPED, fitted, shipped, usual_start


def walk(seed: int = 0, rows: int = 12) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (np.array([1.0, 0.3]) + 0.2 * random.normal(size=(rows, 2))).cumsum(0)


WALKS = [walk(seed) for seed in range(6)]


def future(x: list[np.ndarray], **more) -> np.ndarray:
    return vrnn.forecast(vrnn.Tracks(x), horizon=6, samples=5, seed=2, **more).samples


@pytest.mark.parametrize("mirror", [1, -1])
@pytest.mark.parametrize("factor", [1.0, 1e-9, 1e9])
def test_forecasts_turn_mirror_scale_and_shift_with_the_data(mirror, factor):
    c, s = np.cos(0.7), np.sin(0.7)
    matrix = factor * np.array([[c, -s], [s, c]]) * [1, mirror]
    shift = factor * np.array([30.0, -80.0])
    moved = future([x @ matrix.T + shift for x in WALKS])
    expected = future(WALKS) @ matrix.T + shift
    size = np.abs(np.diff(expected, axis=2)).mean()
    assert np.abs(moved - expected).max() < 1e-4 * size * 6


@pytest.mark.parametrize(
    "x",
    [
        WALKS[0][:2],
        np.ones((8, 2)),
        np.round(WALKS[0]),
        np.concatenate([WALKS[0][:6], WALKS[0][6:7] + 1e5, WALKS[0][7:]]),
        np.repeat(WALKS[0][:4], 5, axis=0),
        np.where(np.arange(12)[:, None] == 5, np.nan, WALKS[0]),
    ],
    ids=["two rows", "still", "rounded", "a jump", "stops", "a gap"],
)
def test_odd_tracks_have_finite_futures_in_any_unit(x):
    for factor in (1.0, 1e-9, 1e9):
        found = future([factor * x])
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found / factor, future([x]), rtol=1e-3, atol=1e-3)


def test_one_row_is_refused_in_one_line():
    with pytest.raises(DataError, match="expected at least 2 rows"):
        future([WALKS[0][:1]])


def test_where_no_two_rows_follow_each_other():
    x = np.where(np.arange(12)[:, None] % 2 == 1, np.nan, WALKS[0])
    for factor in (1e-4, 1e4):
        np.testing.assert_allclose(future([factor * x]) / factor, future([x]), rtol=1e-2, atol=0.05)


def test_what_stands_far_away_stays_there():
    assert np.abs(future([np.full((10, 2), 5e6)]) - 5e6).max() < 1.0


def test_a_belief_keeps_the_unit_of_its_tracks():
    tracks = vrnn.Tracks([1000 * x for x in WALKS])
    belief = vrnn.filter_tracks(tracks, particles=400).belief
    one = vrnn.forecast(belief, horizon=3, samples=400).mean
    other = vrnn.forecast(tracks, horizon=3, samples=400).mean
    np.testing.assert_allclose(one, other, atol=300)
    ahead = vrnn.predictive(belief, model="tracks-2d").mean
    np.testing.assert_allclose(ahead, other[:, 0], atol=150)
    _, log_prob = vrnn.observe(other[:, 0], belief=belief, model="tracks-2d")
    assert (log_prob > -25).all()
    with pytest.raises(UnsupportedError, match="no unit for a belief"):
        vrnn.initial_belief(model="tracks-2d")


def test_what_needs_a_trained_model_says_so():
    with pytest.raises(UnsupportedError, match="no unit for tracks that it generates"):
        vrnn.generate(model="tracks-2d", count=1, steps=3)
    with pytest.raises(UnsupportedError, match="take clusters"):
        vrnn.fit_modes(vrnn.Tracks(WALKS), model="tracks-2d")


def test_arrays_lists_and_paths_of_names():
    array = np.stack(WALKS)
    expected = vrnn.forecast(array, horizon=3, seed=1).samples
    for given, model in ((array.tolist(), None), (array, Path("tracks-2d"))):
        found = vrnn.forecast(given, model=model, horizon=3, seed=1).samples
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(DataError, match="positions in a plane"):
        vrnn.forecast(np.ones((5, 3)))


def test_names_that_only_begin_like_degrees():
    tracks = vrnn.Tracks(WALKS, x_names=("lateral", "longitudinal"))
    found = vrnn.forecast(tracks, horizon=6, samples=5, seed=2).samples
    np.testing.assert_array_equal(found, future(WALKS))


def test_training_goes_on_from_it(tmp_path):
    tracks = vrnn.Tracks([50 * walk(seed, 20) for seed in range(20)])
    settings = vrnn.TrainConfig(steps=2, learning_rate=1e-6, validate_every=2, patience=9)
    given = {"training": settings, "out": tmp_path, "quiet": True}
    run = vrnn.train(tracks, start="tracks-2d", **given)
    ours, theirs = (dict(m.network.state_dict()) for m in (run.model, shipped(SHIPPED[0])))
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=0, atol=1e-4)
    assert run.model.config == shipped(SHIPPED[0]).config and not run.model.fits_data
    one, other = (vrnn.forecast(tracks[:2], model=m, samples=4).samples for m in (run.model, None))
    np.testing.assert_allclose(one, other, rtol=0.05, atol=20)
    with pytest.raises(RunFolderError, match=r"began from another model.*start"):
        vrnn.train(
            tracks,
            config=run.model.config,
            resume=True,
            **{**given, "training": replace(settings, transform=vrnn.TransformConfig(causal=True))},
        )
    with pytest.raises(ConfigError, match="heading"):
        vrnn.train(
            tracks,
            start="tracks-2d",
            training=replace(settings, observe=4, transform=vrnn.TransformConfig(heading=True)),
        )


def test_few_tracks_get_it_by_default_and_many_random_weights():
    """Where the data is positions in a plane and no setting asks for something else."""
    many = vrnn.Tracks([walk(seed, 20) for seed in range(20)])
    few, settings = many[:9], vrnn.TrainConfig(steps=1, learning_rate=1e-30)
    one = {"training": settings, "quiet": True}
    assert vrnn.train(many, **one).model.config.hidden == 64
    assert vrnn.train(few, **one).model.config.hidden == 128
    assert vrnn.train(few, start="scratch", **one).model.config.hidden == 64
    assert vrnn.train(few, config=vrnn.VRNNConfig(2), **one).model.config == vrnn.VRNNConfig(2)
    given = (
        replace(settings, time_input=True),
        replace(settings, position_input=True),
        replace(settings, window=10),
        replace(settings, transform=vrnn.TransformConfig(standardise=False)),
    )
    assert usual_start(few, settings) is not None and usual_start(few, settings, few) is None
    for other in given:
        assert usual_start(few, other) is None
    three, binary = np.ones((9, 3)).cumsum(0), np.eye(2)[[0, 1] * 5]
    with_input = vrnn.Tracks(few.x, u=[np.ones((20, 1))] * 9)
    for columns in (vrnn.Tracks([three]), vrnn.Tracks([binary]), with_input):
        assert usual_start(columns, settings) is None
    degrees = vrnn.Tracks(few.x, x_names=("lat", "lon"))
    plane = replace(settings, transform=vrnn.TransformConfig(geographic="nmi"))
    model = vrnn.train(degrees, training=plane, quiet=True).model
    assert model.training["transform"]["geographic"] == "nmi" and model.config.hidden == 128


def test_a_run_that_starts_from_it_resumes_bit_by_bit(tmp_path):
    tracks = vrnn.Tracks([walk(seed, 20) for seed in range(20)])
    whole = vrnn.TrainConfig(steps=4, batch_size=8, validate_every=2, warmup=0)
    expected = vrnn.train(
        tracks, start="tracks-2d", training=whole, out=tmp_path / "a", quiet=True
    ).model

    class Stops:
        def log(self, record: dict) -> None:
            if record["step"] == 4:
                raise KeyboardInterrupt

    given = {"training": whole, "out": tmp_path / "b", "quiet": True}
    with pytest.raises(KeyboardInterrupt):
        vrnn.train(tracks, start="tracks-2d", tracker=Stops(), **given)
    found = vrnn.train(tracks, start="tracks-2d", resume=True, **given).model
    ours, theirs = found.network.state_dict(), expected.network.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    with pytest.raises(RunFolderError, match="name the model to start from"):
        vrnn.train(tracks, start="scratch", resume=True, **given)


def test_weights_that_training_does_not_improve_are_kept(tmp_path):
    tracks = vrnn.Tracks([walk(seed, 20) for seed in range(20)])
    settings = vrnn.TrainConfig(steps=4, learning_rate=0.5, warmup=0, validate_every=2)
    run = vrnn.train(tracks, start="tracks-2d", training=settings, out=tmp_path, quiet=True)
    weights = shipped(SHIPPED[0]).network.state_dict()
    assert all(torch.equal(v, weights[k]) for k, v in run.model.network.state_dict().items())
    assert run.history[0]["step"] == 0
    assert run.history[0]["val_bound"] > run.history[-1]["val_bound"]


def test_a_start_with_a_heading_keeps_its_row():
    tracks = vrnn.Tracks([walk(seed, 20) for seed in range(20)])
    heading = vrnn.TransformConfig(heading=True)
    first = vrnn.TrainConfig(steps=1, observe=8, transform=heading)
    start = vrnn.train(tracks, training=first, quiet=True).model
    again = vrnn.train(tracks, start=start, training=vrnn.TrainConfig(steps=1), quiet=True).model
    assert again.observe == 8 and again.preprocessor == start.preprocessor


def test_what_stands_still_stays_near():
    found = future([np.ones((10, 2)), WALKS[0]])
    assert np.median(np.abs(found[:, 0] - 1)) < 0.5  # moves of the other track are of length 1
    alone = future([np.ones((10, 2))])
    assert np.abs(alone - 1).max() < 0.01


def test_long_tracks():
    long = np.random.default_rng(0).normal(size=(10_000, 2)).cumsum(0)
    assert np.isfinite(future([long])).all()


def test_degrees_are_taken_as_places_on_the_globe():
    """Near 60 degrees north a degree of longitude is half as long, and futures are as if so."""
    plane = 0.01 * WALKS[0]
    lat, lon = 60 + plane[:, 0], 20 + plane[:, 1] / np.cos(np.radians(60 + plane[0, 0]))
    degrees = vrnn.Tracks([np.stack([lat, lon], -1)], x_names=("lat", "lon"))
    found = vrnn.forecast(degrees, horizon=4, samples=5, seed=2).samples[:, 0]
    flat = vrnn.forecast(vrnn.Tracks([plane]), horizon=4, samples=5, seed=2).samples[:, 0]
    np.testing.assert_allclose(found[..., 0] - 60, flat[..., 0], atol=2e-4)
    half = np.cos(np.radians(60 + plane[0, 0]))
    np.testing.assert_allclose((found[..., 1] - 20) * half, flat[..., 1], atol=2e-4)


@pytest.mark.parametrize(
    ("tracks", "found"),
    [
        (vrnn.Tracks([np.ones((5, 3))], x_names=("a", "b", "c")), "found a, b, c"),
        (vrnn.Tracks([np.ones((5, 2))], u=[np.ones((5, 1))]), "found x, y, u0"),
        (vrnn.Tracks([np.eye(2)]), "found x, y"),
    ],
    ids=["three columns", "inputs", "binary"],
)
def test_other_data_is_refused_with_the_way_out(tracks, found):
    with pytest.raises(DataError, match=r"positions in a plane.*vrnn\.train") as error:
        vrnn.forecast(tracks)
    assert found in str(error.value)


def test_every_task_takes_it():
    tracks = vrnn.Tracks(WALKS)
    gaps = vrnn.Tracks([np.where(np.arange(12)[:, None] == 5, np.nan, x) for x in WALKS])
    assert np.isfinite(vrnn.score(tracks, particles=10).score).all()
    filled = vrnn.impute(gaps, samples=10, particles=50).mean
    assert np.abs(filled[0][5] - WALKS[0][5]).max() < 1.0
    assert np.isfinite(vrnn.likelihood(tracks, samples=10).per_row)
    long = vrnn.Tracks([walk(seed, 30) for seed in range(4)])
    assert np.isfinite(vrnn.evaluate(long, observe=8, horizon=6).model.energy_score)
    assert np.isfinite(vrnn.reliability(long, observe=8, horizon=6, samples=20).level).all()


def test_a_name_loads_it_and_a_copy_may_change():
    model = vrnn.load(SHIPPED[0])
    with torch.no_grad():
        next(model.network.parameters()).zero_()
    again = vrnn.load(SHIPPED[0])
    assert next(again.network.parameters()).detach().any()
    np.testing.assert_array_equal(future(WALKS, model=again), future(WALKS))
    np.testing.assert_array_equal(future(WALKS, model=SHIPPED[0]), future(WALKS))


def test_it_is_fitted_to_the_data_of_every_task():
    model = shipped(SHIPPED[0])
    one = fitted(model, vrnn.Tracks(WALKS))
    assert model.fits_data and not one.fits_data and one.network is model.network
    moves = np.concatenate([np.diff(x, axis=0) for x in WALKS])
    scale = np.sqrt((moves**2).sum(-1).mean())
    assert one.preprocessor.transform.standardise.scale == pytest.approx((scale, scale))


def test_it_beats_a_random_walk_and_a_kalman_filter():
    """By the energy score, on simulated motion of another seed."""
    from benchmarks.without_training import by_kalman, by_random_walk, scores

    from vrnn.data.synthetic.motion import motion

    x = motion(np.random.default_rng(5), 400, 20)
    x = x[np.ptp(x[:, :8], axis=(1, 2)) > 0.01 * np.ptp(x, axis=(1, 2))]  # moves in its past
    past, truth = x[:, :8], x[:, 8:]
    unit = np.sqrt((np.diff(past, axis=1) ** 2).sum(-1).mean(1))[:, None, None] + 1e-9
    past, truth = past / unit, truth / unit
    found = scores(vrnn.forecast(past, horizon=12).samples, truth)["energy"]
    others = [by_random_walk(past, 0), by_kalman(past, 0)]
    assert found < 0.9 * min(scores(samples, truth)["energy"] for samples in others)


def test_rounding_errors_are_no_moves():
    """A track that stands still up to rounding, and then goes, scores as one that stands still."""
    still = np.r_[np.full((4, 2), 0.3), 0.3 + walk(rows=12)]
    crumbs = still.copy()
    crumbs[1:4] += 1e-16 * np.array([[2, 1], [0, 3], [1, 1]]) / 2
    crumbs[2] = np.nextafter(crumbs[2], 1)
    one, other = (vrnn.likelihood(vrnn.Tracks([x])).values for x in (still, crumbs))
    np.testing.assert_allclose(one, other, rtol=1e-4)
    assert np.isfinite(one).all() and not np.array_equal(still, crumbs)


def test_few_tracks_leave_the_weights_as_they_are(tmp_path, capsys):
    tracks = vrnn.Tracks([walk(seed, 20) for seed in range(9)])
    one = vrnn.TrainConfig(steps=2)
    kept = vrnn.train(tracks, training=one, out=tmp_path).model
    assert "training needs at least 10 tracks, found 9" in capsys.readouterr().err
    weights = shipped(SHIPPED[0]).network.state_dict()
    for model in (kept, vrnn.load(tmp_path)):
        assert all(torch.equal(v, weights[k]) for k, v in model.network.state_dict().items())
    asked = vrnn.train(tracks, start="tracks-2d", training=one, quiet=True).model
    assert not all(torch.equal(v, weights[k]) for k, v in asked.network.state_dict().items())
