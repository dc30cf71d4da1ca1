"""Products: KL and table unit by unit, fixed priors, and parts with weights of their own."""

import pytest
import torch

from vrnn.distributions import (
    Bernoulli,
    FullGaussian,
    Gaussian,
    LatentDistribution,
    Nade,
    Product,
    StandardNormal,
)
from vrnn.distributions.product import ProductDistribution
from vrnn.errors import ConfigError


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).double()


LATENT = Product((Gaussian(2), StandardNormal(3), Gaussian(1)))


def test_widths_are_the_sums_of_those_of_the_parts():
    assert (LATENT.dim, LATENT.size, LATENT.noise_size, LATENT.units) == (6, 6, 6, 3)
    pen = Product((FullGaussian(2), Bernoulli(1)))
    assert pen.continuous == (True, True, False) and pen.counts() == (0, 0, 2)
    assert not pen.factorises and not pen.reparameterised
    assert LATENT.factorises and LATENT.reparameterised


def test_kl_is_that_of_the_parts_side_by_side():
    """Noise has no unit, so none of the divergence is its."""
    q, p = LATENT(draw(4, 5, 6)), LATENT(draw(4, 5, 6, seed=1))
    assert isinstance(q, LatentDistribution)
    found = q.kl(p)
    assert found.shape == (4, 5, LATENT.units)
    torch.testing.assert_close(found[..., :2], q.parts[0].kl(p.parts[0]))
    torch.testing.assert_close(found[..., 2:], q.parts[2].kl(p.parts[2]))


def test_kl_is_the_expected_log_ratio():
    q, p = LATENT(draw(6)), LATENT(draw(6, seed=1))
    z = q.sample(draw(20_000, 6, seed=2))
    ratio = q.log_prob(z) - p.log_prob(z)
    error = float(ratio.std()) / len(ratio) ** 0.5
    assert float(ratio.mean()) == pytest.approx(float(q.kl(p).sum()), abs=4 * error)


def test_kl_broadcasts_over_samples():
    q = LATENT(draw(4, 5, 6))
    assert q.kl(LATENT.standard(draw(5, 1))).shape == (4, 5, 3)


def test_table_has_a_row_for_each_unit():
    q = LATENT(draw(4, 5, 6))
    assert q.table.shape == (4, 5, 3, 2)
    torch.testing.assert_close(q.table[..., :2, :], q.parts[0].table)
    torch.testing.assert_close(q.table[..., 2:, :], q.parts[2].table)


def test_standard_is_the_product_of_the_fixed_priors():
    p = LATENT.standard(draw(4, 5, 1))
    assert isinstance(p, ProductDistribution) and p.mean.shape == (4, 5, 6) and not p.mean.any()
    noise = draw(4, 5, 6, seed=3)
    assert torch.equal(p.sample(noise), noise)
    assert p.dims == LATENT.standard(draw(1, 1)).dims == (2, 3, 1)
    assert p.mean.dtype == torch.float64


def test_a_product_of_products():
    nested = Product((LATENT, Gaussian(1)))
    q, p = nested(draw(5, 8)), nested.standard(draw(5, 1))
    assert nested.units == 4 and q.kl(p).shape == (5, 4) and q.table.shape == (5, 4, 2)
    torch.testing.assert_close(q.kl(p)[..., :3], q.parts[0].kl(LATENT.standard(draw(5, 1))))


def test_weights_of_parts_are_those_of_the_product():
    nade = Nade(3, 2)
    assert dict(Product((Gaussian(1), nade)).named_parameters()).keys() == {
        "learned.0.W",
        "learned.0.V",
    }
    assert not [*LATENT.parameters()]


def test_a_product_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="expected at least one family, found none"):
        Product(())
