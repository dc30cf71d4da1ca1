"""Scores window by window, of the futures that a test chooses."""

import numpy as np
import pytest

from vrnn.data.position_space import position_space
from vrnn.data.transforms import Transform
from vrnn.metrics.scores import energy_score
from vrnn.tasks.sampling import SamplingConfig
from vrnn.tasks.window_scores import ForecastTest, WindowScores, concatenate, score_paths

RANDOM = np.random.default_rng(0)
PATHS, TRUTH = RANDOM.normal(size=(12, 5, 4, 2)), RANDOM.normal(size=(5, 4, 2))
SPACE = position_space(Transform(2))


def test_clusters_come_from_more_samples():
    sampling = SamplingConfig(4, 0)
    plain, clusters = (ForecastTest(3, 4, how, 3) for how in ("samples", "clusters"))
    assert (plain.drawn(sampling).samples, clusters.drawn(sampling).samples) == (4, 12)
    assert plain.rows == 7
    np.testing.assert_array_equal(plain.candidates(PATHS, sampling), PATHS[:4])
    centres = clusters.candidates(PATHS, sampling)
    assert centres.shape == (4, 5, 4, 2)
    assert not any((centres[0] == path).all() for path in PATHS)


@pytest.mark.parametrize("qmc", [False, True])
def test_scores_by_hand(qmc):
    """The mean is over all samples, the energy score over the first K."""
    found = score_paths(PATHS, PATHS[3:6], TRUTH, np.ones(5), SPACE, SamplingConfig(4, 0, qmc))
    off = np.linalg.norm(PATHS.mean(0) - TRUTH, axis=-1)
    best = np.linalg.norm(PATHS[3:6] - TRUTH, axis=-1)
    np.testing.assert_allclose(found.ade, off.mean(1))
    np.testing.assert_allclose(found.fde, off[:, -1])
    np.testing.assert_allclose(found.min_ade, best.mean(2).min(0))
    np.testing.assert_allclose(found.min_fde, best[..., -1].min(0))
    np.testing.assert_allclose(found.energy_score, energy_score(PATHS[:4], TRUTH, fair=not qmc))
    assert found.means().nll == 1


def test_chunks_are_joined_in_order():
    one, other = WindowScores(*np.ones((6, 2))), WindowScores(*np.zeros((6, 1)))
    assert concatenate([one, other]).fde.tolist() == [1, 1, 0]
