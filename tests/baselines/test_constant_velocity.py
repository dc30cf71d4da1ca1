import numpy as np
import pytest

from vrnn.baselines.constant_velocity import constant_velocity
from vrnn.errors import DataError


def test_it_is_exact_on_a_straight_line():
    time = np.arange(8.0)[:, None]
    line = np.stack([time * [1.0, -2.0] + [5.0, 5.0], time * [0.0, 0.5]])
    np.testing.assert_allclose(constant_velocity(line[:, :5], 3), line[:, 5:])


def test_it_refuses_one_point():
    with pytest.raises(DataError, match="at least 2 observed points, found 1"):
        constant_velocity(np.zeros((1, 1, 2)), 3)
