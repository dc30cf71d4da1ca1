"""Distances, scales and coordinates on the globe, against known arcs and unit vectors."""

import numpy as np
import pytest

from vrnn.geo import RADIUS, degree_lengths, great_circle, to_cartesian


def random_points(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.stack([random.uniform(-90, 90, count), random.uniform(-180, 180, count)], -1)


def test_great_circle_of_known_arcs():
    degree = np.array([[0.0, 0.0], [0.0, 0.0], [60.0, 10.0], [0.0, 179.5]])
    other = np.array([[1.0, 0.0], [0.0, 180.0], [60.0, 370.0], [0.0, -179.5]])
    one_degree = np.pi / 180.0
    np.testing.assert_allclose(
        great_circle(degree, other, radius=1.0), [one_degree, np.pi, 0.0, one_degree], atol=1e-12
    )
    # a degree is about 60 nautical miles
    assert abs(great_circle(degree[:1], other[:1]).item() - 60.04) < 0.01


def test_great_circle_agrees_with_the_angle_between_unit_vectors():
    a, b = random_points(50, seed=1), random_points(50, seed=2)

    def unit(p):
        lat, lon = np.radians(p).T
        return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)

    np.testing.assert_allclose(
        great_circle(a, b, radius=1.0), np.arccos((unit(a) * unit(b)).sum(-1)), rtol=1e-7
    )


def test_cartesian_points_lie_on_the_sphere_and_their_chords_belong_to_the_arcs():
    a, b = random_points(50, seed=3), random_points(50, seed=4)
    points, others = to_cartesian(a, RADIUS["km"]), to_cartesian(b, RADIUS["km"])
    np.testing.assert_allclose(np.linalg.norm(points, axis=-1), 6371.0)
    arc = great_circle(a, b, RADIUS["km"])
    chord = 2.0 * 6371.0 * np.sin(arc / (2.0 * 6371.0))
    np.testing.assert_allclose(np.linalg.norm(points - others, axis=-1), chord, rtol=1e-7)
    np.testing.assert_allclose(to_cartesian(np.array([90.0, 7.0]), 1.0), [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(to_cartesian(np.array([0.0, 0.0]), 1.0), [1, 0, 0], atol=1e-12)


@pytest.mark.parametrize("unit", RADIUS)
def test_lengths_of_a_degree_are_those_of_the_sphere(unit):
    latitude = np.array([-70.0, 0.0, 45.0, 89.0])
    north, east = degree_lengths(latitude, RADIUS[unit])
    here, small = np.stack([latitude, np.zeros(4)], -1), 1e-4
    up = great_circle(here, here + np.array([small, 0.0]), RADIUS[unit]) / small
    right = great_circle(here, here + np.array([0.0, small]), RADIUS[unit]) / small
    np.testing.assert_allclose(north, up, rtol=1e-6)
    np.testing.assert_allclose(east, right, rtol=1e-6)


def test_a_degree_of_longitude_keeps_a_length_at_the_pole():
    north, east = degree_lengths(np.array([90.0, -90.0]))
    np.testing.assert_allclose(east, 0.01 * north)
