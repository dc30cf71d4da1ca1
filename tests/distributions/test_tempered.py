"""Draws moved towards the mean or away from it: against scaled Gaussians, and as densities that add up to one."""

import pytest
import torch

from vrnn.distributions import DiagonalGaussian, parse_emission
from vrnn.distributions.tempered import check_temperature, temper
from vrnn.errors import ConfigError, UnsupportedError


def raw(family, rows: int, seed: int = 0):
    return torch.randn(
        rows, family.size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


@pytest.mark.parametrize("factor", [0.3, 1.7])
def test_a_gaussian_is_one_of_another_scale(factor):
    family = parse_emission("gaussian", 3)
    base = family(raw(family, 50))
    found, expected = temper(base, family, factor), DiagonalGaussian(base.mean, factor * base.scale)
    noise = raw(family, 50, 1)[:, :3]
    torch.testing.assert_close(found.sample(noise), expected.sample(noise))
    present = noise > -0.5
    for there in (None, present):
        torch.testing.assert_close(found.log_prob(noise, there), expected.log_prob(noise, there))
    assert temper(base, family, 1.0) is base


def test_a_full_gaussian_has_the_scaled_covariance():
    family = parse_emission("full_gaussian", 2)
    base = family(raw(family, 1)[0])
    noise = torch.randn(100_000, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    plain, wide = base.sample(noise), temper(base, family, 2.5).sample(noise)
    torch.testing.assert_close(torch.cov(wide.T), 2.5**2 * torch.cov(plain.T))
    law = torch.distributions.MultivariateNormal(base.mean, torch.cov(wide.T))
    found = temper(base, family, 2.5).log_prob(wide[:5])
    torch.testing.assert_close(found, law.log_prob(wide[:5]), rtol=0.02, atol=0.02)
    present = torch.tensor([[True, False], [True, True], [False, False]])
    each = temper(base, family, 2.5).log_prob(wide[:3], present)
    torch.testing.assert_close(each, found[:3] * torch.tensor([0.0, 1.0, 0.0]))


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_a_students_t_is_a_density(factor):
    family = parse_emission("student_t", 1)
    base = family(torch.tensor([0.3, 0.1, 1.0], dtype=torch.float64))
    x = torch.linspace(-4000, 4000, 800_001, dtype=torch.float64)[:, None]
    mass = temper(base, family, factor).log_prob(x).exp().sum() * 0.01
    assert float(mass) == pytest.approx(1.0, abs=1e-4)


def test_a_product_is_moved_part_by_part():
    family = parse_emission("full_gaussian:2+gaussian:1", 3)
    base = family(raw(family, 1)[0])
    x = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64)
    found = temper(base, family, 2.0)
    pair, single = (
        temper(part, of, 2.0) for part, of in zip(base.parts, family.parts, strict=True)
    )
    torch.testing.assert_close(found.log_prob(x), pair.log_prob(x[:2]) + single.log_prob(x[2:]))
    one_missing = torch.tensor([True, False, True])
    torch.testing.assert_close(found.log_prob(x, one_missing), single.log_prob(x[2:]))


@pytest.mark.parametrize(
    "name", ["gaussian", "full_gaussian", "student_t", "gaussian:1+student_t:1"]
)
def test_a_sample_keeps_what_is_present(name):
    """The rest is moved as it would be without."""
    family = parse_emission(name, 2)
    warm = temper(family(raw(family, 30)), family, 0.4)
    noise = torch.randn(30, family.noise_size, generator=torch.Generator().manual_seed(2)).double()
    free, x = warm.sample(noise), raw(family, 30, 3)[:, :2]
    present = (torch.arange(30) % 2 == 0)[:, None].expand(30, 2)
    found = warm.sample(noise, x.masked_fill(~present, torch.nan), present)
    assert torch.equal(found, torch.where(present, x, free))
    assert torch.equal(warm.sample(noise, x), x)


def test_refuses_what_has_no_mean_to_move_to():
    for name in ("mixture(3)", "bernoulli", "gaussian:1+bernoulli:1"):
        check_temperature(parse_emission(name, 2), 1.0)
        with pytest.raises(UnsupportedError, match="leave temperature 1"):
            check_temperature(parse_emission(name, 2), 0.9)
    for bad in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="temperature: expected a number above 0"):
            check_temperature(parse_emission("gaussian", 2), bad)
