"""Which emissions have a compiled density, and how their parts are numbered."""

import pytest
from tests.helpers.category_equations import size_of

from vrnn.distributions import parse_emission
from vrnn.fastpath.densities import emission_parts


@pytest.mark.parametrize(
    ("text", "dim"),
    [
        ("gaussian", 3),
        ("full_gaussian", 4),
        ("mixture(5)", 2),
        ("bernoulli", 6),
        ("mixture(2):2+bernoulli:1", 3),
        ("full_gaussian:2+gaussian:1+bernoulli:1", 4),
    ],
)
def test_the_parts_take_the_outputs_and_dimensions_of_the_family(text, dim):
    family = parse_emission(text, dim)
    parts = emission_parts(family)
    assert parts is not None and sum(part.dim for part in parts) == family.dim
    assert size_of(parts) == family.size


@pytest.mark.parametrize(
    ("text", "dim"), [("student_t", 2), ("nade(3)", 4), ("gaussian:2+categorical(3):1", 3)]
)
def test_others_have_none(text, dim):
    assert emission_parts(parse_emission(text, dim)) is None
