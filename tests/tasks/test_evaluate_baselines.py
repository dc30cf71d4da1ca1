"""Baselines in an evaluation: exact values, units, the globe, and what is left out."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

import vrnn
from vrnn.baselines.kalman import Kalman
from vrnn.data.preprocessor import Preprocessor
from vrnn.data.transforms import Displacement, Transform
from vrnn.data.transforms.plane import Plane
from vrnn.geo import RADIUS, great_circle, to_cartesian
from vrnn.tasks.evaluate_baselines import better_than, evaluate_baselines
from vrnn.tasks.sampling import SamplingConfig
from vrnn.tasks.window_scores import ForecastTest, WindowScores
from vrnn.trained import TrainedModel

OBSERVE, HORIZON, K = 5, 4, 6
TEST, SAMPLING = ForecastTest(OBSERVE, HORIZON, "samples", 3), SamplingConfig(K, 0)
RANDOM = np.random.default_rng(0)
LINES = np.arange(9.0)[:, None] * RANDOM.integers(-8, 9, size=(7, 1, 2)) / 8  # exact in binary
WALKS = RANDOM.normal(size=(7, 9, 2)).cumsum(1).cumsum(1)
PLANE = Transform(2, displacement=Displacement((True, True)))
GLOBE = replace(PLANE, plane=Plane(lat=0, lon=1, unit="nmi"))


def untrained(
    transform: Transform = PLANE, emission: str = "gaussian", kalman: Kalman | None = None
) -> TrainedModel:
    """Return a model of which the baselines only read coordinates, emission and filter."""
    config = vrnn.RNNConfig(x_dim=transform.dim, hidden=4, emission=emission)
    names = tuple(f"x{i}" for i in range(transform.dim))
    return TrainedModel(
        vrnn.RNN(config),
        Preprocessor(transform, names),
        config,
        vrnn.TrainConfig().to_dict(),
        kalman=kalman,
    )


def scores(x: np.ndarray, model: TrainedModel | None = None, **changes) -> dict[str, WindowScores]:
    test = replace(TEST, **changes)
    return evaluate_baselines(model or untrained(), vrnn.Tracks(list(x)), test, SAMPLING).scores


def test_straight_lines_are_forecast_without_error():
    found = scores(LINES)
    assert list(found) == ["constant_velocity", "random_walk", "kalman"]
    for name in ("constant_velocity", "random_walk"):
        for field in ("ade", "fde", "min_ade", "min_fde", "energy_score"):
            assert not getattr(found[name], field).any()
    assert np.abs(found["kalman"].fde).max() < 1e-6
    for name in ("random_walk", "kalman"):
        assert np.isfinite(found[name].nll).all()


def test_the_energy_score_of_constant_velocity_is_its_distance():
    found = scores(WALKS)["constant_velocity"]
    steps = np.arange(1, 5)[:, None]
    past = WALKS[:, :OBSERVE]
    off = past[:, -1:] + steps * (past[:, -1:] - past[:, -2:-1]) - WALKS[:, OBSERVE:]
    np.testing.assert_allclose(found.energy_score, np.sqrt((off**2).sum((1, 2))))
    np.testing.assert_allclose(found.ade, np.linalg.norm(off, axis=-1).mean(1))
    np.testing.assert_array_equal(found.ade, found.min_ade)
    assert np.isnan(found.nll).all()


def test_the_nll_of_the_random_walk_is_that_of_its_changes():
    """The whole future has the density of its second differences, for A has ones on its diagonal."""
    changes = np.diff(WALKS, n=2, axis=1)
    square = (changes[:, : OBSERVE - 2] ** 2).mean((1, 2))
    scale = np.sqrt((6 * square + square.mean()) / 7)
    later = scipy.stats.norm(0, scale[:, None, None]).logpdf(changes[:, OBSERVE - 2 :])
    np.testing.assert_allclose(scores(WALKS)["random_walk"].nll, -later.sum((1, 2)) / HORIZON)


def test_the_kalman_filter_of_the_training_tracks_is_used():
    known = Kalman(0.7, 0.4)
    found = evaluate_baselines(untrained(kalman=known), vrnn.Tracks(list(WALKS)), TEST, SAMPLING)
    assert found.kalman_fit == "training tracks"
    value = known.forecast(WALKS[:, :OBSERVE], HORIZON).log_prob(WALKS[:, OBSERVE:])
    np.testing.assert_allclose(found.scores["kalman"].nll, -value / HORIZON)


def test_without_one_the_observed_rows_are_fitted_and_never_the_future():
    found = evaluate_baselines(untrained(), vrnn.Tracks(list(WALKS)), TEST, SAMPLING)
    assert found.kalman_fit == "observed rows"
    fitted = Kalman.fit([WALKS[:, :OBSERVE]])
    value = fitted.forecast(WALKS[:, :OBSERVE], HORIZON).log_prob(WALKS[:, OBSERVE:])
    np.testing.assert_allclose(found.scores["kalman"].nll, -value / HORIZON, rtol=1e-4)


def test_the_mean_of_samples_is_that_of_their_distribution_and_quasi_random_ones_are_closer():
    exact = np.linalg.norm(random_mean(WALKS[:, :OBSERVE]) - WALKS[:, OBSERVE:], axis=-1).mean(1)
    off = []
    for qmc in (False, True):
        found = evaluate_baselines(
            untrained(), vrnn.Tracks(list(WALKS)), TEST, SamplingConfig(512, 0, qmc)
        ).scores
        off.append(np.abs(found["random_walk"].ade / exact - 1))
        assert (found["random_walk"].min_ade < 0.6 * found["constant_velocity"].min_ade).all()
    assert off[0].max() < 0.2 and off[1].mean() < 0.3 * off[0].mean()


def random_mean(past: np.ndarray) -> np.ndarray:
    return past[:, -1:] + np.arange(1, 5)[:, None] * (past[:, -1:] - past[:, -2:-1])


def test_clusters_are_of_more_samples_and_modes_have_plain_ones():
    plain, clusters, modes = (
        scores(WALKS, selection=selection)["random_walk"]
        for selection in ("samples", "clusters", "modes")
    )
    np.testing.assert_array_equal(plain.min_ade, modes.min_ade)
    assert clusters.min_ade.mean() != plain.min_ade.mean()
    np.testing.assert_array_equal(plain.nll, clusters.nll)


def test_scores_do_not_depend_on_the_place_and_scale_with_the_unit():
    one, other = scores(WALKS), scores(100 * WALKS + 5000)
    for name, found in one.items():
        for field in ("ade", "min_fde", "energy_score"):
            np.testing.assert_allclose(
                getattr(other[name], field), 100 * getattr(found, field), rtol=1e-6
            )
        nll = found.nll + 2 * np.log(100)
        np.testing.assert_allclose(other[name].nll, nll, rtol=1e-6)


def test_on_the_globe_they_move_in_local_planes():
    """Near the equator a degree has one length; distances are in nautical miles, densities in degrees."""
    degree, x = RADIUS["nmi"] * np.pi / 180, 0.01 * WALKS
    globe, plane = scores(x, untrained(GLOBE)), scores(degree * x)
    for name, found in globe.items():
        for field in ("ade", "fde", "min_ade", "min_fde", "energy_score"):
            expected = getattr(plane[name], field)
            np.testing.assert_allclose(getattr(found, field), expected, rtol=1e-3)
        np.testing.assert_allclose(found.nll, plane[name].nll - 2 * np.log(degree), rtol=1e-3)


@pytest.mark.parametrize("latitude", [0.0, 50.0, -70.0])
def test_constant_velocity_on_the_globe(latitude):
    x = 0.01 * WALKS + [latitude, 30.0]
    straight = random_mean(x[:, :OBSERVE])
    far = great_circle(straight, x[:, OBSERVE:], RADIUS["nmi"])
    found = scores(x, untrained(GLOBE))["constant_velocity"]
    np.testing.assert_allclose(found.ade, far.mean(1))
    chord = to_cartesian(straight, RADIUS["nmi"]) - to_cartesian(x[:, OBSERVE:], RADIUS["nmi"])
    np.testing.assert_allclose(found.energy_score, np.sqrt((chord**2).sum((1, 2))))


@pytest.mark.parametrize("turn", [lambda lon: (lon + 180) % 360 - 180, lambda lon: lon % 360])
def test_longitudes_may_have_any_range(turn):
    x = 0.1 * WALKS + [20.0, 179.9]
    jumping = np.stack([x[..., 0], turn(x[..., 1])], -1)
    one, other = (scores(points, untrained(GLOBE)) for points in (x, jumping))
    for name, found in one.items():
        np.testing.assert_allclose(np.stack(other[name]), np.stack(found), rtol=1e-6)


def test_columns_of_categories_have_no_baselines():
    x = (WALKS > 0).astype(float)
    assert scores(x, untrained(Transform(2), "bernoulli")) == {}


def test_beside_a_column_of_categories_positions_have_no_density():
    x = np.concatenate([WALKS, WALKS[..., :1] > 0], -1)
    transform = Transform(3, displacement=Displacement((True, True, False)))
    found = scores(x, untrained(transform, "gaussian:2+bernoulli:1"))
    for name, alone in scores(WALKS).items():
        np.testing.assert_allclose(found[name].ade, alone.ade)
        assert np.isnan(found[name].nll).all()


def test_two_observed_rows_leave_what_needs_no_change_of_velocity():
    assert list(scores(WALKS, observe=2, horizon=7)) == ["constant_velocity"]
    known = untrained(kalman=Kalman(1.0, 0.1))
    assert list(scores(WALKS, known, observe=2, horizon=7)) == ["constant_velocity", "kalman"]
    assert len(scores(WALKS, observe=3, horizon=6)) == 3


def energies(values: np.ndarray) -> WindowScores:
    return WindowScores(*[values] * 6)


def test_a_baseline_is_better_beyond_two_standard_errors_over_tracks():
    """Two clusters of three: the standard error of differences (1, 3) is 1, of mean 2."""
    track, model = np.array([0, 0, 0, 1, 1, 1]), energies(np.full(6, 10.0))
    gain = np.array([1.0, 1, 1, 3, 3, 3])
    baselines = {
        "two": energies(10 - gain),
        "more": energies(10 - gain - 0.1),
        "worse": energies(12 + gain),
    }
    assert better_than(model, baselines, track) == ("more",)
    assert better_than(model, baselines, np.arange(6)) == ("two", "more")
    assert better_than(model, baselines, np.zeros(6, int)) == ()
