"""Read the family of a latent from text, as written in a config or on the command line."""

import re

from vrnn.distributions.base import LatentFamily
from vrnn.distributions.gaussian import Gaussian
from vrnn.distributions.one_hot import OneHot
from vrnn.distributions.product import Product
from vrnn.errors import ConfigError

EXAMPLES = "gaussian, categorical(8), 4*categorical(8) or gaussian+categorical(8)"
CATEGORICAL = re.compile(r"(?:(?P<groups>\d+)\s*\*\s*)?categorical\(\s*(?P<classes>\d+)\s*\)")


def parse_latent(text: str, dim: int) -> LatentFamily:
    """Return the family of latents that `text` names.

    It is gaussian, categorical(K), G*categorical(K) with G groups of K categories, or a product of
    a Gaussian and categories.

    Args:
        text: such as "gaussian+categorical(8)".
        dim: width of the Gaussian part.

    Raises:
        ConfigError: anything else.

    >>> parse_latent("categorical(8)", dim=16)
    OneHot(classes=8, groups=1)
    >>> parse_latent("gaussian+4*categorical(8)", dim=16)
    Product(parts=(Gaussian(dim=16), OneHot(classes=8, groups=4)))
    """
    terms = [term.strip() for term in text.split("+")]
    if terms == ["gaussian"]:
        return Gaussian(dim)
    found = CATEGORICAL.fullmatch(terms[-1])
    if found is None or terms[:-1] not in ([], ["gaussian"]):
        raise ConfigError(setting="latent", expected=EXAMPLES, found=repr(text))
    categories = OneHot(int(found["classes"]), int(found["groups"] or 1))
    return Product((Gaussian(dim), categories)) if len(terms) == 2 else categories
