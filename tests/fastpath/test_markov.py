"""The plans of models in which a latent depends on the one before it, against the loop."""

import pytest
from tests.helpers.fast_paths import KINDS, check_plan, settings_of

NAMES = settings_of("srnn", "dmm")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_the_plan_equals_the_loop(name, kind, monkeypatch):
    check_plan(name, kind, monkeypatch)
