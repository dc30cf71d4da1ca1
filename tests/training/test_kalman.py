"""The Kalman filter of the training tracks: what it is fitted to, and where it is kept."""

import numpy as np
import pytest

import vrnn
from vrnn.baselines.kalman import Kalman
from vrnn.data.transforms import Displacement, Transform
from vrnn.data.transforms.plane import Plane
from vrnn.distributions import parse_emission
from vrnn.geo import RADIUS
from vrnn.training import kalman
from vrnn.training.kalman import fit_kalman
from vrnn.training.splits import hold_out

PLANE, GAUSSIAN = (
    Transform(2, displacement=Displacement((True, True))),
    parse_emission("gaussian", 2),
)


def walks(count: int = 12, rows: int = 45, seed: int = 0) -> list[np.ndarray]:
    """Return random walks of the velocity of scale 0.2, seen with noise of scale 0.1."""
    random = np.random.default_rng(seed)
    change = 0.2 * random.normal(size=(count, rows, 2))
    return list(change.cumsum(1).cumsum(1) + 0.1 * random.normal(size=(count, rows, 2)))


def test_it_is_fitted_to_all_pieces_of_20_rows_and_their_rest():
    x = np.stack(walks())
    pieces = [np.concatenate([x[:, :20], x[:, 20:40]]), x[:, 40:]]
    found = fit_kalman(vrnn.Tracks(list(x)), PLANE, GAUSSIAN)
    np.testing.assert_allclose(found, Kalman.fit(pieces), rtol=1e-6)
    np.testing.assert_allclose(found, (0.04, 0.01), rtol=0.25)


def test_gaps_and_breaks_in_time_part_the_pieces():
    x = walks(1, 12)[0]
    gap = x.copy()
    gap[5] = np.nan
    times = np.arange(12.0)
    times[8:] += 3
    found = fit_kalman(vrnn.Tracks([gap], times=[times]), PLANE, GAUSSIAN)
    whole = [x[None, :5], x[None, 8:]]  # and rows 6 and 7, which are too few
    np.testing.assert_allclose(found, Kalman.fit(whole), rtol=1e-6)


def test_of_very_many_pieces_some_are_read(monkeypatch):
    monkeypatch.setattr(kalman, "MOST", 3)
    x = walks(5, 20)
    found = fit_kalman(vrnn.Tracks(x), PLANE, GAUSSIAN)
    np.testing.assert_allclose(found, Kalman.fit([np.stack(x[::2])]), rtol=1e-6)


def test_on_the_globe_the_unit_is_that_of_distances():
    globe = Transform(2, displacement=PLANE.displacement, plane=Plane(0, 1, "km"))
    x, degree = walks(), RADIUS["km"] * np.pi / 180
    found = fit_kalman(vrnn.Tracks([0.001 * a for a in x]), globe, GAUSSIAN)
    plain = np.array(fit_kalman(vrnn.Tracks(x), PLANE, GAUSSIAN))
    np.testing.assert_allclose(found, (0.001 * degree) ** 2 * plain, rtol=1e-3)


def test_there_is_none_of_categories_and_of_tracks_of_two_rows():
    bits = vrnn.Tracks([(a > 0).astype(float) for a in walks()])
    assert fit_kalman(bits, Transform(2), parse_emission("bernoulli", 2)) is None
    assert fit_kalman(vrnn.Tracks(walks(3, 2)), PLANE, GAUSSIAN) is None


@pytest.mark.parametrize("start", ["scratch", "tracks-2d"])
def test_training_fits_it_to_the_training_tracks(start):
    """To none that is held out for validation, and to no copies at other rates."""
    tracks = vrnn.Tracks(walks(20, 25))
    settings = vrnn.TrainConfig(steps=1, augment=vrnn.AugmentConfig(rates=(0.5, 1.0)))
    run = vrnn.train(tracks, training=settings, start=start, quiet=True)
    kept, held_out = hold_out(tracks, settings.holdout, settings.seed, [])
    assert len(held_out) == 2
    assert run.model.kalman == fit_kalman(kept, PLANE, GAUSSIAN)
    assert run.model.kalman != fit_kalman(tracks, PLANE, GAUSSIAN)


def test_a_supervised_model_has_none():
    tracks = vrnn.Tracks(walks(), y=[a[:, :1] for a in walks()])
    config = vrnn.RNNConfig(x_dim=2, hidden=4, supervised=True)
    run = vrnn.train(tracks, config=config, training=vrnn.TrainConfig(steps=1), quiet=True)
    assert run.model.kalman is None
