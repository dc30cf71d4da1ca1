import numpy as np
import pytest
import torch

from vrnn.errors import ConfigError, DataError
from vrnn.metrics import clusters as module
from vrnn.metrics.clusters import cluster_paths


@pytest.fixture
def samples():
    return np.random.default_rng(0).normal(size=(60, 7, 5, 2)).cumsum(axis=2)


def cost(samples, centres):
    square = ((samples[:, None] - centres[None]) ** 2).sum(axis=(-1, -2))
    return square.min(axis=1).sum(axis=0), square.argmin(axis=1)


def test_separate_groups_are_found_with_their_shares():
    random = np.random.default_rng(0)
    ends = np.array([[10.0, 0.0], [0.0, 10.0], [-10.0, 0.0]])
    which = np.repeat([0, 0, 1, 1, 1, 2], 20)
    paths = (np.linspace(0, 1, 6)[:, None] * ends[which][:, None])[:, None] + 1000.0
    paths = np.repeat(paths + 0.01 * random.normal(size=paths.shape), 4, axis=1)
    centres, weights = cluster_paths(paths, k=3)
    np.testing.assert_allclose(weights, np.repeat([[1 / 2], [1 / 3], [1 / 6]], 4, axis=1))
    np.testing.assert_allclose(centres[:, 0, -1] - 1000.0, ends[[1, 0, 2]], atol=0.02)


def test_result_is_a_fixed_point_of_lloyd(samples):
    centres, weights = cluster_paths(samples, k=4, iterations=200)
    _, nearest = cost(samples, centres)
    for track in range(samples.shape[1]):
        for c in range(4):
            members = samples[nearest[:, track] == c, track]
            np.testing.assert_allclose(centres[c, track], members.mean(axis=0), atol=1e-10)
            assert weights[c, track] == pytest.approx(len(members) / len(samples))


def test_cost_is_near_that_of_scipy(samples):
    vq = pytest.importorskip("scipy.cluster.vq")
    ours = cost(samples, cluster_paths(samples, k=5)[0])[0]
    for track in range(samples.shape[1]):
        flat = samples[:, track].reshape(len(samples), -1)
        best = min(
            cost(
                flat[:, None, :, None], vq.kmeans2(flat, 5, minit="++", rng=s)[0][:, None, :, None]
            )[0]
            for s in range(5)
        )
        assert ours[track] < 1.2 * best[0]


def test_same_seed_same_centres_alone_or_in_company(samples, monkeypatch):
    centres, weights = cluster_paths(samples, k=6, seed=3)
    again, _ = cluster_paths(samples, k=6, seed=3)
    np.testing.assert_array_equal(centres, again)
    alone, weight = cluster_paths(samples[:, 2:3], k=6, seed=3)
    np.testing.assert_allclose(centres[:, 2:3], alone, atol=1e-12)
    np.testing.assert_allclose(weights[:, 2:3], weight)
    monkeypatch.setattr(module, "ENTRIES_AT_ONCE", 1)
    np.testing.assert_allclose(cluster_paths(samples, k=6, seed=3)[0], centres, atol=1e-12)


def test_fewer_distinct_samples_than_centres():
    paths = np.repeat(np.array([0.0, 1.0]), 5).reshape(10, 1, 1, 1)
    centres, weights = cluster_paths(paths, k=4)
    assert sorted(set(centres.ravel().round(9))) == [0.0, 1.0]
    assert sorted(weights.ravel().tolist()) == [0.0, 0.0, 0.5, 0.5]


def test_an_empty_cluster_takes_the_farthest_sample():
    points = torch.tensor([[[0.0], [1.0], [9.0]]], dtype=torch.float64)
    centres, shares = module._lloyd(
        points, torch.tensor([[[0.5], [100.0]]], dtype=torch.float64), iterations=9
    )
    assert centres.ravel().tolist() == [0.5, 9.0]
    np.testing.assert_allclose(shares, [[2 / 3, 1 / 3]])


def test_each_empty_cluster_takes_a_sample_of_its_own():
    """The first the farthest, the second the next, whichever clusters of a track are empty."""
    points = torch.tensor([0.0, 1.0, 9.0, 30.0]).expand(2, 4)[..., None].double()
    start = torch.tensor([[0.5, 100.0, 200.0], [100.0, 0.5, 200.0]])[..., None].double()
    centres, _ = module._lloyd(points, start, iterations=1)
    assert centres[..., 0].tolist() == [[10.0, 30.0, 9.0], [30.0, 10.0, 9.0]]


def test_starts_are_those_of_k_means_plus_plus():
    """A start is where the sum of squared distances to the nearest earlier start passes a draw."""
    points = np.random.default_rng(0).normal(size=(3, 9, 2))
    draws = [0.99, 0.5, 0.97, 0.05]  # the first is uniform: the last of nine samples
    found = module._start(torch.from_numpy(points), torch.tensor(draws).double())
    for track, starts in zip(points, found, strict=True):
        chosen = [8]
        for draw in draws[1:]:
            far = ((track[:, None] - track[chosen]) ** 2).sum(-1).min(1)
            chosen.append(int(np.argmax(np.cumsum(far) > draw * far.sum())))
        assert starts.tolist() == track[chosen].tolist()


def test_as_many_centres_as_samples_returns_the_samples(samples):
    centres, weights = cluster_paths(samples[:5], k=5)
    np.testing.assert_allclose(np.sort(centres, axis=0), np.sort(samples[:5], axis=0), atol=1e-12)
    np.testing.assert_allclose(weights, 0.2)


def test_one_cluster_is_the_mean(samples):
    centres, weights = cluster_paths(samples, k=1)
    np.testing.assert_allclose(centres[0], samples.mean(axis=0), atol=1e-12)
    assert (weights == 1).all()


def test_bad_requests_are_refused(samples):
    with pytest.raises(ConfigError, match="found 60"):
        cluster_paths(samples, k=61)
    samples[0, 0, 0, 0] = np.nan
    with pytest.raises(DataError, match="finite"):
        cluster_paths(samples, k=2)
