"""The standard normal that nothing changes: a part of a latent without outputs, units and KL."""

import scipy.stats
import torch

from vrnn.distributions import LatentDistribution, StandardNormal


def test_it_takes_no_outputs_and_has_no_units():
    family = StandardNormal(3)
    assert (family.dim, family.size, family.noise_size, family.units) == (3, 0, 3, 0)
    assert family.factorises and family.reparameterised and family.continuous == (True,) * 3
    assert family.counts() == (0, 0, 0)


def test_leading_axes_type_and_width_are_those_asked_for():
    like = torch.zeros(4, 5, 7, dtype=torch.float64)
    for p in (StandardNormal(2).standard(like), StandardNormal(2)(like[..., :0])):
        assert isinstance(p, LatentDistribution)
        assert p.mean.shape == (4, 5, 2) and p.mean.dtype == torch.float64 and not p.mean.any()


def test_a_draw_is_the_noise():
    p = StandardNormal(2).standard(torch.zeros(5, 0))
    noise = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(p.sample(noise), noise)
    x, present = torch.full((5, 2), torch.nan), torch.zeros(5, 2, dtype=torch.bool)
    x[:, 0], present[:, 0] = 7.0, True
    found = p.sample(noise, x, present)
    assert (found[..., 0] == 7.0).all() and torch.equal(found[..., 1], noise[..., 1])


def test_density_is_that_of_scipy_and_absent_entries_are_never_read():
    p = StandardNormal(2).standard(torch.zeros(5, 0, dtype=torch.float64))
    x = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    exact = torch.from_numpy(scipy.stats.norm.logpdf(x.numpy()))
    torch.testing.assert_close(p.log_prob(x), exact.sum(-1))
    present = torch.tensor([True, False]).expand(3, 5, 2)
    holes = x.masked_fill(~present, torch.nan)
    torch.testing.assert_close(p.log_prob(holes, present), exact[..., 0])


def test_there_is_no_kl_and_no_table():
    p = StandardNormal(2).standard(torch.zeros(4, 5, 1))
    assert p.kl(p).shape == (4, 5, 0) and p.table.shape == (4, 5, 0, 2)
