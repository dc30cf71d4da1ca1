"""The chain of latents, compiled and plain: values and all gradients."""

import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.fast_paths import in_both, needs_compiler, record_compiled_calls

from vrnn.distributions import SCALE_FLOOR
from vrnn.inference.random_numbers import seeded
from vrnn.ops import LatentChain, latent_scan

op = sys.modules["vrnn.ops.latent_scan"]


def inputs(lead, time, hidden, latent, draws, fixed=(), dtype=torch.float64, seed=0):
    """Return the parts of a chain, its start and its normals.

    Args:
        draws: whether the latents have a scale.
        fixed: the parts that are the same at every step of every sequence.
    """
    generator = seeded(seed)

    def one(*shape, scale=1.0):  # large weights magnify rounding from step to step
        t = torch.randn(*shape, generator=generator, dtype=torch.float64) * scale
        return t.to(dtype).requires_grad_()

    def added(name, width):
        return one(1, width) if name in fixed else one(*lead, time, width)

    outputs = 2 * latent if draws else latent
    return {
        "weight_z": one(hidden, latent, scale=0.5 * latent**-0.5),
        "inside": added("inside", hidden),
        "out": one(outputs, hidden, scale=0.5 * hidden**-0.5),
        "outside": added("outside", outputs),
        "start": one(*lead, latent),
        "normals": one(*lead, time, latent if draws else 0),
    }


def scan(activation, weight_z, inside, out, outside, start, normals):
    return latent_scan(LatentChain(activation, weight_z, inside, out, outside), start, normals)


def by_equations(activation, weight_z, inside, out, outside, start, normals):
    """Return the path by the equations of `LatentChain`, written out."""
    g = torch.tanh if activation == "tanh" else torch.relu
    latent, lead, time = start.shape[-1], normals.shape[:-2], normals.shape[-2]
    inside, outside = (t.expand(*lead, time, t.shape[-1]) for t in (inside, outside))
    z, means, scales = [start], [], []
    for t in range(time):
        a = g(torch.einsum("hl,...l->...h", weight_z, z[-1]) + inside[..., t, :])
        outputs = torch.einsum("oh,...h->...o", out, a) + outside[..., t, :]
        if outputs.shape[-1] == latent:
            z.append(outputs)
            continue
        mean, raw = outputs.split(latent, -1)
        scale = SCALE_FLOOR + torch.log1p(torch.exp(raw))
        z.append(mean + scale * normals[..., t, :])
        means.append(mean)
        scales.append(scale)
    nothing = start.new_zeros(*lead, time, 0)
    moments = (torch.stack(part, -2) if part else nothing for part in (means, scales))
    return op.LatentPath(torch.stack(z, -2), *moments)


def results(run, activation, given):
    """Return the path and the gradients of a loss that reads all of it."""
    path = run(activation, **given)
    value = sum(
        (torch.linspace(-1, 1, t.numel(), dtype=t.dtype).view_as(t) * t).sum() + t.square().sum()
        for t in path
    )
    gradients = torch.autograd.grad(value, list(given.values()), materialize_grads=True)
    return [*(t.detach() for t in path), *gradients]


def check(found, expected, tolerance=1e-10):
    for a, b in zip(found, expected, strict=True):
        size = float(1 + b.abs().max()) if b.numel() else 1.0
        torch.testing.assert_close(
            a.double(), b.double(), rtol=10 * tolerance, atol=tolerance * size
        )


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_both_forms_equal_the_equations_on_random_shapes(data):
    size = st.integers(1, 4) | st.sampled_from([7, 33, 70])
    lead = tuple(data.draw(st.lists(size, min_size=1, max_size=2)))
    shape = (lead, data.draw(st.integers(1, 6)), data.draw(size), data.draw(size))
    activation, draws = data.draw(st.sampled_from(["relu", "tanh"])), data.draw(st.booleans())
    fixed = data.draw(st.sampled_from([(), ("inside",), ("outside",), ("inside", "outside")]))
    more = {"fixed": fixed, "seed": data.draw(st.integers(0, 99))}
    given = inputs(*shape, draws, **more)
    expected = results(by_equations, activation, given)
    for found in in_both(lambda: results(scan, activation, given)):
        check(found, expected)
    if activation == "tanh":  # rounding may move an entry across the kink of a relu
        single = inputs(*shape, draws, **more, dtype=torch.float32)
        check(results(scan, activation, single), expected, 1e-4)


@pytest.mark.parametrize("draws", [True, False])
def test_a_relu_in_float32_is_near_to_float64(draws):
    expected = results(by_equations, "relu", inputs((3,), 6, 5, 2, draws))
    single = inputs((3,), 6, 5, 2, draws, dtype=torch.float32)
    check(results(scan, "relu", single), expected, 1e-4)


@needs_compiler
@pytest.mark.parametrize("draws", [True, False])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_gradients_are_those_of_finite_differences(activation, draws):
    given = inputs((2,), 4, 3, 2, draws)
    if not draws:
        normals = given.pop("normals").detach()
        given = {**given, "normals": normals}

    def run(*parts):
        path = scan(activation, **dict(zip(given, parts, strict=True)))
        return tuple(path) if draws else path.z

    assert torch.autograd.gradcheck(run, tuple(given.values()))


@needs_compiler
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_is_the_same_by_several_threads(threads):
    given = inputs((33,), 5, 7, 3, True)
    expected, before = results(by_equations, "relu", given), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        check(results(scan, "relu", given), expected)
    finally:
        torch.set_num_threads(before)


@needs_compiler
def test_without_gradients_nothing_is_kept_for_them(monkeypatch):
    kept = record_compiled_calls(monkeypatch, op)
    given = inputs((2,), 3, 5, 2, True)
    with torch.no_grad():
        scan("relu", **given)
    assert kept == [{"inside", "outside", "normals", "weight_z", "out", "z", "mean", "scale"}]
    scan("relu", **given)
    assert "layer" in kept[1]


def test_other_types_take_the_reference():
    given = inputs((2,), 3, 5, 2, True)
    found = scan("tanh", **{name: t.detach().bfloat16() for name, t in given.items()})
    assert found.z.dtype is torch.bfloat16
    torch.testing.assert_close(found.z.double(), scan("tanh", **given).z, rtol=0.1, atol=0.1)


def test_autocast_takes_the_reference(monkeypatch):
    given = inputs((2,), 3, 5, 2, True, dtype=torch.float32)
    expected = by_equations("relu", **given)
    monkeypatch.setattr(op, "_call", None)  # what would run the compiled form
    with torch.autocast("cpu", torch.bfloat16):
        found = scan("relu", **given)
    torch.testing.assert_close(found.z.float(), expected.z, rtol=0.1, atol=0.1)


def test_a_small_scale_keeps_its_gradient():
    """In single precision too: 1 - e^-y has none left where the softplus y is far below 1."""
    found = []
    for dtype in (torch.float64, torch.float32):
        given = inputs((2,), 4, 3, 2, True, dtype=dtype)
        with torch.no_grad():
            given["outside"][..., 2:] = -13.0
        path = scan("tanh", **given)
        found.append(torch.autograd.grad(path.scale.sum(), given["outside"])[0][..., 2:].double())
    assert bool((found[0] > 0).all())
    torch.testing.assert_close(found[1], found[0], rtol=1e-3, atol=0.0)
