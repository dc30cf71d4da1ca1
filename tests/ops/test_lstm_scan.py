"""The LSTM over whole sequences against torch.nn.LSTMCell, one step after the other."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vrnn.inference.random_numbers import seeded
from vrnn.models.layers import make_cell
from vrnn.ops import lstm_scan


def by_cells(gates, carry, weight, length):
    """Return outputs and last carries by PyTorch's cell, whose input weight is the identity."""
    width = weight.shape[1]
    cell = torch.nn.LSTMCell(4 * width, width, bias=False, dtype=weight.dtype)
    own = {"weight_ih": torch.eye(4 * width, dtype=weight.dtype), "weight_hh": weight}
    outputs, (h, c) = [], carry.chunk(2, -1)
    for t in range(gates.shape[1]):
        moved = torch.func.functional_call(cell, own, (gates[:, t], (h, c)))
        goes_on = (t < length)[:, None]
        h, c = (torch.where(goes_on, new, old) for new, old in zip(moved, (h, c), strict=True))
        outputs.append(h)
    return torch.stack(outputs, 1), torch.cat([h, c], -1)


def drawn(batch, time, width, seed=0):
    generator = seeded(seed)
    shapes = [(batch, time, 4 * width), (batch, 2 * width), (4 * width, width)]
    return [torch.randn(*shape, generator=generator).double().requires_grad_() for shape in shapes]


def compare(given, length):
    """Compare outputs within each sequence, last carries, and all gradients."""
    batch, time, _ = given[0].shape
    every = torch.full((batch,), time) if length is None else length
    there = (torch.arange(time) < every[:, None])[..., None]
    results = []
    for h, last in (lstm_scan(*given, length), by_cells(*given, every)):
        h = torch.where(there, h, 0.0)
        value = h.square().sum() + h.sum() + last.pow(3).sum() + last.sum()
        results.append([h, last, *torch.autograd.grad(value, given)])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("length", [None, [6, 6, 6, 6], [4, 6, 1, 3], [2, 0, 6, 5], [0, 1, 2, 3]])
def test_equals_the_cell_of_torch(length):
    compare(drawn(4, 6, 3), None if length is None else torch.tensor(length))


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_equals_the_cell_of_torch_on_random_shapes(data):
    batch, time, width = (data.draw(st.integers(1, 7)) for _ in range(3))
    length = data.draw(st.lists(st.integers(0, time), min_size=batch, max_size=batch))
    given = drawn(batch, time, width, data.draw(st.integers(0, 99)))
    compare(given, torch.tensor(length))


def test_what_lies_past_a_sequence_is_not_read():
    gates, carry, weight = drawn(3, 5, 2)
    length = torch.tensor([5, 2, 0])
    past = (torch.arange(5) >= length.clamp(min=1)[:, None])[..., None]
    _, expected = lstm_scan(gates, carry, weight, length)
    _, found = lstm_scan(torch.where(past, torch.nan, gates), carry, weight, length)
    assert torch.equal(found, expected)


def test_one_carry_serves_many_rows():
    cell = make_cell("lstm", 2, 5)
    gates, carry = torch.randn(3, 4, 6, cell.gates), torch.randn(1, 4, cell.carry_dim)
    found, end = cell.scan(gates, carry, torch.tensor([6, 6, 3, 0]))
    assert found.shape == (3, 4, 6, cell.carry_dim) and end.shape == (3, 4, cell.carry_dim)
    for i in range(3):
        h, steps = carry[0], [carry[0]]
        for t in range(6):
            h = cell.step(gates[i, :, t], h)
            steps.append(h)
            torch.testing.assert_close(cell.output(found[i, :2, t]), cell.output(h[:2]))
        expected = torch.stack([steps[6][0], steps[6][1], steps[3][2], steps[0][3]])
        torch.testing.assert_close(end[i], expected)
