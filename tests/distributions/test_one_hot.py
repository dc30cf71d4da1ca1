"""Categories as latents against torch's own distributions, and the parts that algorithms ask for."""

import pytest
import torch
import torch.distributions as td

from vrnn.distributions import Gaussian, OneHot, Product
from vrnn.errors import ConfigError

FAMILIES = {"one group": OneHot(4), "three groups": OneHot(4, groups=3)}
every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).double()


def reference(family: OneHot, raw: torch.Tensor) -> td.Distribution:
    logits = raw.unflatten(-1, (family.groups, family.classes))
    return td.Independent(td.OneHotCategorical(logits=logits), 1)


@every_family
def test_mass_and_mean_and_kl_are_those_of_torch(family):
    raw, other = draw(5, 7, family.size), draw(5, 7, family.size, seed=1)
    p, q = family(raw), family(other)
    z = reference(family, raw).sample()
    torch.testing.assert_close(p.log_prob(z.flatten(-2)), reference(family, raw).log_prob(z))
    torch.testing.assert_close(p.mean, reference(family, raw).mean.flatten(-2))
    kl = td.kl_divergence(reference(family, raw), reference(family, other))
    assert p.kl(q).shape == (5, 7, family.units)
    torch.testing.assert_close(p.kl(q).sum(-1), kl)
    assert torch.equal(p.probabilities, p.mean) and p.table.shape == (5, 7, 0, 2)


@every_family
def test_groups_that_are_absent_add_nothing(family):
    """A group of which a single entry is absent is absent as a whole."""
    raw = draw(5, family.size)
    logits = raw.unflatten(-1, (family.groups, family.classes))
    z = reference(family, raw).sample()
    present = draw(*z.shape, seed=4) > -1
    there = present.all(-1)
    assert 0 < there.sum() < there.numel()
    terms = td.OneHotCategorical(logits=logits).log_prob(z).where(there, 0.0)
    found = family(raw).log_prob(z.flatten(-2), present.flatten(-2))
    torch.testing.assert_close(found, terms.sum(-1))


@every_family
def test_shares_of_draws_are_the_probabilities(family):
    p, count = family(draw(family.size)), 20_000
    z = p.sample(draw(count, family.noise_size, seed=2))
    groups = z.unflatten(-1, (family.groups, family.classes))
    assert ((groups == 0) | (groups == 1)).all() and (groups.sum(-1) == 1).all()
    error = (z.mean(0) - p.mean).abs() / (p.mean * (1 - p.mean) / count).sqrt()
    assert error.max() < 4.5


@every_family
def test_gradient_of_a_draw_is_that_of_the_probabilities(family):
    raw = draw(family.size).requires_grad_()
    weight = draw(family.dim, seed=3)
    z = family(raw).sample(draw(family.noise_size, seed=2))
    assert ((z == 0) | (z == 1)).all()
    (found,) = torch.autograd.grad((z * weight).sum(), raw)
    (expected,) = torch.autograd.grad((family(raw).mean * weight).sum(), raw)
    torch.testing.assert_close(found, expected)


@every_family
def test_fixed_prior_is_uniform_and_a_correction_adds_to_log_odds(family):
    like = draw(3, 9)
    standard = family.standard(like)
    torch.testing.assert_close(standard.mean, torch.full((3, family.dim), 0.25).double())
    raw, more = draw(3, family.size), draw(3, family.size, seed=1)
    torch.testing.assert_close(family.moved(family(raw), more).mean, family(raw + more).mean)


def test_a_single_group_is_listed_and_more_are_not():
    one, three = OneHot(4), OneHot(4, groups=3)
    raw = draw(2, 4)
    assert one.listed == 4 and one.rest.dim == 0
    torch.testing.assert_close(one(raw).listed, raw.log_softmax(-1))
    assert one(raw).rest.mean.shape == (2, 0)
    torch.testing.assert_close(one.complete(one(raw).rest, 2 * raw).mean, one(2 * raw).mean)
    p = three(draw(2, 12))
    assert three.listed == 0 and three.rest is three and p.listed is None and p.rest is p


def test_the_last_part_of_a_product_is_listed():
    family = Product((Gaussian(3), OneHot(4)))
    raw = draw(2, family.size)
    p = family(raw)
    assert family.listed == 4 and family.rest == Gaussian(3) and family.units == 3 + 1
    torch.testing.assert_close(p.rest.mean, p.mean[:, :3])
    torch.testing.assert_close(p.listed, raw[:, 6:].log_softmax(-1))
    assert p.table.shape == (2, 3, 2) and p.probabilities.shape == (2, 4)
    q = family.complete(p.rest, p.listed)
    for a, b in ((q.mean, p.mean), (q.kl(p), torch.zeros(2, 4).double())):
        torch.testing.assert_close(a, b)
    both = Product((Gaussian(3), OneHot(4, groups=2)))
    assert both.listed == 0 and both.rest is both and both(draw(2, both.size)).listed is None


def test_a_temperature_sharpens_or_flattens():
    raw = draw(6, 4)
    p = OneHot(4)(raw)
    torch.testing.assert_close(p.tempered(0.5).mean, (p.mean**2) / (p.mean**2).sum(-1, True))


@pytest.mark.parametrize("classes, groups", [(1, 1), (0, 1), (3, 0)])
def test_too_few_categories_or_groups_are_refused(classes, groups):
    with pytest.raises(ConfigError, match="expected at least"):
        OneHot(classes, groups)
