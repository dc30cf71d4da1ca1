import numpy as np
import pytest
import scoringrules

from vrnn.errors import ConfigError
from vrnn.metrics import scores
from vrnn.metrics.scores import energy_score


@pytest.fixture
def forecast():
    random = np.random.default_rng(0)
    return random.normal(size=(7, 5, 4, 2)), random.normal(size=(5, 4, 2))


@pytest.mark.parametrize(("fair", "estimator"), [(True, "fair"), (False, "nrg")])
def test_energy_score_agrees_with_scoringrules(forecast, fair, estimator):
    samples, truth = forecast
    expected = scoringrules.es_ensemble(
        truth.reshape(5, 8),
        samples.transpose(1, 0, 2, 3).reshape(5, 7, 8),
        estimator=estimator,
        backend="numpy",
    )
    np.testing.assert_allclose(energy_score(samples, truth, fair=fair), expected, rtol=1e-12)


def test_the_energy_score_of_one_number_is_its_crps(forecast):
    samples, truth = forecast[0][:, :, 0, 0], forecast[1][:, 0, 0]
    expected = scoringrules.crps_ensemble(
        truth, samples, m_axis=0, estimator="fair", backend="numpy"
    )
    np.testing.assert_allclose(energy_score(samples, truth), expected, rtol=1e-10)


@pytest.mark.parametrize("limit", [1, 20, 60])
def test_blocks_do_not_change_the_score(forecast, monkeypatch, limit):
    whole = energy_score(*forecast)
    monkeypatch.setattr(scores, "PAIRS_AT_ONCE", limit)
    np.testing.assert_allclose(energy_score(*forecast), whole, rtol=1e-13)


def test_fair_score_has_no_bias_in_the_number_of_samples():
    # E|X - y| - E|X - X'| / 2 for X ~ N(0, 1), y = 0: sqrt(2 / pi) - 1 / sqrt(pi)
    exact = np.sqrt(2 / np.pi) - 1 / np.sqrt(np.pi)
    samples = np.random.default_rng(1).normal(size=(2, 200_000, 1))
    score = energy_score(samples, np.zeros((200_000, 1)))
    assert abs(score.mean() - exact) < 4 * score.std() / np.sqrt(200_000)
    assert energy_score(samples, np.zeros((200_000, 1)), fair=False).mean() > exact + 0.2


def test_samples_on_the_truth_score_zero():
    truth = np.full((1, 3, 2), 1e6)
    assert energy_score(np.repeat(truth[None], 4, axis=0), truth).tolist() == [0.0]


def test_one_sample_has_no_fair_score(forecast):
    samples, truth = forecast[0][:1], forecast[1]
    with pytest.raises(ConfigError, match="at least 2 samples, found 1"):
        energy_score(samples, truth)
    np.testing.assert_allclose(
        energy_score(samples, truth, fair=False),
        np.linalg.norm((samples[0] - truth).reshape(5, -1), axis=1),
    )
