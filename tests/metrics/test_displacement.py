import numpy as np

from vrnn.metrics.displacement import (
    average_displacement,
    best_of,
    final_displacement,
)


def test_displacements_of_a_hand_worked_path():
    pred = np.array([[[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]]])
    truth = np.zeros((1, 3, 2))
    assert average_displacement(pred, truth).tolist() == [5.0]
    assert final_displacement(pred, truth).tolist() == [10.0]


def test_samples_broadcast_against_truth():
    samples, truth = np.random.default_rng(0).normal(size=(5, 3, 4, 2)), np.zeros((3, 4, 2))
    every = average_displacement(samples, truth)
    assert every.shape == (5, 3)
    np.testing.assert_allclose(every[2], average_displacement(samples[2], truth))


def test_best_of_takes_each_minimum_by_its_own_sample():
    close_on_average = [[1.0, 0.0], [1.0, 0.0]]
    close_at_the_end = [[5.0, 0.0], [0.5, 0.0]]
    samples = np.array([[close_on_average], [close_at_the_end]])
    min_ade, min_fde = best_of(samples, np.zeros((1, 2, 2)))
    assert min_ade.tolist() == [1.0] and min_fde.tolist() == [0.5]


def test_missing_truth_gives_nan():
    truth = np.array([[[0.0, 0.0], [np.nan, np.nan]]])
    assert np.isnan(average_displacement(np.zeros((1, 2, 2)), truth)).all()
