"""The recurrence of a VRNN whose latents are categories, with its heads, in C++.

It runs on the CPU, with a hand-derived backward pass. The draw of a category has no gradient. Its
plain reference is the loop over time of `vrnn.inference.unroll` over the model itself.
"""

import ctypes
from enum import IntEnum
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from vrnn.distributions.scale import SCALE_FLOOR
from vrnn.ops.build import compiled

FIXED = ("gates", "to_prior", "to_emission", "x", "seen", "factor")
NUMBERS = (
    "samples", "batch", "time", "hidden", "classes", "dim", "size", "parts", "threads",
    *(f"{name}_{axis}" for name in FIXED for axis in ("row", "step")),
)  # fmt: skip
WEIGHTS = (
    "table", "weight_hh", "bias_hh", "prior_state", "prior_out", "prior_bias",
    "emission_state", "emission_out", "emission_bias",
)  # fmt: skip
READ = (*FIXED, "uniform", *WEIGHTS)
RESULTS = ("states", "prior", "joint", "exact", "raw")
LAYERS = ("prior_layer", "emission_layer", "memory")
ARRIVING = tuple(f"d_{name}" for name in RESULTS)
GRADIENTS = ("d_gates", "d_logits", "d_table", "d_out", "d_bias", "d_x", "d_start")


