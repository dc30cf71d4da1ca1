"""One compiled step of the VRNN against its equations."""

import gc
import weakref

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.fast_paths import needs_compiler
from tests.helpers.vrnn_equations import draw_scan, scan_by_equations

from vrnn.ops.vrnn_step import VRNNStepper

pytestmark = needs_compiler


def detached(given):
    """Return the arguments of a scan of one step, without gradients."""
    return {
        name: {n: None if t is None else t.detach() for n, t in part.items()}
        if isinstance(part, dict)
        else part.detach()
        for name, part in given.items()
    }


def stepper_of(given, *, inputs, standard):
    """Return a stepper; what no inputs change is part of its weights."""
    weights = dict(given["weights"])
    if not inputs:
        names = ("to_prior", "to_emission")
        weights |= {n: given["fixed"][n] for n in names if given["fixed"][n] is not None}
    return VRNNStepper(
        weights,
        standard=standard,
        hidden=given["start"].shape[-1],
        latent=given["normals"].shape[-1],
        size=len(given["weights"]["emission_bias"]),
        dtype=given["start"].dtype,
    )


def take(step, given, *, inputs):
    fixed = given["fixed"]
    more = (fixed["to_prior"], fixed["to_emission"]) if inputs else ()
    return step(
        given["start"],
        fixed["gates"][:, 0],
        fixed["evidence"][:, 0],
        given["normals"][:, :, 0],
        *more,
    )


def check(found, given, tolerance=1e-10):
    expected = scan_by_equations(**given)
    torch.testing.assert_close(found.before, expected.states[0], rtol=0, atol=0)
    torch.testing.assert_close(found.after, expected.states[1], rtol=tolerance, atol=tolerance)
    for name in ("mean", "scale", "z", "features", "prior_mean", "prior_scale", "raw"):
        a, b = getattr(found, name), getattr(expected, name)
        assert (a is None) == (b is None)
        if b is not None:
            torch.testing.assert_close(a, b[0], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("inputs", [True, False])
@pytest.mark.parametrize("standard", [True, False])
def test_equals_the_equations(standard, inputs):
    given = detached(draw_scan(time=1, standard=standard, inputs=inputs))
    step = stepper_of(given, inputs=inputs, standard=standard)
    for _ in range(2):  # nothing is left behind by a step
        check(take(step, given, inputs=inputs), given)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_equals_the_equations_on_random_shapes(data):
    size = st.integers(1, 4) | st.sampled_from([7, 31, 33])
    shape = {n: data.draw(size) for n in ("batch", "hidden", "latent", "size")}
    kind = {n: data.draw(st.booleans()) for n in ("standard", "inputs")}
    given = draw_scan(data.draw(size), time=1, seed=data.draw(st.integers(0, 99)), **shape, **kind)
    given = detached(given)
    threads = torch.get_num_threads()
    torch.set_num_threads(data.draw(st.sampled_from([1, 3])))
    try:
        check(take(stepper_of(given, **kind), given, inputs=kind["inputs"]), given)
    finally:
        torch.set_num_threads(threads)


def test_one_state_serves_many_particles():
    given = detached(draw_scan(3, time=1))
    given["start"] = given["start"][:1, :1]
    found = take(stepper_of(given, inputs=True, standard=False), given, inputs=True)
    check(found, given | {"start": given["start"].expand(3, 3, -1)})


def test_float32_is_near_to_float64():
    single = detached(draw_scan(time=1, dtype=torch.float32))
    found = take(stepper_of(single, inputs=True, standard=False), single, inputs=True)
    expected = scan_by_equations(**detached(draw_scan(time=1)))
    torch.testing.assert_close(found.after.double(), expected.states[1], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.raw.double(), expected.raw[0], rtol=1e-4, atol=1e-4)


def test_numbers_of_another_type_are_refused():
    given = detached(draw_scan(time=1))
    step = stepper_of(given, inputs=True, standard=False)
    for name in ("gates", "evidence"):
        wrong = given | {"fixed": given["fixed"] | {name: given["fixed"][name].float()}}
        with pytest.raises(RuntimeError, match=r"in torch.float64 on the CPU, as the model is"):
            take(step, wrong, inputs=True)
    with pytest.raises(RuntimeError, match=r"found torch.float32 on cpu"):
        take(step, given | {"normals": given["normals"].float()}, inputs=True)


def test_noise_that_does_not_fit_is_refused():
    given = detached(draw_scan(time=1, latent=3))
    step = stepper_of(given, inputs=True, standard=False)
    wide = detached(draw_scan(time=1, latent=4))
    with pytest.raises(AssertionError):
        take(step, given | {"normals": wide["normals"]}, inputs=True)


def test_weights_are_freed_with_the_stepper():
    given = detached(draw_scan(time=1))
    step = stepper_of(given, inputs=True, standard=False)
    reference = weakref.ref(step)
    del step
    gc.collect()
    assert reference() is None
