"""One compiled step of a VRNN with categories against its equations."""

import gc
import weakref

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.category_equations import (
    EMISSIONS,
    category_scan_by_equations,
    detached,
    draw_category_scan,
)
from tests.helpers.fast_paths import needs_compiler

from vrnn.ops.category_step import CategoryStepper

pytestmark = needs_compiler


def stepper_of(given, *, inputs):
    """Return a stepper; what no inputs change is part of its weights."""
    weights = dict(given["weights"])
    if not inputs:
        names = ("to_prior", "to_emission")
        weights |= {n: given["fixed"][n] for n in names if given["fixed"][n] is not None}
    return CategoryStepper(weights, given["emission"])


def take(step, given, *, inputs):
    fixed = given["fixed"]
    more = (fixed["to_prior"], fixed["to_emission"]) if inputs else ()
    return step(
        given["start"],
        fixed["gates"][:, 0],
        fixed["x"][:, 0],
        fixed["seen"][:, 0, 0],
        given["uniform"][:, :, 0],
        *more,
    )


def check(found, given, tolerance=1e-9):
    expected = category_scan_by_equations(**given)
    assert torch.equal(found.chosen, expected.chosen[0])
    torch.testing.assert_close(found.after, expected.states[1], rtol=tolerance, atol=tolerance)
    for name in ("prior", "joint", "exact", "raw"):
        a, b = getattr(found, name), getattr(expected, name)
        assert (a is None) == (b is None)
        if b is not None:
            torch.testing.assert_close(a, b[0], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("inputs", [True, False])
@pytest.mark.parametrize("standard", [True, False])
def test_equals_the_equations(standard, inputs):
    given = detached(draw_category_scan(time=1, standard=standard, inputs=inputs))
    step = stepper_of(given, inputs=inputs)
    for _ in range(2):  # nothing is left behind by a step
        check(take(step, given, inputs=inputs), given)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_equals_the_equations_on_random_shapes(data):
    size = st.integers(1, 4) | st.sampled_from([7, 31, 33])
    shape = {n: data.draw(size) for n in ("samples", "batch", "hidden")}
    shape["classes"] = data.draw(st.integers(2, 17))
    kind = {n: data.draw(st.booleans()) for n in ("standard", "inputs")}
    emission = data.draw(st.sampled_from(list(EMISSIONS)))
    arguments = detached(
        draw_category_scan(
            time=1, **shape, **kind, emission=emission, seed=data.draw(st.integers(0, 99))
        )
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(data.draw(st.sampled_from([1, 3])))
    try:
        step = stepper_of(arguments, inputs=kind["inputs"])
        check(take(step, arguments, inputs=kind["inputs"]), arguments, 1e-8)
    finally:
        torch.set_num_threads(threads)


def test_one_state_serves_many_particles():
    given = detached(draw_category_scan(3, time=1))
    given["start"] = given["start"][:1, :1]
    found = take(stepper_of(given, inputs=True), given, inputs=True)
    check(found, given | {"start": given["start"].expand(3, 3, -1)})


def test_numbers_of_another_type_are_refused():
    given = detached(draw_category_scan(time=1))
    step = stepper_of(given, inputs=True)
    wrong = given | {"fixed": given["fixed"] | {"gates": given["fixed"]["gates"].float()}}
    with pytest.raises(RuntimeError, match=r"in torch.float64 on the CPU, as the model is"):
        take(step, wrong, inputs=True)
    with pytest.raises(RuntimeError, match=r"found torch.float32 on cpu"):
        take(step, given | {"uniform": given["uniform"].float()}, inputs=True)


def test_a_row_that_does_not_fit_is_refused():
    given = detached(draw_category_scan(time=1))
    step = stepper_of(given, inputs=True)
    wrong = given | {"fixed": given["fixed"] | {"x": given["fixed"]["x"][..., :1]}}
    with pytest.raises(AssertionError):
        take(step, wrong, inputs=True)


def test_weights_are_freed_with_the_stepper():
    step = stepper_of(detached(draw_category_scan(time=1)), inputs=True)
    reference = weakref.ref(step)
    del step
    gc.collect()
    assert reference() is None
