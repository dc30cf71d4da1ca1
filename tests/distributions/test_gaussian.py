"""The latent side of the diagonal Gaussian: KL, N(0, I), width 0."""

import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import torch
import torch.distributions as td
from hypothesis import given, settings

from vrnn.distributions import DiagonalGaussian, Gaussian


def gaussians(dim: int = 3) -> st.SearchStrategy[DiagonalGaussian]:
    means = arrays.arrays(float, (2, dim), elements=st.floats(-10, 10))
    scales = arrays.arrays(float, (2, dim), elements=st.floats(1e-3, 10))
    return st.builds(
        lambda m, s: DiagonalGaussian(torch.from_numpy(m), torch.from_numpy(s)), means, scales
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(gaussians(), gaussians())
def test_kl(q, p):
    """One value for each unit, that of `torch.distributions`; 0 for the same, positive for others."""
    kl = q.kl(p)
    reference = td.kl_divergence(td.Normal(*q), td.Normal(*p))
    torch.testing.assert_close(kl, reference, rtol=1e-9, atol=1e-12)
    assert (kl > -1e-12).all()
    assert torch.equal(q.kl(q), torch.zeros_like(kl))
    differ = (q.mean - p.mean).abs() / p.scale + (q.scale / p.scale).log().abs() > 1e-4
    assert (kl[differ] > 0).all()


def test_kl_is_the_expected_log_ratio():
    raw = torch.randn(2, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    q, p = Gaussian(3)(raw[0]), Gaussian(3)(raw[1])
    noise = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    z = q.sample(noise)
    ratio = q.log_prob(z) - p.log_prob(z)
    assert (ratio.mean() - q.kl(p).sum()).abs() < 4 * ratio.std() / len(ratio) ** 0.5


def test_kl_broadcasts_over_samples():
    q = Gaussian(3)(torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(0)))
    assert q.kl(Gaussian(3).standard(q.mean[0])).shape == (4, 5, 3)


def test_standard():
    like = torch.zeros(4, 5, 7, dtype=torch.float64)
    p = Gaussian(2).standard(like)
    assert p.mean.shape == p.scale.shape == (4, 5, 2) and p.mean.dtype == torch.float64
    assert (p.mean == 0).all() and (p.scale == 1).all()


def test_table_has_mean_and_scale_of_each_unit():
    q = Gaussian(3)(torch.randn(4, 6, generator=torch.Generator().manual_seed(0)))
    assert q.table.shape == (4, 3, 2) and Gaussian(3).units == 3
    assert torch.equal(q.table[..., 0], q.mean) and torch.equal(q.table[..., 1], q.scale)


def test_scale_has_a_floor():
    assert Gaussian(1)(torch.tensor([0.0, -1e4])).scale == 1e-3


def test_width_zero():
    raw = torch.zeros(4, 5, 0, requires_grad=True)
    p = Gaussian(0)(raw)
    z = p.sample(torch.zeros(4, 5, 0))
    for value in (p.log_prob(z), p.log_prob(z, torch.ones_like(z).bool())):
        assert value.shape == (4, 5) and (value == 0).all()
    assert p.kl(Gaussian(0).standard(z)).shape == (4, 5, 0) and p.table.shape == (4, 5, 0, 2)
    p.log_prob(z).sum().backward()
