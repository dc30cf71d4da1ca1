"""The mutual information of posteriors that are all the same, or that never meet."""

import math

import pytest
import torch

from vrnn.distributions import DiagonalGaussian
from vrnn.objectives.mutual_information import MIXED, Posteriors, mutual_information


def test_mutual_information_is_between_0_and_its_limit():
    """Posteriors that are all the same tell nothing. Those that never meet tell which one it is."""
    count = 3 * MIXED - 5  # in three blocks
    apart = torch.arange(count).double()[:, None]
    nothing = apart[:, :0]
    for step, value in ((0.0, 0.0), (100.0, math.log(MIXED - 2))):
        q = DiagonalGaussian(step * apart, torch.ones_like(apart))
        information, limit = mutual_information(Posteriors(q, q.mean, nothing))
        assert information == pytest.approx(value, abs=2e-3)
        assert limit == pytest.approx(math.log(MIXED - 1), abs=2e-3)


def test_information_of_several_parts_is_added():
    eye = torch.eye(4).double().log().clamp(min=-1e3)
    q = DiagonalGaussian(100 * torch.arange(4).double()[:, None], torch.ones(4, 1).double())
    both, limit = mutual_information(Posteriors(q, q.mean, eye))
    assert both == pytest.approx(2 * math.log(4)) == limit
