"""Latitude and longitude in a plane, against distances on the sphere."""

import numpy as np
import pytest
from tests.helpers.transforms import fitted, walks

import vrnn
from vrnn.data.tracks import Tracks
from vrnn.data.transforms import Anchor, Transform, TransformConfig
from vrnn.errors import ConfigError, DataError
from vrnn.geo import RADIUS, great_circle


def test_a_geographic_transform_measures_small_steps_as_the_sphere_does():
    """Increments near the first latitude are great-circle distances with their signs."""
    random = np.random.default_rng(0)
    first = random.uniform([-70, -180], [70, 180], (50, 2))
    x = first[:, None] + np.cumsum(
        np.r_[np.zeros((1, 50, 2)), random.normal(scale=0.01, size=(3, 50, 2))], 0
    ).swapaxes(0, 1)
    for unit in ("nmi", "km"):
        transform = fitted(TransformConfig(geographic=unit, standardise=False), x)
        steps = transform.encode(x)[0].values
        np.testing.assert_allclose(
            np.linalg.norm(steps, axis=-1),
            great_circle(x[:, :-1], x[:, 1:], RADIUS[unit]),
            rtol=3e-3,
        )
        assert (np.sign(steps) == np.sign(np.diff(x, axis=1))).all()
    one = fitted(TransformConfig(geographic="nmi", standardise=False), x)
    degree = one.encode(np.array([[[60.0, 10.0], [61.0, 11.0]]]))[0].values[0, 0]
    np.testing.assert_allclose(
        degree, [60.04, 30.02], atol=0.01
    )  # a degree of latitude is 60 nautical miles


def test_a_geographic_transform_encodes_rows_one_by_one_as_all_at_once():
    x = walks(3, 6, 1)
    transform = fitted(TransformConfig(geographic="nmi"), x)
    whole = transform.encode(x)[0].values
    nowhere = np.full((3, 2), np.nan)
    anchor = Anchor(nowhere, np.zeros((3, 2)), np.zeros(3), nowhere)
    for t in range(6):
        values, anchor = transform.encode_next(x[:, t : t + 1], anchor)
        if t:
            np.testing.assert_allclose(values[:, 0], whole[:, t - 1], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(transform.position(anchor), x[:, -1])
    assert Transform.from_dict(transform.to_dict()) == transform
    pole = transform.metric_scale(np.array([[90.0, 0.0]]))
    assert (pole > 0).all()


def test_a_geographic_transform_is_fitted_from_the_first_point_that_there_is():
    x = walks(20, 9, 1)
    holed = [a.copy() for a in x]
    for track in holed:
        track[:2] = np.nan
    transforms = [
        Transform.fit(tracks, TransformConfig(geographic="nmi"), (True, True), names=("lat", "lon"))
        for tracks in (holed, [a[2:] for a in x])
    ]
    assert transforms[0] == transforms[1]


def test_a_geographic_transform_refuses():
    x = walks(3, 6, 1)
    with pytest.raises(ConfigError, match="nmi, km or nothing, found 'miles'"):
        TransformConfig(geographic="miles")
    with pytest.raises(ConfigError, match=r"leave transform\.displacement on"):
        TransformConfig(geographic="km", displacement=False)
    for augment in (vrnn.AugmentConfig(rotate=True), vrnn.AugmentConfig(speed=(0.5, 2.0))):
        tracks = Tracks(list(x), x_names=("lat", "lon"))
        settings = vrnn.TrainConfig(transform=TransformConfig(geographic="km"), augment=augment)
        with pytest.raises(ConfigError, match="on the globe that is no motion"):
            vrnn.train(tracks, config=vrnn.RNNConfig(2), training=settings)
    with pytest.raises(DataError, match="latitudes from -90 to 90 degrees, found 1"):
        fitted(TransformConfig(geographic="km"), x + 100)
    with pytest.raises(DataError, match=r"within 0\.6 degrees of a pole, found 89\.9"):
        fitted(TransformConfig(geographic="km"), np.concatenate([x, np.full((1, 6, 2), 89.9)]))
    for names in (("x", "y"), ("lat", "lat_2"), ()):
        with pytest.raises(ConfigError, match="one column whose name has the word lat"):
            Transform.fit(list(x), TransformConfig(geographic="km"), (True, True), names=names)
