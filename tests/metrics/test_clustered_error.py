"""The clustered standard error against means by hand, and against many repeated experiments."""

import numpy as np
import pytest

from vrnn.metrics.clustered_error import clustered_error


def test_clusters_of_one_value_give_the_usual_standard_error():
    x = np.random.default_rng(0).normal(size=20)
    assert clustered_error(x, np.arange(20) * 7) == pytest.approx(x.std(ddof=1) / np.sqrt(20))


def test_repeated_values_count_once():
    x, cluster = np.array([1.0, 4.0, 2.0]), np.array([5, 3, 9])
    once = clustered_error(x, cluster)
    assert clustered_error(x.repeat(6), cluster.repeat(6)) == pytest.approx(once)


def test_it_is_the_spread_of_means_over_experiments_of_unequal_clusters():
    random, sizes = np.random.default_rng(1), np.array([1, 2, 5, 9, 3] * 20)
    cluster = np.arange(100).repeat(sizes)
    draws = [
        random.normal(size=100)[cluster] + random.normal(size=len(cluster)) for _ in range(800)
    ]
    squares = [clustered_error(x, cluster) ** 2 for x in draws]
    spread = np.std([x.mean() for x in draws])
    assert np.sqrt(np.mean(squares)) == pytest.approx(spread, rel=0.08)


def test_one_cluster_says_nothing():
    assert clustered_error(np.arange(3.0), np.zeros(3, int)) == np.inf
