"""What every test of a model may use."""

import pytest
from tests.helpers.pages import code_blocks

from vrnn.models import registry


@pytest.fixture(autouse=True)
def toy_in_the_registry(monkeypatch):
    """Add the entry of the page on adding a model, as the page words it."""
    (entry,) = [b for b in code_blocks("how-to/add-a-model.md", "text") if "Architecture(" in b]
    more = eval(f"{{{entry}}}", {"Architecture": registry.Architecture})
    for name, architecture in more.items():
        monkeypatch.setitem(registry.REGISTRY, name, architecture)
