"""The enumerated paths of the tests are all there is."""

import pytest
from tests.helpers.enumeration import TIME, VALUES, Chain, enumerate_paths


@pytest.mark.parametrize("emission", VALUES)
def test_paths_are_all_there_is(emission):
    """Their probabilities add up to 1, and there are as many as there can be."""
    paths = enumerate_paths(Chain(emission))
    assert paths.p.sum() == pytest.approx(1) and len(paths.p) == (2 * VALUES[emission]) ** TIME
