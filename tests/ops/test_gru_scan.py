"""The compiled GRU against the plain one: values and all gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vrnn.inference.noise import seeded
from vrnn.kernels import cell as kernel
from vrnn.kernels import native
from vrnn.models.layers import make_cell
from vrnn.models.loops import Feedback, read_rows, run_carry

pytestmark = pytest.mark.skipif(native.library() is None, reason="no C++ compiler")


def results(run, cell, lead, time, seed=0, layer=0):
    """Run a cell over random inputs, with a feedback of some width, and give values and gradients of what comes out."""
    generator, dtype = seeded(seed), cell.of_carry.weight.dtype
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)  # noqa: E731
    projected = draw(*lead, time, cell.gates).requires_grad_()
    carry = draw(*lead, cell.carry_dim).requires_grad_()
    parts = [draw(layer, cell.hidden), draw(layer), draw(cell.gates, layer)]
    feedback = (
        [(part / (2 * (layer or 1) ** 0.5)).requires_grad_() for part in parts] if layer else []
    )
    found = run(cell, projected, carry, *([Feedback(*feedback)] if layer else []))
    given = [
        projected,
        carry,
        *(p for name, p in cell.named_parameters() if name.startswith("of_carry")),
        *feedback,
    ]
    weight = draw(*found.shape)
    return [
        found.detach(),
        *torch.autograd.grad(
            (weight * found).sum() + found.square().sum(), given, materialize_grads=True
        ),
    ]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_equals_the_plain_cell_on_random_shapes(data):
    size = st.integers(1, 4) | st.sampled_from([7, 33, 70])
    hidden, lead = data.draw(size), tuple(data.draw(st.lists(size, min_size=1, max_size=2)))
    time, seed, layer = (
        data.draw(st.integers(1, 6)),
        data.draw(st.integers(0, 99)),
        data.draw(st.just(0) | size),
    )
    torch.manual_seed(seed)
    cell = make_cell("gru", 2, hidden).double()
    for found, expected in zip(
        *(results(run, cell, lead, time, seed, layer) for run in (kernel.run_cell, run_carry)),
        strict=True,
    ):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    for found, expected in zip(
        results(kernel.run_cell, cell.float(), lead, time, seed, layer),
        results(run_carry, cell.double(), lead, time, seed, layer),
        strict=True,
    ):
        torch.testing.assert_close(
            found.double(), expected, rtol=1e-4, atol=1e-4 * float(1 + expected.abs().max())
        )


def test_gradients_are_those_of_finite_differences():
    cell = make_cell("gru", 2, 3).double()
    projected, carry = (
        torch.randn(2, 4, 9, dtype=torch.float64),
        torch.randn(2, 3, dtype=torch.float64),
    )
    run = lambda projected, carry: kernel.run_cell(cell, projected, carry)  # noqa: E731
    assert torch.autograd.gradcheck(run, (projected.requires_grad_(), carry.requires_grad_()))


def test_rows_that_lie_otherwise_in_memory_are_read_where_they_are():
    cell = make_cell("gru", 2, 5)
    projected = torch.randn(6, 4, 15).transpose(0, 1)
    found = kernel.run_cell(cell, projected, torch.zeros(4, 5))
    torch.testing.assert_close(
        found, kernel.run_cell(cell, projected.contiguous(), torch.zeros(4, 5))
    )
    assert kernel.run_cell(cell, projected[:, :0], torch.zeros(4, 5)).shape == (4, 0, 5)


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_one_carry_serves_many_rows(name):
    cell = make_cell(name, 2, 5)
    projected, carry = torch.randn(3, 4, 6, cell.gates), torch.randn(1, 4, cell.carry_dim)
    found = kernel.run_cell(cell, projected, carry)
    assert found.shape == (3, 4, 6, cell.carry_dim)
    torch.testing.assert_close(found, run_carry(cell, projected, carry), rtol=1e-5, atol=1e-5)
    for i in range(3):
        h = carry[0]
        for t in range(6):
            h = cell.step(projected[i, :, t], h)
            torch.testing.assert_close(
                cell.output(found[i, :, t]), cell.output(h), rtol=1e-5, atol=1e-5
            )


def test_without_gradients_nothing_is_kept_for_them(monkeypatch):
    cell, seen = make_cell("gru", 2, 5), []
    call = kernel._call
    monkeypatch.setattr(
        kernel,
        "_call",
        lambda name, tensors, *rest: (seen.append(set(tensors)), call(name, tensors, *rest)),
    )
    with torch.no_grad():
        kernel.run_cell(cell, torch.randn(2, 3, 15), torch.zeros(2, 5))
    assert seen == [{"gates", "of_carry", "carry_bias", "states"}]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_whole_sequences_are_read_as_by_torch(dtype):
    reader = torch.nn.GRU(3, 7, batch_first=True).to(dtype)
    x = torch.randn(5, 6, 3, dtype=dtype, requires_grad=True)
    results = []
    for run in (kernel.read, read_rows):
        found = run(reader, x)
        results.append(
            [found, *torch.autograd.grad(found.square().sum(), [x, *reader.parameters()])]
        )
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(
            a,
            b,
            rtol=1e-10 if dtype is torch.float64 else 1e-4,
            atol=1e-5 if dtype is torch.float32 else 1e-10,
        )
    assert kernel.read(reader, x[:0]).shape == (0, 6, 7)
    assert kernel.read(torch.nn.LSTM(3, 7, batch_first=True).to(dtype), x).shape == (5, 6, 7)
