"""What every test of a model may use."""

import pytest
from tests.helpers.pages import register_toy


@pytest.fixture(autouse=True)
def toy_in_the_registry(monkeypatch):
    """The settings of the tests hold the model of a page."""
    register_toy(monkeypatch)
