"""A GRU over inputs that are there from beginning to end: in PyTorch, and in C++ on the CPU.

The C++ form has a hand-derived backward pass. It can feed a layer of the output back into the next
input.
"""

import ctypes
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from vrnn.ops.build import compiled, runs_on

NUMBERS = ("rows", "time", "hidden", "layer", "threads", "gates_row", "gates_step")
FEEDBACK = ("of_output", "output_bias", "to_gates")
PLACES = (
    "gates", "weight_hh", "bias_hh", *FEEDBACK, "states", "memory", "fed", "d_states", "d_gates", "d_fed", "d_start"
)  # fmt: skip


class Feedback(NamedTuple):
    """What the output h of a cell adds to its next input, W relu(U h + b).

    It is added at every step but the first.

    Attributes:
        of_output, output_bias: U and b.
        to_gates: W.
    """

    of_output: Float[Tensor, "layer hidden"]
    output_bias: Float[Tensor, " layer"]
    to_gates: Float[Tensor, "gates layer"]


def gru_scan(
    x: Float[Tensor, "*lead time inputs"],
    start: Float[Tensor, "*#lead hidden"],
    weight_hh: Float[Tensor, "gates hidden"],
    bias_hh: Float[Tensor, " gates"],
    *,
    weight_ih: Float[Tensor, "gates inputs"] | None = None,
    bias_ih: Float[Tensor, " gates"] | None = None,
    feedback: Feedback | None = None,
) -> Float[Tensor, "*lead time hidden"]:
    """Return the states h_1 to h_T of a GRU.

    (c_r, c_u, m) = W h_{t-1} + b,   r = sigmoid(g_r + c_r),   u = sigmoid(g_u + c_u)
    n = tanh(g_n + r m),   h_t = n + u (h_{t-1} - n)

    Args:
        x: inputs; the gates g themselves where `weight_ih` is None.
        start: h_0.
        weight_hh, bias_hh: W and b.
        weight_ih, bias_ih: the projection of the inputs to the gates.
        feedback: a layer from h_{t-1} back into g_t.

    >>> h = gru_scan(torch.zeros(3, 5, 6), torch.ones(3, 2), torch.zeros(6, 2), torch.zeros(6))
    >>> h[0, :, 0]
    tensor([0.5000, 0.2500, 0.1250, 0.0625, 0.0312])
    """
    lead = x.shape[:-2]
    given = [t for t in (weight_ih, bias_ih, *(feedback or ())) if t is not None]
    if not x.shape[-2]:
        return x.new_zeros(*lead, 0, start.shape[-1])
    flat = x.flatten(0, -3)
    first = start.expand(*lead, -1).flatten(0, -2)
    if not runs_on(x, start, weight_hh, bias_hh, *given):
        if feedback is None:
            found = _reference(flat, first, weight_hh, bias_hh, weight_ih, bias_ih)
        else:
            found = _fed_back(flat, first, weight_hh, bias_hh, feedback)
        return found.unflatten(0, lead)
    gates = flat if weight_ih is None else nn.functional.linear(flat, weight_ih, bias_ih)
    states = _GruScan.apply(
        torch.is_grad_enabled(), gates, first, weight_hh, bias_hh, *(feedback or ())
    )
    return states[1:].transpose(0, 1).unflatten(0, lead)


def gru_step(
    gates: Float[Tensor, "*a gates"],
    h: Float[Tensor, "*b hidden"],
    weight_hh: Float[Tensor, "gates hidden"],
    bias_hh: Float[Tensor, " gates"],
) -> Float[Tensor, "*b hidden"]:
    """Return the next state of a GRU; see `gru_scan` for the equations."""
    size = h.shape[-1]
    recurrent = nn.functional.linear(h, weight_hh, bias_hh)
    r, u = torch.sigmoid(gates[..., : 2 * size] + recurrent[..., : 2 * size]).chunk(2, -1)
    n = torch.tanh(torch.addcmul(gates[..., 2 * size :], r, recurrent[..., 2 * size :]))
    return torch.lerp(n.to(h), h, u.to(h))  # one type under autocast


def _reference(
    x: Float[Tensor, "rows time inputs"],
    start: Float[Tensor, "rows hidden"],
    weight_hh: Float[Tensor, "gates hidden"],
    bias_hh: Float[Tensor, " gates"],
    weight_ih: Float[Tensor, "gates inputs"] | None,
    bias_ih: Float[Tensor, " gates"] | None,
) -> Float[Tensor, "rows time hidden"]:
    """Return the states by PyTorch's fused GRU."""
    weight_ih = identity_like(x) if weight_ih is None else weight_ih
    bias_ih = torch.zeros_like(bias_hh) if bias_ih is None else bias_ih
    weights = side_by_side(weight_ih, weight_hh, bias_ih, bias_hh)
    # biases, layers, dropout, training, bidirectional, batch first
    return torch.gru(x, start[None].contiguous(), weights, True, 1, 0.0, True, False, True)[0]


