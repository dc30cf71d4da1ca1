"""A GRU over inputs that are there from beginning to end, in C++, forward and hand-derived backward, on the CPU.

Alone, with a layer from its output back to its input, or as the reader of whole sequences.
"""

import ctypes
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from vrnn.kernels.native import compiled, runs_on
from vrnn.models.layers import GRUCell, LSTMCell
from vrnn.models.loops import Feedback, read_rows, run_carry

NUMBERS = ("rows", "time", "hidden", "layer", "threads", "gates_row", "gates_step")
FEEDBACK = ("of_output", "output_bias", "to_gates")
PLACES = (
    "gates", "of_carry", "carry_bias", *FEEDBACK, "states", "memory", "fed", "d_states", "d_gates", "d_fed", "d_start"
)  # fmt: skip


class Run(ctypes.Structure):
    """Mirror `Run` of cell.cpp."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in NUMBERS),
        *((name, ctypes.c_void_p) for name in PLACES),
    )


def run_cell(
    cell: GRUCell | LSTMCell,
    projected: Float[Tensor, "*lead time gates"],
    carry: Float[Tensor, "*#lead carry"],
    feedback: Feedback | None = None,
) -> Float[Tensor, "*lead time carry"]:
    """Give the carries of all steps, as `vrnn.models.loops.run_carry` does, by the compiled loop where it fits."""
    fed = feedback or ()
    if not (isinstance(cell, GRUCell) and runs_on(projected, carry, *cell.parameters(), *fed)):
        return run_carry(cell, projected, carry, feedback)
    lead = projected.shape[:-2]
    states = _Run.apply(
        torch.is_grad_enabled(),
        projected.flatten(0, -3),
        carry.expand(*lead, -1).flatten(0, -2),
        cell.of_carry.weight,
        cell.of_carry.bias,
        *fed,
    )
    return states[1:].transpose(0, 1).unflatten(0, lead)


def read(
    network: nn.GRU | nn.LSTM, x: Float[Tensor, "batch time inputs"]
) -> Float[Tensor, "batch time hidden"]:
    """Give the output of a recurrent network at every row, as `vrnn.models.loops.read_rows` does, by the compiled loop where it fits."""
    if not (isinstance(network, nn.GRU) and x.shape[1] and runs_on(x, *network.parameters())):
        return read_rows(network, x)
    of_input, of_carry, bias, carry_bias = network.all_weights[0]
    projected = nn.functional.linear(x, of_input, bias)
    start = x.new_zeros(len(x), network.hidden_size)
    states = _Run.apply(torch.is_grad_enabled(), projected, start, of_carry, carry_bias)
    return states[1:].transpose(0, 1)


class _Run(torch.autograd.Function):
    """Run h_t = GRU(g_t, h_{t-1}), whose inputs have been projected already, and give h_0 to h_T, (time, rows, hidden).

    (c_r, c_u, m) = W h_{t-1} + b,   r = sigmoid(g_r + c_r),  u = sigmoid(g_u + c_u),  n = tanh(g_n + r m),  h_t = n + u (h_{t-1} - n)

    With a feedback, A relu(U h_{t-1} + c) is added to g_t at every step but the first.
    """

    @staticmethod
    def forward(
        ctx: Any,
        differentiable: bool,
        projected: Float[Tensor, "rows time gates"],
        start: Float[Tensor, "rows hidden"],
        weight: Float[Tensor, "gates hidden"],
        bias: Float[Tensor, " gates"],
        *feedback: Tensor,
    ) -> Float[Tensor, "states rows hidden"]:
        rows, time, _ = projected.shape
        hidden = start.shape[-1]
        assert start.shape == (rows, hidden) and projected.shape == (rows, time, 3 * hidden)
        assert weight.shape == (3 * hidden, hidden) and bias.shape == (3 * hidden,)
        gates = projected if projected.stride(-1) == 1 else projected.contiguous()
        states = start.new_empty(time + 1, rows, hidden)
        states[0] = start
        tensors = {
            "gates": gates,
            "of_carry": weight.contiguous(),
            "carry_bias": bias.contiguous(),
            "states": states,
        }
        layer = len(feedback[0]) if feedback else 0
        if feedback:
            assert feedback[0].shape == (layer, hidden) and feedback[1].shape == (layer,)
            assert feedback[2].shape == (3 * hidden, layer)
            tensors |= dict(zip(FEEDBACK, (part.contiguous() for part in feedback), strict=True))
        if differentiable and any(ctx.needs_input_grad):
            tensors["memory"] = start.new_empty(time, rows, 4 * hidden)
            kept = ["of_carry", "states", "memory"]
            if feedback:
                tensors["fed"] = start.new_empty(time, rows, layer)
                kept += ["of_output", "to_gates", "fed"]
            ctx.save_for_backward(*(tensors[name] for name in kept))
        _call("run_forward", tensors, rows, time)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyrefly: ignore[bad-override]
        weight, states, memory, *feedback = ctx.saved_tensors
        time, rows, _ = memory.shape
        hidden = states.shape[-1]
        tensors = {
            "of_carry": weight,
            "states": states,
            "memory": memory,
            "d_states": grad_outputs[0].contiguous(),
        }
        tensors["d_gates"] = states.new_empty(time, rows, 4 * hidden)
        tensors["d_start"] = states.new_empty(rows, hidden)
        if feedback:
            tensors |= dict(zip(("of_output", "to_gates", "fed"), feedback, strict=True))
            tensors["d_fed"] = torch.empty_like(tensors["fed"])
        _call("run_backward", tensors, rows, time)
        m, of_input = tensors["d_gates"].split([hidden, 3 * hidden], -1)
        # As the weights are ordered: r, u, m.
        waiting = torch.cat([of_input[..., : 2 * hidden], m], -1).flatten(0, 1)
        before = states[:-1].flatten(0, 1)
        d_feedback = []
        if feedback:
            d_fed = tensors["d_fed"].flatten(0, 1)
            d_feedback = [
                d_fed.T @ before,
                d_fed.sum(0),
                of_input.flatten(0, 1).T @ tensors["fed"].flatten(0, 1),
            ]
        return (
            None,
            of_input.transpose(0, 1),
            tensors["d_start"],
            waiting.T @ before,
            waiting.sum(0),
            *d_feedback,
        )


def _call(name: str, tensors: dict[str, Tensor], rows: int, time: int) -> None:
    gates = tensors.get("gates")
    run = Run(
        rows=rows,
        time=time,
        hidden=tensors["states"].shape[-1],
        layer=len(tensors["of_output"]) if "of_output" in tensors else 0,
        threads=torch.get_num_threads(),
        gates_row=0 if gates is None else gates.stride(0),
        gates_step=0 if gates is None else gates.stride(1),
        **{place: t.data_ptr() for place, t in tensors.items()},
    )
    compiled(name, tensors.values())(ctypes.byref(run))
