"""Resampling: ancestors drawn by weight, effective size and weights by their definition."""

import math

import pytest
import torch

from vrnn.inference.noise import seeded
from vrnn.inference.resampling import draw_ancestors, effective_size, weigh


@pytest.mark.parametrize("scheme", ["systematic", "multinomial"])
def test_ancestors_are_drawn_by_weight(scheme):
    weight = torch.tensor([[0.1, 0.25], [0.2, 0.25], [0.3, 0.25], [0.4, 0.25]]).double()
    counts = torch.zeros(4, 2)
    runs = 4000
    for i in range(runs):
        normals = torch.randn(4, 2, generator=seeded(i)).double()
        ancestor = draw_ancestors(weight.log(), normals, scheme)
        counts += torch.nn.functional.one_hot(ancestor, 4).sum(0).T
        if scheme == "systematic":
            each = torch.nn.functional.one_hot(ancestor, 4).sum(0).T
            assert bool(((each - 4 * weight).abs() < 1 + 1e-9).all())
    torch.testing.assert_close((counts / (4 * runs)).double(), weight, atol=0.02, rtol=0)


def test_effective_size_and_weights():
    equal = torch.full((5, 1), -math.log(5))
    assert float(effective_size(equal)) == pytest.approx(5, rel=1e-6)
    assert float(effective_size(torch.tensor([[0.0], [-torch.inf]]))) == pytest.approx(1)
    log_prob, log_weight = weigh(equal, torch.full((5, 1), -torch.inf))
    assert float(log_prob) == -math.inf
    torch.testing.assert_close(log_weight, equal)
