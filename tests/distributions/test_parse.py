"""The grammar of emissions and each of its refusals."""

import pytest

from vrnn.distributions import (
    Bernoulli,
    Categorical,
    FullGaussian,
    Gaussian,
    Mixture,
    Product,
    StudentT,
    parse_emission,
)
from vrnn.errors import ConfigError


@pytest.mark.parametrize(
    "text, dim, expected",
    [
        ("gaussian", 2, Gaussian(2)),
        ("full_gaussian", 3, FullGaussian(3)),
        ("mixture(5)", 2, Mixture(2, 5)),
        ("student_t", 2, StudentT(2)),
        ("bernoulli", 88, Bernoulli(88)),
        ("categorical(3)", 1, Categorical(3)),
        ("gaussian:2", 2, Gaussian(2)),
        ("mixture(5):2+bernoulli:1", 3, Product((Mixture(2, 5), Bernoulli(1)))),
        (" mixture( 5 ) : 2 + bernoulli ", 4, Product((Mixture(2, 5), Bernoulli(2)))),
        (
            "gaussian:1+categorical(3):1+student_t",
            4,
            Product((Gaussian(1), Categorical(3), StudentT(2))),
        ),
    ],
)
def test_reads(text, dim, expected):
    assert parse_emission(text, dim) == expected


@pytest.mark.parametrize(
    "text, dim, expected",
    [
        ("nade(100)", 88, "Nade(dim=88, hidden=100)"),
        (
            "nade(100):88+gaussian:2",
            90,
            "Product(parts=(Nade(dim=88, hidden=100), Gaussian(dim=2)))",
        ),
    ],
)
def test_reads_families_with_weights(text, dim, expected):
    assert repr(parse_emission(text, dim)) == expected


@pytest.mark.parametrize(
    "text, dim, message",
    [
        ("gausian", 2, "found 'gausian'; did you mean gaussian"),
        ("poisson", 2, "expected one of gaussian, full_gaussian, .* found 'poisson'"),
        ("", 2, "expected a family such as gaussian, .* found ''"),
        ("gaussian+", 2, "found ''"),
        ("mixture[5]", 2, r"found 'mixture\[5\]'"),
        ("mixture(-1)", 2, "expected a family such as"),
        (
            "mixture",
            2,
            r"expected the number of components of mixture, found none; .* mixture\(5\)",
        ),
        ("categorical", 1, "expected the number of classes of categorical"),
        ("mixture(0)", 2, "at least 1 dimension and 1 component"),
        ("categorical(1)", 1, "at least 2 classes"),
        ("nade", 88, r"expected the number of hidden units of nade, found none; .* nade\(5\)"),
        ("nade(0)", 88, "at least 1 dimension and 1 hidden unit, found 88 and 0"),
        ("gaussian(2)", 2, "no number in brackets after gaussian.* gaussian:2"),
        ("gaussian:3", 2, "add up to 2, the width of an observation, found 3"),
        ("gaussian:1+bernoulli:1", 3, "add up to 3.* found 2"),
        ("gaussian:2+bernoulli", 2, "leave at least 1 column to bernoulli, found 2"),
        (
            "gaussian+bernoulli",
            2,
            "found none for gaussian and bernoulli; write for instance gaussian:1",
        ),
        ("gaussian:0+bernoulli:2", 2, "at least 1 column for gaussian, found 0"),
        (
            "categorical(3)",
            2,
            r"expected 1 column for categorical, found 2; .*categorical\(3\):1\+",
        ),
    ],
)
def test_refuses(text, dim, message):
    with pytest.raises(ConfigError, match=message):
        parse_emission(text, dim)
