"""The settings of the default tests have every kind that the whole table has."""

import pytest
from tests.models.settings import CONFIGS, ESSENTIAL, WrappedConfig, build

from vrnn.distributions import Product


def kinds(names, what: str) -> set[str]:
    """Return the architectures, cells, emissions or latents of some settings."""
    found = set()
    for name in names:
        config = CONFIGS[name]
        inner = config.inner if isinstance(config, WrappedConfig) else config
        family = build(config).observation
        parts = family.parts if isinstance(family, Product) else (family,)
        found |= {
            "architecture": {type(inner).__name__},
            "wrapper": {type(config).__name__},
            "cell": {str(getattr(inner, "cell", ""))},
            "emission": {type(part).__name__ for part in parts},
            "latent": {str(getattr(inner, "latent", ""))},
        }[what]
    return found


@pytest.mark.parametrize("what", ["architecture", "wrapper", "cell", "emission", "latent"])
def test_essential_settings_have_every(what):
    assert kinds(ESSENTIAL, what) == kinds(CONFIGS, what)
