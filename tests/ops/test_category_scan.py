"""The compiled scan of a VRNN with categories against its equations."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.category_equations import (
    EMISSIONS,
    category_leaves,
    category_scan_by_equations,
    draw_category_scan,
)
from tests.helpers.fast_paths import needs_compiler

from vrnn.ops.category_scan import category_scan

pytestmark = needs_compiler
RESULTS = ("states", "prior", "joint", "exact", "raw")


def value(found, names=RESULTS):
    """Return a number that depends on the results named, each entry in a way of its own."""
    total = torch.zeros(())
    for i, name in enumerate(names):
        part = getattr(found, name)
        if part is not None:
            weight = torch.linspace(-1, 2 + i, part.numel()).to(part).view_as(part)
            total = total + (weight * part).sum()
    return total


def gradients(function, given, names=RESULTS):
    """Return the results of a scan, and the gradients of all that it reads."""
    found = function(**given)
    leaves = category_leaves(given)
    grads = torch.autograd.grad(value(found, names), list(leaves.values()), materialize_grads=True)
    return found, dict(zip(leaves, grads, strict=True))


def check(given, names=RESULTS, tolerance=1e-9):
    found, found_grads = gradients(category_scan, given, names)
    expected, expected_grads = gradients(category_scan_by_equations, given, names)
    assert torch.equal(found.chosen, expected.chosen)
    for name in RESULTS:
        a, b = getattr(found, name), getattr(expected, name)
        assert (a is None) == (b is None)
        if b is not None:
            torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)
    for name, gradient in expected_grads.items():
        size = max(1.0, float(gradient.abs().max()))
        torch.testing.assert_close(
            found_grads[name], gradient, rtol=tolerance, atol=tolerance * size, msg=name
        )


@pytest.mark.parametrize("standard", [False, True])
@pytest.mark.parametrize("emission", EMISSIONS)
def test_equals_the_equations(emission, standard):
    check(draw_category_scan(emission=emission, standard=standard))


@pytest.mark.parametrize("names", [*((name,) for name in RESULTS), ("states", "exact")])
def test_gradients_may_arrive_at_some_results_alone(names):
    check(draw_category_scan(), names)


@pytest.mark.parametrize("standard", [False, True])
def test_what_no_inputs_change_is_given_once(standard):
    check(draw_category_scan(inputs=False, standard=standard))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_equals_the_equations_on_random_shapes(data):
    size = st.integers(1, 4) | st.sampled_from([7, 31, 33])
    shape = {n: data.draw(size) for n in ("samples", "batch", "hidden")}
    shape |= {"time": data.draw(st.integers(1, 4)), "classes": data.draw(st.integers(2, 17))}
    kind = {n: data.draw(st.booleans()) for n in ("standard", "inputs")}
    emission = data.draw(st.sampled_from(list(EMISSIONS)))
    arguments = draw_category_scan(
        **shape, **kind, emission=emission, seed=data.draw(st.integers(0, 99))
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(data.draw(st.sampled_from([1, 3])))
    try:
        check(arguments, tolerance=1e-8)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("emission", EMISSIONS)
def test_float32_is_near_to_float64(emission):
    exact, exact_grads = gradients(
        category_scan_by_equations, draw_category_scan(emission=emission)
    )
    found, found_grads = gradients(
        category_scan, draw_category_scan(emission=emission, dtype=torch.float32)
    )
    assert torch.equal(found.chosen, exact.chosen)
    for name in RESULTS:
        torch.testing.assert_close(
            getattr(found, name).double(), getattr(exact, name), rtol=1e-3, atol=1e-3
        )
    for name, gradient in exact_grads.items():
        size = max(1.0, float(gradient.abs().max()))
        torch.testing.assert_close(
            found_grads[name].double(), gradient, rtol=1e-3, atol=1e-3 * size
        )


def test_only_categories_with_weight_are_drawn_at_the_ends():
    given = draw_category_scan(time=1)
    given["fixed"]["seen"] = torch.zeros_like(given["fixed"]["seen"])  # the prior alone decides
    given["weights"]["prior_bias"] = torch.tensor([-1e4, 0.0, -1e4]).double()
    for end in (0.0, 1.0):
        found = category_scan(**given | {"uniform": torch.full_like(given["uniform"], end)})
        assert (found.chosen == 1).all()


def test_a_value_without_mass_has_none():
    given = draw_category_scan(emission="bernoulli")
    given["fixed"]["seen"] = torch.ones_like(given["fixed"]["seen"])
    with torch.no_grad():
        given["fixed"]["x"][0, 0, 0] = 0.5
    found = category_scan(**given)
    assert (found.exact[0, :, 0] == -torch.inf).all() and (found.exact[0, :, 1:]).isfinite().all()


def test_numbers_that_have_diverged_show():
    given = draw_category_scan()
    given["fixed"]["seen"] = torch.ones_like(given["fixed"]["seen"])
    with torch.no_grad():
        given["weights"]["emission_bias"][0] = torch.nan
    assert category_scan(**given).exact.isnan().all()


@pytest.mark.parametrize("name", ["start", "uniform"])
def test_tensors_that_do_not_go_together_are_refused(name):
    given = draw_category_scan()
    with pytest.raises(RuntimeError, match="all in float32 or all in float64"):
        category_scan(**given | {name: given[name].float()})
