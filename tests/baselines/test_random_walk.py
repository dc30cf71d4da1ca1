"""The random walk against SciPy, a walk of known scale, and tracks without any change."""

import numpy as np
import pytest
import scipy.stats

from vrnn.baselines.random_walk import double_sum, random_walk, with_density
from vrnn.errors import DataError

RANDOM = np.random.default_rng(0)
LINE = np.arange(9.0)[:, None] * [[0.25, -0.5]]  # exact in binary


def test_a_straight_line_goes_on_without_error():
    walk = random_walk(LINE[None, :5], 4)
    assert walk.scale.tolist() == [0.0]
    drawn = walk.sample(RANDOM.normal(size=(3, 1, 4, 2)))
    np.testing.assert_array_equal(drawn, np.broadcast_to(LINE[None, None, 5:], drawn.shape))


def test_samples_add_up_their_changes_of_velocity():
    past, normals = RANDOM.normal(size=(2, 5, 3)), RANDOM.normal(size=(4, 2, 6, 3))
    scale = np.sqrt((np.diff(past, 2, axis=1) ** 2).mean((1, 2)))
    velocity = (past[:, -1] - past[:, -2])[None].repeat(4, 0)
    point, path = past[:, -1], []
    for t in range(6):
        velocity = velocity + scale[:, None] * normals[:, :, t]
        point = point + velocity
        path.append(point)
    np.testing.assert_allclose(random_walk(past, 6).sample(normals), np.stack(path, 2))


def test_the_density_is_the_multivariate_normal_of_its_covariance():
    """Covariance s^2 A A^T in each column, A_tk = t - k + 1 for k <= t."""
    past, future = RANDOM.normal(size=(2, 5, 2)), RANDOM.normal(size=(2, 4, 2))
    A = np.array([[max(t - k + 1, 0) for k in range(4)] for t in range(4)], float)
    np.testing.assert_array_equal(double_sum(4), A)
    for i, value in enumerate(random_walk(past, 4).log_prob(future)):
        s = np.sqrt((np.diff(past[i], 2, axis=0) ** 2).mean())
        mean = past[i, -1] + np.arange(1, 5)[:, None] * (past[i, -1] - past[i, -2])
        columns = [scipy.stats.multivariate_normal(mean[:, d], s**2 * A @ A.T) for d in range(2)]
        plain = sum(columns[d].logpdf(future[i, :, d]) for d in range(2))
        np.testing.assert_allclose(value, plain)


def test_one_change_of_the_usual_size_makes_every_density_finite():
    """n = 6 components a track; of the two tracks one never changes its velocity."""
    moving = RANDOM.normal(size=(5, 2))
    past, future = np.stack([LINE[:5], moving]), RANDOM.normal(size=(2, 4, 2))
    walk = random_walk(past, 4)
    usual = (walk.scale**2).mean()
    found = with_density(walk, past)
    expected = np.sqrt([usual / 7, (6 * walk.scale[1] ** 2 + usual) / 7])
    np.testing.assert_allclose(found.scale, expected)
    assert np.isfinite(found.log_prob(future)).all()
    assert walk.scale[0] == 0  # its samples stay a straight line


def test_tracks_that_all_move_straight_have_a_finite_density():
    for past in (LINE[None, :5], np.zeros((1, 5, 2))):
        found = with_density(random_walk(past, 4), past)
        assert 0 < found.scale[0] < 1e-7
        assert np.isfinite(found.log_prob(np.ones((1, 4, 2)))).all()


def test_two_points_have_no_change_of_velocity():
    with pytest.raises(DataError, match="at least 3 observed points, found 2"):
        random_walk(np.zeros((1, 2, 2)), 3)