class Struct(ctypes.Structure):
    """The struct `CategoryScan` of category_scan.cpp."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in NUMBERS),
        ("floor", ctypes.c_double),
        ("density", ctypes.c_void_p),
        *((name, ctypes.c_void_p) for name in (*READ, *RESULTS, "chosen", *LAYERS)),
        *((name, ctypes.c_void_p) for name in (*ARRIVING, *GRADIENTS)),
    )


class Kind(IntEnum):
    """The families of emissions whose densities are compiled, numbered as in density.hpp."""

    GAUSSIAN = 0
    FULL_GAUSSIAN = 1
    MIXTURE = 2
    BERNOULLI = 3


class Part(NamedTuple):
    """A family over consecutive dimensions of an emission.

    Attributes:
        kind: the family.
        dim: its number of dimensions.
        components: of a mixture, else 0.
    """

    kind: Kind
    dim: int
    components: int = 0


class CategoryScan(NamedTuple):
    """The result of a scan; every field is (time, sample, batch, .).

    Attributes:
        states: h_0 to h_T, one more than the time steps.
        prior: logits of the learned prior; None where the prior is uniform.
        joint: log p(k) p(x_t | k) of every category k.
        exact: log sum_k p(k) p(x_t | k), (time, sample, batch).
        raw: parameters of the emission, of the category that was drawn.
        chosen: the categories, (time, sample, batch).
    """

    states: Float[Tensor, "states sample batch hidden"]
    prior: Float[Tensor, "time sample batch classes"] | None
    joint: Float[Tensor, "time sample batch classes"]
    exact: Float[Tensor, "time sample batch"]
    raw: Float[Tensor, "time sample batch size"]
    chosen: Int[Tensor, "time sample batch"]


def category_scan(
    start: Float[Tensor, "sample batch hidden"],
    uniform: Float[Tensor, "sample batch time"],
    fixed: dict[str, Tensor | None],
    weights: dict[str, Tensor],
    emission: tuple[Part, ...],
) -> CategoryScan:
    """Return states, categories and heads of a VRNN with a GRU and one hidden layer.

    p(k) = softmax(W_o relu(p_t + W_p h_{t-1}) + b_o)_k
    p(x_t | k): the emission with parameters W_k relu(o_t + W_e h_{t-1}) + b_k
    k_t = the first k whose p(1 | x_t) + ... + p(k | x_t) exceeds u_t
    h_t = GRU(g_t + f_{k_t}, h_{t-1}), as in `gru_scan`

    Args:
        start: h_0.
        uniform: u, between 0 and 1.
        fixed: what is known before the scan: g_t (`gates`), p_t (`to_prior`), o_t (`to_emission`),
            x_t (`x`) and, of width 1, whether x_t is observed (`seen`), each (batch, time, .). A
            step that is not observed has no density: p(x_t | k) is 1. What the parameters of every
            category are multiplied by (`factor`) has no gradient, and None stands for 1. p_t is
            None for a uniform prior. p_t and o_t are (1, 1, .) where they are the same at every step.
        weights: what the scan multiplies by, and its biases, by the names in `WEIGHTS`. The table
            holds f_k, (classes, 3 hidden); W_k and b_k are concatenated over k.
        emission: the families of consecutive dimensions of x.
    """
    given = (
        *(fixed.get(name) for name in FIXED),
        uniform,
        *(weights.get(name) for name in WEIGHTS),
    )
    found = _CategoryScan.apply(torch.is_grad_enabled(), density_of(emission), start, *given)
    return CategoryScan(*found)


def density_of(emission: tuple[Part, ...]) -> Any:
    """Return the parts of an emission as the compiled code reads them."""
    numbers = [int(number) for part in emission for number in part]
    return (ctypes.c_int64 * len(numbers))(*numbers)


class _CategoryScan(torch.autograd.Function):
    """The scan in C++. Gradients of weights are one product over all steps, or made on the way."""

    @staticmethod
    def forward(
        ctx: Any, differentiable: bool, density: Any, start: Tensor, *given: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        ctx.set_materialize_grads(False)
        tensors = {name: t for name, t in zip(READ, given, strict=True) if t is not None}
        for name in (*FIXED, *WEIGHTS):
            if name in tensors:
                dense = name in FIXED and tensors[name].stride(-1) == 1
                tensors[name] = tensors[name] if dense else tensors[name].contiguous()
        ctx.shapes = {name: tensors[name].shape for name in FIXED if name in tensors}
        samples, batch, time = tensors["uniform"].shape
        hidden, classes = start.shape[-1], len(tensors["table"])
        assert start.shape == (samples, batch, hidden)
        assert tensors["gates"].shape == (batch, time, 3 * hidden)
        assert tensors["x"].shape[:2] == (batch, time) and tensors["seen"].shape == (batch, time, 1)
        assert tensors["table"].shape == (classes, 3 * hidden)
        tensors["uniform"] = tensors["uniform"].permute(2, 0, 1).contiguous()
        learned, lead = "to_prior" in tensors, (time, samples, batch)
        widths = {"joint": classes, "raw": len(tensors["emission_bias"]) // classes}
        widths |= {"prior": classes} if learned else {}
        if differentiable:
            widths |= {"emission_layer": hidden, "memory": 4 * hidden}
            widths |= {"prior_layer": hidden} if learned else {}
        tensors["states"] = start.new_empty(time + 1, samples, batch, hidden)
        tensors["states"][0] = start
        tensors["exact"] = start.new_empty(lead)
        for name, width in widths.items():
            tensors[name] = start.new_empty(*lead, width)
        chosen = torch.empty(lead, dtype=torch.int64, device=start.device)
        _call("category_forward", tensors, chosen, density)
        if differentiable:
            ctx.density = density
            ctx.names = [n for n in tensors if n not in ("gates", "uniform", "joint", "exact")]
            ctx.save_for_backward(chosen, *(tensors[name] for name in ctx.names))
        ctx.mark_non_differentiable(chosen)
        return (*(tensors.get(name) for name in RESULTS), chosen)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyrefly: ignore[bad-override]
        chosen, *saved = ctx.saved_tensors
        tensors: dict[str, Tensor] = dict(zip(ctx.names, saved, strict=True))
        arrived = zip(ARRIVING, grad_outputs[: len(ARRIVING)], strict=True)
        tensors |= {name: t.contiguous() for name, t in arrived if t is not None}
        learned, heads = "prior" in tensors, bool(set(ARRIVING[1:]) & set(tensors))
        hidden, classes = tensors["states"].shape[-1], len(tensors["table"])
        outputs, lead = len(tensors["emission_bias"]), chosen.shape
        parts = ["m", *(["prior"] if learned else []), "emission", "r", "u", "n"]
        at = {part: slice(i * hidden, (i + 1) * hidden) for i, part in enumerate(parts)}
        of_x = heads and ctx.needs_input_grad[3 + READ.index("x")]
        widths = {"d_gates": len(parts) * hidden}
        widths |= {"d_logits": classes} if learned else {}
        widths |= {"d_x": tensors["x"].shape[-1]} if of_x else {}
        empty, threads = tensors["states"].new_empty, torch.get_num_threads()
        for name, width in widths.items():
            tensors[name] = empty(*lead, width)
        tensors["d_start"] = empty(*lead[1:], hidden)
        shapes = {"table": (classes, 3 * hidden), "out": (outputs, hidden), "bias": (outputs,)}
        for name, shape in shapes.items():  # not every thread may have a share
            tensors[f"d_{name}"] = tensors["states"].new_zeros(threads, *shape)
        _call("category_backward", tensors, chosen, ctx.density)

        gates, states = tensors["d_gates"].flatten(0, 2), tensors["states"][:-1].flatten(0, 2)
        of_state, biases = gates[:, : at["n"].start].T @ states, gates.sum(0)
        found = {
            "table": tensors["d_table"].sum(0),
            "weight_hh": torch.cat([of_state[at[part]] for part in ("r", "u", "m")]),
            "bias_hh": torch.cat([biases[at[part]] for part in ("r", "u", "m")]),
        }
        if heads:
            found["emission_state"] = of_state[at["emission"]]
            found["emission_out"] = tensors["d_out"].sum(0)
            found["emission_bias"] = tensors["d_bias"].sum(0)
        if heads and learned:
            d_logits = tensors["d_logits"].flatten(0, 2)
            found["prior_state"] = of_state[at["prior"]]
            found["prior_out"] = d_logits.T @ tensors["prior_layer"].flatten(0, 2)
            found["prior_bias"] = d_logits.sum(0)
        steps = tensors["d_gates"].sum(1) if lead[1] > 1 else tensors["d_gates"][:, 0]
        before = {
            "gates": slice(-3 * hidden, None),
            "to_prior": at.get("prior"),
            "to_emission": at["emission"],
        }
        for name, shape in ctx.shapes.items():
            if name == "x" and of_x:
                found["x"] = tensors["d_x"].sum(1).transpose(0, 1)
            if name not in before:
                continue
            everywhere = shape[:2] == (1, 1) != (lead[2], lead[0])
            found[name] = (
                biases[before[name]].view(shape)
                if everywhere
                else steps[..., before[name]].transpose(0, 1)
            )
        return None, None, tensors["d_start"], *(found.get(name) for name in READ)


def _call(direction: str, tensors: dict[str, Tensor], chosen: Tensor, density: Any) -> None:
    """Call the compiled loop on these tensors."""
    time, samples, batch = chosen.shape
    strides = {
        f"{name}_{axis}": tensors[name].stride(i) if tensors[name].shape[i] > 1 else 0
        for name in FIXED
        if name in tensors
        for i, axis in enumerate(("row", "step"))
    }
    loop = Struct(
        samples=samples,
        batch=batch,
        time=time,
        hidden=tensors["states"].shape[-1],
        classes=len(tensors["table"]),
        dim=tensors["x"].shape[-1],
        size=len(tensors["emission_bias"]) // len(tensors["table"]),
        parts=len(density) // len(Part._fields),
        threads=torch.get_num_threads(),
        floor=SCALE_FLOOR,
        density=ctypes.addressof(density),
        chosen=chosen.data_ptr(),
        **strides,
        **{name: t.data_ptr() for name, t in tensors.items()},
    )
    compiled(direction, tensors.values())(ctypes.byref(loop))
