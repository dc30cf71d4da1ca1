"""Position spaces: which columns, and local planes that agree with great circles."""

import numpy as np
import pytest

from vrnn.data.position_space import is_continuous, position_space
from vrnn.data.transforms import Displacement, Transform
from vrnn.data.transforms.plane import Plane
from vrnn.distributions import parse_emission
from vrnn.geo import RADIUS

MOVES = Displacement((True, False, True))
GLOBE = position_space(Transform(3, displacement=MOVES, plane=Plane(lat=2, lon=0, unit="km")))


def test_columns_are_those_with_displacements_or_all():
    assert position_space(Transform(3, displacement=MOVES)).columns.tolist() == [0, 2]
    assert position_space(Transform(3)).columns.tolist() == [0, 1, 2]
    assert GLOBE.columns.tolist() == [2, 0] and GLOBE.unit == "km"


def test_a_plane_only_shifts_the_origin():
    space, points = position_space(Transform(2)), np.arange(12.0).reshape(2, 3, 2)
    found = space.to_plane(points, points[:, -1])
    np.testing.assert_array_equal(found, points - points[:, -1:])
    np.testing.assert_array_equal(space.from_plane(found, points[:, -1]), points)
    assert space.lengths(points[:, -1]).tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("longitude", [10.0, 179.99, -180.0, 359.99])
def test_lengths_in_a_local_plane_are_those_of_great_circles(longitude):
    random, origin = np.random.default_rng(0), np.array([[60.0, longitude]])
    points = origin + random.uniform(-0.1, 0.1, size=(1, 20, 2))
    found = GLOBE.to_plane(points, origin)
    far = GLOBE.distance(points, origin[:, None])
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), far, rtol=5e-3)
    np.testing.assert_allclose(GLOBE.from_plane(found[None], origin)[0], points)
    degree = RADIUS["km"] * np.pi / 180
    np.testing.assert_allclose(GLOBE.lengths(origin), [[degree, degree / 2]])


def test_longitudes_may_jump_at_180_degrees():
    origin = np.array([[0.0, 179.5]])
    there = np.array([[[0.0, -179.5], [0.0, 180.5], [0.0, 540.5]]])
    degree = RADIUS["km"] * np.pi / 180
    found = GLOBE.to_plane(there, origin)
    np.testing.assert_allclose(found, np.broadcast_to([0.0, degree], (1, 3, 2)), atol=1e-9)


def test_positions_may_be_categories():
    family = parse_emission("gaussian:1+categorical(3):1+gaussian:1", 3)
    assert is_continuous(position_space(Transform(3, displacement=MOVES)), family)
    assert not is_continuous(position_space(Transform(3)), family)
