"""The compiled loop of the VRNN against its equations: values and all gradients."""

import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.fast_paths import needs_compiler
from tests.helpers.vrnn_equations import draw_scan, leaves, scan_by_equations

from vrnn.ops import build as building
from vrnn.ops.vrnn_scan import vrnn_scan

op = sys.modules["vrnn.ops.vrnn_scan"]
pytestmark = needs_compiler


def results(run, given):
    """Return every part of a scan and every gradient of a loss that reads them all, by name."""
    found = {name: t for name, t in run(**given)._asdict().items() if t is not None}
    value = sum(
        (torch.linspace(-1, 1, t.numel(), dtype=t.dtype).view_as(t) * t).sum() + t.square().sum()
        for t in found.values()
    )
    tensors = leaves(given)
    gradients = torch.autograd.grad(value, list(tensors.values()))
    return {name: t.detach() for name, t in found.items()} | {
        f"d {name}": g for name, g in zip(tensors, gradients, strict=True)
    }


def check(given, expected=None, tolerance=1e-10):
    expected = results(scan_by_equations, given) if expected is None else expected
    found = results(vrnn_scan, given)
    assert found.keys() == expected.keys()
    for name, b in expected.items():
        size = float(1 + b.abs().max())
        torch.testing.assert_close(
            found[name].double(), b.double(), rtol=tolerance, atol=tolerance * size, msg=name
        )


@pytest.mark.parametrize("inputs", [True, False])
@pytest.mark.parametrize("heads", [True, False])
@pytest.mark.parametrize("standard", [True, False])
def test_equals_the_equations_in_every_form(standard, heads, inputs):
    check(draw_scan(standard=standard, heads=heads, inputs=inputs))


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_equals_the_equations_on_random_shapes(data):
    size = st.integers(1, 4) | st.sampled_from([7, 31, 33])
    shape = {n: data.draw(size) for n in ("batch", "time", "hidden", "latent", "size")}
    shape |= {n: data.draw(st.booleans()) for n in ("standard", "heads", "inputs")}
    threads = torch.get_num_threads()
    torch.set_num_threads(data.draw(st.sampled_from([1, 2, 3])))
    try:
        check(draw_scan(data.draw(st.integers(1, 3)), seed=data.draw(st.integers(0, 99)), **shape))
    finally:
        torch.set_num_threads(threads)


def test_threads_of_its_own_serve_where_torch_has_no_pool():
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    building.library().vrnn_use_pool(None)
    try:
        check(draw_scan(3, 33, 5, 7, 3))
    finally:
        building.library().vrnn_use_pool(building.torch_pool())
        torch.set_num_threads(threads)


@pytest.mark.parametrize("standard", [True, False])
def test_gradients_are_those_of_finite_differences(standard):
    given = draw_scan(2, 2, 3, 3, 2, 2, standard=standard)
    tensors = leaves(given)

    def run(*parts):
        named = dict(zip(tensors, parts, strict=True))
        arguments = {
            key: named[key]
            if key in named
            else {
                name: named.get(name)
                for name in part
                if named.get(name) is not None or part[name] is None
            }
            for key, part in given.items()
        }
        return tuple(t for t in vrnn_scan(**arguments) if t is not None)

    assert torch.autograd.gradcheck(run, tuple(tensors.values()))


def test_float32_is_near_to_float64():
    expected = results(scan_by_equations, draw_scan(time=20))
    check(draw_scan(time=20, dtype=torch.float32), expected, 1e-4)


def test_fixed_parts_are_read_where_they_lie_in_memory():
    given = draw_scan()
    fixed = {
        name: t.detach().transpose(0, 1).contiguous().transpose(0, 1)
        for name, t in given["fixed"].items()
    }
    assert not fixed["gates"].is_contiguous()
    expected = vrnn_scan(**given)
    for parts in (fixed, {name: t.mT.contiguous().mT for name, t in fixed.items()}):
        for a, b in zip(vrnn_scan(**given | {"fixed": parts}), expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_a_loss_that_leaves_a_head_out_gives_it_no_gradient():
    given = draw_scan()
    found = vrnn_scan(**given)
    names = [
        "prior_state", "prior_out", "prior_bias",
        "emission_state", "emission_features", "emission_out", "emission_bias",
    ]  # fmt: skip
    heads = [given["weights"][name] for name in names]
    heads += [given["fixed"]["to_prior"], given["fixed"]["to_emission"]]
    gradients = torch.autograd.grad(found.z.sum(), heads, allow_unused=True)
    assert all(gradient is None for gradient in gradients)


@pytest.mark.parametrize(
    "part", ["states", "mean", "scale", "z", "features", "prior_mean", "prior_scale", "raw"]
)
def test_the_gradient_of_each_part_alone_is_right(part):
    given = draw_scan()
    tensors = leaves(given)
    found, expected = (
        torch.autograd.grad(
            getattr(run(**given), part).pow(3).sum(), list(tensors.values()), materialize_grads=True
        )
        for run in (vrnn_scan, scan_by_equations)
    )
    for name, a, b in zip(tensors, found, expected, strict=True):
        torch.testing.assert_close(
            a, b, rtol=1e-10, atol=1e-10 * float(1 + b.abs().max()), msg=name
        )


def test_normals_without_gradients_get_none():
    given = draw_scan()
    normals = given["normals"].detach()
    gradient = torch.autograd.grad(
        vrnn_scan(**given | {"normals": normals}).z.sum(), given["start"]
    )
    torch.testing.assert_close(
        gradient, torch.autograd.grad(vrnn_scan(**given).z.sum(), given["start"])
    )


def test_a_small_scale_keeps_its_gradient():
    """In single precision too: 1 - e^-y has none left where the softplus y is far below 1."""
    found = {}
    for dtype, run in ((torch.float64, scan_by_equations), (torch.float32, vrnn_scan)):
        given = draw_scan(dtype=dtype)
        with torch.no_grad():
            given["weights"]["out_bias"][3:] = -13.0
            given["weights"]["prior_bias"][3:] = -13.0
        biases = given["weights"]["out_bias"], given["weights"]["prior_bias"]
        path = run(**given)
        gradients = torch.autograd.grad((path.scale + path.prior_scale).sum(), biases)
        found[dtype] = torch.stack(gradients)[:, 3:].double()
    assert bool((found[torch.float64] > 0).all())
    torch.testing.assert_close(*found.values(), rtol=1e-3, atol=0.0)


def test_a_value_that_is_not_a_number_shows():
    given = draw_scan()
    with torch.no_grad():
        given["weights"]["of_latent"][0, 0] = torch.nan
    assert vrnn_scan(**given).raw.isnan().any()


def test_without_gradients_nothing_is_kept_for_them(monkeypatch):
    kept, call = [], op._call
    monkeypatch.setattr(
        op, "_call", lambda name, tensors: (kept.append(set(tensors)), call(name, tensors))
    )
    given = draw_scan()
    with torch.no_grad():
        vrnn_scan(**given)
    assert not kept[0] & set(op.LAYERS)
    vrnn_scan(**given)
    assert kept[1] >= set(op.LAYERS)


@pytest.mark.parametrize("name", ["start", "normals"])
def test_tensors_that_do_not_go_together_are_refused(name):
    given = draw_scan()
    with pytest.raises(RuntimeError, match="all in float32 or all in float64"):
        vrnn_scan(**given | {name: given[name].detach().float()})
