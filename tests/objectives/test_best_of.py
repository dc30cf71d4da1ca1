"""The distance of the nearest path: against the metric that reports it, and where its gradient goes."""

import numpy as np
import torch

from vrnn.metrics.displacement import best_of
from vrnn.objectives.best_of import best_of_paths


def test_the_metric_and_the_loss_agree():
    rng = np.random.default_rng(0)
    paths, truth = rng.normal(size=(6, 9, 5, 2)), rng.normal(size=(9, 5, 2))
    found = best_of_paths(
        torch.from_numpy(paths), torch.from_numpy(truth), torch.ones(9, 5, dtype=torch.bool)
    )
    average, final = best_of(paths, truth)
    assert np.allclose(found.average, average) and np.allclose(found.final, final)
    assert np.array_equal(found.nearest, np.linalg.norm(paths - truth, axis=-1).mean(-1).argmin(0))


def test_rows_that_are_not_there_do_not_count():
    rng = np.random.default_rng(1)
    paths, truth = (
        torch.from_numpy(rng.normal(size=(4, 3, 6, 2))),
        torch.from_numpy(rng.normal(size=(3, 6, 2))),
    )
    there = torch.tensor(
        [[1, 1, 1, 1, 0, 0], [0, 1, 0, 1, 1, 0], [0, 0, 0, 0, 0, 0]], dtype=torch.bool
    )
    found = best_of_paths(paths, torch.where(there[..., None], truth, 1e9), there)
    for i, rows in enumerate(([0, 1, 2, 3], [1, 3, 4])):
        alone = best_of_paths(
            paths[:, i : i + 1, rows],
            truth[i : i + 1, rows],
            torch.ones(1, len(rows), dtype=torch.bool),
        )
        assert torch.allclose(found.average[i], alone.average[0])
        assert torch.allclose(found.final[i], alone.final[0])
    assert found.average[2] == 0 and found.final[2] == 0


def test_each_minimum_pulls_at_its_winner_alone():
    paths = (
        torch.tensor([[1.0, 5.0], [3.0, 1.5], [9.0, 9.0]], dtype=torch.float64)
        .view(3, 1, 2, 1)
        .requires_grad_()
    )
    found = best_of_paths(
        paths, torch.zeros(1, 2, 1, dtype=torch.float64), torch.ones(1, 2, dtype=torch.bool)
    )
    assert found.average.item() == 2.25 and found.final.item() == 1.5
    (of_average,) = torch.autograd.grad(found.average.sum(), paths, retain_graph=True)
    assert of_average.squeeze().tolist() == [[0.0, 0.0], [0.5, 0.5], [0.0, 0.0]]
    (of_final,) = torch.autograd.grad(found.final.sum(), paths)
    assert of_final.squeeze().tolist() == [[0.0, 0.0], [0.0, 1.0], [0.0, 0.0]]


def test_a_path_on_the_truth_has_a_finite_gradient():
    paths = torch.zeros(2, 1, 3, 2, requires_grad=True)
    found = best_of_paths(paths, torch.zeros(1, 3, 2), torch.ones(1, 3, dtype=torch.bool))
    (found.average + found.final).sum().backward()
    assert bool(torch.isfinite(paths.grad).all())
