"""The names of latents and each of their refusals."""

import pytest

from vrnn.distributions import Gaussian, OneHot, Product, parse_latent
from vrnn.errors import ConfigError


@pytest.mark.parametrize(
    "text, expected",
    [
        ("gaussian", Gaussian(5)),
        (" gaussian ", Gaussian(5)),
        ("categorical(8)", OneHot(8)),
        ("categorical( 8 )", OneHot(8)),
        ("4*categorical(8)", OneHot(8, groups=4)),
        ("4 * categorical(8)", OneHot(8, groups=4)),
        ("gaussian+categorical(3)", Product((Gaussian(5), OneHot(3)))),
        (" gaussian + 2*categorical(3)", Product((Gaussian(5), OneHot(3, groups=2)))),
    ],
)
def test_reads(text, expected):
    assert parse_latent(text, 5) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "normal",
        "categorical",
        "categorical()",
        "categorical(-3)",
        "categorical(3)+gaussian",
        "gaussian+gaussian",
        "categorical(3)+categorical(3)",
        "gaussian+",
        "gaussian:3",
        "*categorical(3)",
    ],
)
def test_refuses(text):
    with pytest.raises(ConfigError, match=r"latent: expected gaussian, categorical\(8\)"):
        parse_latent(text, 5)


@pytest.mark.parametrize("text", ["categorical(1)", "0*categorical(3)"])
def test_refuses_too_few(text):
    with pytest.raises(ConfigError, match="expected at least"):
        parse_latent(text, 5)