def _fed_back(
    gates: Float[Tensor, "rows time gates"],
    h: Float[Tensor, "rows hidden"],
    weight_hh: Float[Tensor, "gates hidden"],
    bias_hh: Float[Tensor, " gates"],
    feedback: Feedback,
) -> Float[Tensor, "rows time hidden"]:
    """Return the states step by step, as no fused GRU feeds its output back."""
    states: list[Tensor] = []
    for gates_t in gates.unbind(1):
        if states:
            layer = torch.relu(
                nn.functional.linear(states[-1], feedback.of_output, feedback.output_bias)
            )
            gates_t = gates_t + nn.functional.linear(layer, feedback.to_gates)
        h = gru_step(gates_t, h, weight_hh, bias_hh)
        states.append(h)
    return torch.stack(states, 1)


def identity_like(gates: Float[Tensor, "batch time gates"]) -> Float[Tensor, "gates gates"]:
    """Return the input weights of a fused cell whose input has been projected already."""
    return torch.eye(gates.shape[-1], dtype=gates.dtype, device=gates.device)


def side_by_side(*weights: Tensor) -> list[Tensor]:
    """Return the weights of a layer as views of one buffer, as cuDNN wants them."""
    flat = torch.cat([w.flatten() for w in weights])
    parts = flat.split([w.numel() for w in weights])
    return [part.view_as(w) for part, w in zip(parts, weights, strict=True)]


class _Struct(ctypes.Structure):
    """The struct `GruScan` of gru_scan.cpp."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in NUMBERS),
        *((name, ctypes.c_void_p) for name in PLACES),
    )


class _GruScan(torch.autograd.Function):
    """The scan in C++; it returns h_0 to h_T, (time, rows, hidden)."""

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
            "weight_hh": weight.contiguous(),
            "bias_hh": bias.contiguous(),
            "states": states,
        }
        layer = len(feedback[0]) if feedback else 0
        if feedback:
            assert feedback[0].shape == (layer, hidden) and feedback[1].shape == (layer,)
            assert feedback[2].shape == (3 * hidden, layer)
            tensors |= dict(zip(FEEDBACK, (part.contiguous() for part in feedback), strict=True))
        if differentiable and any(ctx.needs_input_grad):
            tensors["memory"] = start.new_empty(time, rows, 4 * hidden)
            kept = ["weight_hh", "states", "memory"]
            if feedback:
                tensors["fed"] = start.new_empty(time, rows, layer)
                kept += ["of_output", "to_gates", "fed"]
            ctx.save_for_backward(*(tensors[name] for name in kept))
        _call("gru_forward", tensors, rows, time)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyrefly: ignore[bad-override]
        weight, states, memory, *feedback = ctx.saved_tensors
        time, rows, _ = memory.shape
        hidden = states.shape[-1]
        tensors = {
            "weight_hh": weight,
            "states": states,
            "memory": memory,
            "d_states": grad_outputs[0].contiguous(),
        }
        tensors["d_gates"] = states.new_empty(time, rows, 4 * hidden)
        tensors["d_start"] = states.new_empty(rows, hidden)
        if feedback:
            tensors |= dict(zip(("of_output", "to_gates", "fed"), feedback, strict=True))
            tensors["d_fed"] = torch.empty_like(tensors["fed"])
        _call("gru_backward", tensors, rows, time)
        m, d_input = tensors["d_gates"].split([hidden, 3 * hidden], -1)
        # in the order of the weights: r, u, m
        recurrent = torch.cat([d_input[..., : 2 * hidden], m], -1).flatten(0, 1)
        before = states[:-1].flatten(0, 1)
        d_feedback = []
        if feedback:
            d_fed = tensors["d_fed"].flatten(0, 1)
            d_feedback = [
                d_fed.T @ before,
                d_fed.sum(0),
                d_input.flatten(0, 1).T @ tensors["fed"].flatten(0, 1),
            ]
        return (
            None,
            d_input.transpose(0, 1),
            tensors["d_start"],
            recurrent.T @ before,
            recurrent.sum(0),
            *d_feedback,
        )


def _call(name: str, tensors: dict[str, Tensor], rows: int, time: int) -> None:
    """Call a compiled pass on these tensors."""
    gates = tensors.get("gates")
    scan = _Struct(
        rows=rows,
        time=time,
        hidden=tensors["states"].shape[-1],
        layer=len(tensors["of_output"]) if "of_output" in tensors else 0,
        threads=torch.get_num_threads(),
        gates_row=0 if gates is None else gates.stride(0),
        gates_step=0 if gates is None else gates.stride(1),
        **{place: t.data_ptr() for place, t in tensors.items()},
    )
    compiled(name, tensors.values())(ctypes.byref(scan))
