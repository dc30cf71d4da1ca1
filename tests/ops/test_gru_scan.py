"""The GRU over whole sequences, compiled and plain: values and all gradients."""

import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.fast_paths import in_both, needs_compiler, record_compiled_calls

from vrnn.inference.random_numbers import seeded
from vrnn.models.layers import make_cell
from vrnn.ops import gru_scan
from vrnn.ops.gru_scan import Feedback, gru_step

op = sys.modules["vrnn.ops.gru_scan"]
SIZE = st.integers(1, 4) | st.sampled_from([7, 33, 70])


def drawn(lead, time, hidden, *, inputs=0, layer=0, dtype=torch.float64, seed=0):
    """Return what a scan is given: x, start and weights by name.

    Args:
        inputs: width of x, projected by weights of its own; x holds the gates where it is 0.
        layer: width of the feedback; 0 for none.
    """
    generator = seeded(seed)

    def one(*shape, scale=1.0):
        t = torch.randn(*shape, generator=generator, dtype=torch.float64) * scale
        return t.to(dtype).requires_grad_()

    gates, small = 3 * hidden, hidden**-0.5
    parts = {
        "x": one(*lead, time, inputs or gates),
        "start": one(*lead, hidden),
        "weight_hh": one(gates, hidden, scale=small),
        "bias_hh": one(gates),
    }
    if inputs:
        parts |= {"weight_ih": one(gates, inputs), "bias_ih": one(gates)}
    if layer:
        scale = 0.5 * layer**-0.5
        parts |= {
            "of_output": one(layer, hidden, scale=scale),
            "output_bias": one(layer, scale=scale),
            "to_gates": one(gates, layer, scale=scale),
        }
    return parts


def scan(x, start, weight_hh, bias_hh, of_output=None, output_bias=None, to_gates=None, **more):
    feedback = None if of_output is None else Feedback(of_output, output_bias, to_gates)
    return gru_scan(x, start, weight_hh, bias_hh, feedback=feedback, **more)


def by_cells(x, start, weight_hh, bias_hh, of_output=None, output_bias=None, to_gates=None, **more):
    """Return the states by PyTorch's cell, one step after the other."""
    lead, hidden = x.shape[:-2], start.shape[-1]
    weight_ih = more.get("weight_ih", torch.eye(3 * hidden, dtype=x.dtype))
    own = {
        "weight_ih": weight_ih,
        "weight_hh": weight_hh,
        "bias_ih": more.get("bias_ih", torch.zeros(3 * hidden, dtype=x.dtype)),
        "bias_hh": bias_hh,
    }
    cell = torch.nn.GRUCell(weight_ih.shape[1], hidden, dtype=x.dtype)
    h, states = start.expand(*lead, hidden).flatten(0, -2), []
    for t, x_t in enumerate(x.flatten(0, -3).unbind(1)):
        if of_output is not None and t:
            x_t = x_t + torch.relu(h @ of_output.T + output_bias) @ to_gates.T
        h = torch.func.functional_call(cell, own, (x_t, h))
        states.append(h)
    return torch.stack(states, 1).unflatten(0, lead)


def results(run, given):
    """Return the states and the gradients of a loss that reads them all."""
    h = run(**given)
    weight = torch.linspace(-1, 1, h.numel(), dtype=h.dtype).view_as(h)
    value = (weight * h).sum() + h.square().sum()
    return [h.detach(), *torch.autograd.grad(value, list(given.values()), materialize_grads=True)]


def check(found, expected, tolerance=1e-10):
    for a, b in zip(found, expected, strict=True):
        size = float(1 + b.abs().max()) if b.numel() else 1.0
        torch.testing.assert_close(a.double(), b.double(), rtol=tolerance, atol=tolerance * size)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_both_forms_equal_the_cell_of_torch_on_random_shapes(data):
    hidden, lead = data.draw(SIZE), tuple(data.draw(st.lists(SIZE, min_size=1, max_size=2)))
    layer = data.draw(st.just(0) | SIZE)
    inputs = 0 if layer else data.draw(st.integers(0, 3))
    shape = (lead, data.draw(st.integers(1, 6)), hidden)
    more = {"inputs": inputs, "layer": layer, "seed": data.draw(st.integers(0, 99))}
    given = drawn(*shape, **more)
    expected = results(by_cells, given)
    for found in in_both(lambda: results(scan, given)):
        check(found, expected)
    if not layer:  # rounding may move an entry of a wide layer across the kink of its relu
        check(results(scan, drawn(*shape, **more, dtype=torch.float32)), expected, 1e-4)


def test_a_feedback_in_float32_is_near_to_float64():
    expected = results(by_cells, drawn((3,), 6, 5, layer=4))
    check(results(scan, drawn((3,), 6, 5, layer=4, dtype=torch.float32)), expected, 1e-4)


