"""Limits, points and names on maps of paths."""

import numpy as np

from vrnn.plots import maps


def test_limits_hold_all_points_but_far_sampled_ones():
    near = np.random.default_rng(0).uniform(-1, 1, (500, 6, 2))
    far = near.copy()
    far[0] *= 100
    (left, right), (low, high) = maps.map_limits([], far)
    assert max(-left, right, -low, high) < 2
    (left, right), _ = maps.map_limits([np.array([[50.0, 0.0]])], far)
    assert right > 50


def test_limits_of_one_point_and_of_none_have_an_extent():
    for points in ([np.array([[7.0, 7.0]])], []):
        for low, high in maps.map_limits(points, np.zeros((0, 1, 2))):
            assert high > low


def test_the_last_point_skips_missing_ones():
    path = np.array([[1.0, 2.0], [3.0, np.nan]])
    assert maps.last_point(path).tolist() == [1.0, 2.0]
    assert np.isnan(maps.last_point(path[1:])).all()


def test_latitude_and_longitude_are_told_by_their_names():
    assert maps.is_lat_lon(("Latitude", "LON")) and not maps.is_lat_lon(("lon", "lat"))
    assert not maps.is_lat_lon(("lat", "lon", "speed"))
