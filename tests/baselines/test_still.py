import numpy as np

from vrnn.baselines.still import least_scale


def test_the_place_does_not_matter_and_the_unit_does():
    walk = np.random.default_rng(0).normal(size=(3, 5, 2))
    assert least_scale(walk) > 0
    np.testing.assert_allclose(least_scale(1000 * walk + 7), 1000 * least_scale(walk))
    assert least_scale(np.full((2, 4, 2), 3.0)) > 0