@needs_compiler
@pytest.mark.parametrize("more", [{}, {"inputs": 2}, {"layer": 4}])
def test_gradients_are_those_of_finite_differences(more):
    given = drawn((2,), 4, 3, **more)
    run = lambda *tensors: scan(**dict(zip(given, tensors, strict=True)))  # noqa: E731
    assert torch.autograd.gradcheck(run, tuple(given.values()))


@needs_compiler
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_is_the_same_by_several_threads(threads):
    given = drawn((33,), 5, 7, layer=3)
    expected, before = results(by_cells, given), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        check(results(scan, given), expected)
    finally:
        torch.set_num_threads(before)


def test_one_step_equals_the_cell_of_torch():
    cell = torch.nn.GRUCell(2, 5).double()
    x, h = torch.randn(4, 2).double(), torch.randn(4, 5).double()
    gates = torch.nn.functional.linear(x, cell.weight_ih, cell.bias_ih)
    found = gru_step(gates, h, cell.weight_hh, cell.bias_hh)
    torch.testing.assert_close(found, cell(x, h), rtol=1e-12, atol=1e-12)


def test_inputs_that_lie_otherwise_in_memory_are_read_where_they_are():
    given = drawn((4,), 6, 5)
    gates = given["x"].detach().transpose(0, 1).contiguous().transpose(0, 1)
    assert not gates.is_contiguous()
    expected = scan(**given)
    for x in (gates, gates.flip(-1).flip(-1), gates.mT.contiguous().mT):
        torch.testing.assert_close(scan(**given | {"x": x}), expected)


def test_no_steps_give_no_states():
    given = drawn((4,), 6, 5)
    for found in in_both(lambda: scan(**given | {"x": given["x"][:, :0]})):
        assert found.shape == (4, 0, 5)


def test_no_sequences_give_no_states():
    given = drawn((4,), 6, 5)
    few = {"x": given["x"][:0], "start": given["start"][:0]}
    for found in in_both(lambda: scan(**given | few)):
        assert found.shape == (0, 6, 5)


def test_one_start_serves_many_rows():
    given = drawn((3, 4), 6, 5)
    start = given["start"][:1].detach().requires_grad_()
    for found in in_both(lambda: results(scan, given | {"start": start})):
        check(found, results(by_cells, given | {"start": start}))


def test_a_cell_scans_as_it_steps():
    cell = make_cell("gru", 2, 5)
    gates, carry = torch.randn(3, 4, 6, cell.gates), torch.randn(1, 4, cell.carry_dim)
    found, end = cell.scan(gates, carry, torch.tensor([6, 6, 3, 0]))
    assert found.shape == (3, 4, 6, 5) and end.shape == (3, 4, 5)
    for i in range(3):
        steps = [carry[0]]
        for t in range(6):
            steps.append(cell.step(gates[i, :, t], steps[-1]))
            torch.testing.assert_close(found[i, :, t], steps[-1], rtol=1e-5, atol=1e-5)
        expected = torch.stack([steps[6][0], steps[6][1], steps[3][2], steps[0][3]])
        torch.testing.assert_close(end[i], expected, rtol=1e-5, atol=1e-5)


@needs_compiler
def test_without_gradients_nothing_is_kept_for_them(monkeypatch):
    kept = record_compiled_calls(monkeypatch, op)
    given = drawn((2,), 3, 5)
    with torch.no_grad():
        scan(**given)
    assert kept == [{"gates", "weight_hh", "bias_hh", "states"}]
    scan(**given)
    assert "memory" in kept[1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_whole_sequences_are_read_as_by_torch(dtype):
    network = torch.nn.GRU(3, 7, batch_first=True).to(dtype)
    x = torch.randn(5, 6, 3, dtype=dtype, requires_grad=True)
    weight_ih, weight_hh, bias_ih, bias_hh = network.all_weights[0]

    def run():
        start = x.new_zeros(1, 7)
        return gru_scan(x, start, weight_hh, bias_hh, weight_ih=weight_ih, bias_ih=bias_ih)

    def with_gradients(found):
        return [
            found.detach(),
            *torch.autograd.grad(found.square().sum(), [x, *network.parameters()]),
        ]

    expected = with_gradients(network(x)[0])
    for found in in_both(lambda: with_gradients(run())):
        check(found, expected, 1e-10 if dtype is torch.float64 else 1e-4)


@pytest.mark.parametrize("layer", [0, 3])
def test_other_types_and_autocast_take_the_reference(layer, monkeypatch):
    monkeypatch.setattr(op, "_call", None)  # what would run the compiled form
    given = drawn((2,), 3, 5, layer=layer)
    expected = by_cells(**given)
    single = drawn((2,), 3, 5, layer=layer, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        found = scan(**single)
    torch.testing.assert_close(found.double(), expected, rtol=0.1, atol=0.1)
    half = scan(**{name: t.detach().bfloat16() for name, t in given.items()})
    assert half.dtype is torch.bfloat16
    torch.testing.assert_close(half.double(), expected, rtol=0.1, atol=0.1)
