"""A latent that depends on the one before it through one hidden layer, over all time steps.

The recurrence runs in PyTorch, and in C++ on the CPU with a hand-derived backward pass.
"""

import ctypes
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from vrnn.distributions.scale import SCALE_FLOOR, positive
from vrnn.ops.build import compiled, runs_on

NUMBERS = (
    "rows", "time", "hidden", "latent", "threads", "tanh", "drawn",
    "inside_row", "inside_step", "outside_row", "outside_step", "normals_row", "normals_step",
)  # fmt: skip
READ = ("inside", "outside", "normals", "weight_z", "out")
PLACES = (
    *READ, "z", "mean", "scale", "layer", "d_z", "d_mean", "d_scale", "d_inside", "d_out", "d_start"
)  # fmt: skip


class LatentChain(NamedTuple):
    """The layers between a latent and the next one.

    a_t = g(W z_{t-1} + inside_t),   (mean, raw) = V a_t + outside_t
    z_t = mean + (floor + softplus(raw)) n_t,   n_t the normals

    Where V has only as many rows as z has dimensions there is no scale, and z_t is the mean.

    Attributes:
        activation: g.
        weight_z, out: W and V.
        inside, outside: what is added; time steps and leading axes are broadcast.
    """

    activation: Literal["relu", "tanh"]
    weight_z: Float[Tensor, "hidden latent"]
    inside: Float[Tensor, "*#lead #time hidden"]
    out: Float[Tensor, "outputs hidden"]
    outside: Float[Tensor, "*#lead #time outputs"]


class LatentPath(NamedTuple):
    """The result of a scan.

    Attributes:
        z: latents from z_0, which is given, to z_T, (..., time + 1, latent).
        mean, scale: what z_1 to z_T were drawn with, (..., time, latent); of width 0 where
            nothing is drawn.
    """

    z: Float[Tensor, "*lead states latent"]
    mean: Float[Tensor, "*lead time drawn"]
    scale: Float[Tensor, "*lead time drawn"]


def latent_scan(
    chain: LatentChain,
    start: Float[Tensor, "*lead latent"],
    normals: Float[Tensor, "*lead time drawn"],
) -> LatentPath:
    """Return the latents z_1 to z_T of a chain, each drawn given the one before.

    Args:
        chain: the layers.
        start: z_0.
        normals: standard normals; of width 0 where the chain has no scale.

    >>> one = torch.ones(1, 1)
    >>> chain = LatentChain("relu", one, torch.zeros(1, 1, 1), one, torch.ones(1, 1, 1))
    >>> latent_scan(chain, torch.zeros(2, 1), torch.zeros(2, 3, 0)).z[0, :, 0]
    tensor([0., 1., 2., 3.])
    """
    _, *read = chain
    if not runs_on(start, normals, *read):
        return _reference(chain, start, normals)
    lead, time = normals.shape[:-2], normals.shape[-2]

    def in_rows(part: Tensor) -> Tensor:
        return part.expand(*lead, time, -1).flatten(0, -3)

    found = _LatentScan.apply(
        torch.is_grad_enabled(),
        chain.activation == "tanh",
        in_rows(chain.inside),
        in_rows(chain.outside),
        chain.weight_z,
        chain.out,
        start.expand(*lead, -1).flatten(0, -2),
        normals.flatten(0, -3),
    )
    return LatentPath(*(part.transpose(0, 1).unflatten(0, lead) for part in found))


def _reference(
    chain: LatentChain,
    start: Float[Tensor, "*lead latent"],
    normals: Float[Tensor, "*lead time drawn"],
) -> LatentPath:
    """Return the latents step by step."""
    activation = {"relu": torch.relu, "tanh": torch.tanh}[chain.activation]
    time, width = normals.shape[-2], start.shape[-1]
    inside, outside = (
        part.expand(*part.shape[:-2], time, -1).unbind(-2) for part in (chain.inside, chain.outside)
    )
    z, means, scales = [start], [], []
    for inside_t, outside_t, n in zip(inside, outside, normals.unbind(-2), strict=True):
        a = activation(nn.functional.linear(z[-1], chain.weight_z) + inside_t)
        out = nn.functional.linear(a, chain.out) + outside_t
        mean, raw = out[..., :width], out[..., width:]
        drawn = n.shape[-1]
        scale = positive(raw)
        means.append(mean[..., :drawn])
        scales.append(scale[..., :drawn])
        z.append(mean + scale * n if drawn else mean)
    return LatentPath(*(torch.stack(part, -2) for part in (z, means, scales)))


class _Struct(ctypes.Structure):
    """The struct `LatentScan` of latent_scan.cpp."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in NUMBERS),
        ("floor", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in PLACES),
    )


class _LatentScan(torch.autograd.Function):
    """The scan in C++; it returns z_0 to z_T, means and scales, (time, rows, latent)."""

    @staticmethod
    def forward(
        ctx: Any,
        differentiable: bool,
        tanh: bool,
        inside: Float[Tensor, "rows time hidden"],
        outside: Float[Tensor, "rows time outputs"],
        weight_z: Float[Tensor, "hidden latent"],
        out: Float[Tensor, "outputs hidden"],
        start: Float[Tensor, "rows latent"],
        normals: Float[Tensor, "rows time drawn"],
    ) -> tuple[Tensor, Tensor, Tensor]:
        rows, time, hidden = inside.shape
        latent, drawn = start.shape[-1], normals.shape[-1]
        outputs = latent + drawn
        assert (
            start.shape == (rows, latent)
            and normals.shape == (rows, time, drawn)
            and drawn in (0, latent)
        )
        assert outside.shape == (rows, time, outputs)
        assert weight_z.shape == (hidden, latent) and out.shape == (outputs, hidden)
        z = start.new_empty(time + 1, rows, latent)
        z[0] = start
        tensors = {
            "inside": _dense(inside),
            "outside": _dense(outside),
            "normals": _dense(normals),
            "weight_z": weight_z.contiguous(),
            "out": out.contiguous(),
            "z": z,
            "mean": start.new_empty(time, rows, drawn),
            "scale": start.new_empty(time, rows, drawn),
        }
        ctx.tanh = tanh
        if differentiable and any(ctx.needs_input_grad):
            tensors["layer"] = start.new_empty(time, rows, hidden)
            kept = ("normals", "weight_z", "out", "z", "scale", "layer")
            ctx.save_for_backward(*(tensors[name] for name in kept))
        _call("latent_forward", tensors, tanh)
        return z, tensors["mean"], tensors["scale"]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyrefly: ignore[bad-override]
        normals, weight_z, out, z, scale, layer = ctx.saved_tensors
        tensors = {
            "normals": normals,
            "weight_z": weight_z,
            "out": out,
            "z": z,
            "scale": scale,
            "layer": layer,
            **{
                name: d.contiguous()
                for name, d in zip(("d_z", "d_mean", "d_scale"), grad_outputs, strict=True)
            },
            "d_inside": torch.empty_like(layer),
            "d_out": layer.new_empty(*layer.shape[:2], len(out)),
            "d_start": torch.empty_like(z[0]),
        }
        _call("latent_backward", tensors, ctx.tanh)
        d_inside, d_out, d_normals = tensors["d_inside"], tensors["d_out"], None
        if ctx.needs_input_grad[-1]:
            dz = d_out[..., : normals.shape[-1]] - tensors["d_mean"]
            d_normals = (dz * scale).transpose(0, 1)
        return (
            None,
            None,
            d_inside.transpose(0, 1),
            d_out.transpose(0, 1),
            d_inside.flatten(0, 1).T @ z[:-1].flatten(0, 1),
            d_out.flatten(0, 1).T @ layer.flatten(0, 1),
            tensors["d_start"],
            d_normals,
        )


def _dense(part: Tensor) -> Tensor:
    return part if part.stride(-1) == 1 else part.contiguous()


def _call(name: str, tensors: dict[str, Tensor], tanh: bool) -> None:
    """Call a compiled pass on these tensors."""
    steps, rows, latent = tensors["z"].shape
    scan = _Struct(
        rows=rows,
        time=steps - 1,
        hidden=len(tensors["weight_z"]),
        latent=latent,
        threads=torch.get_num_threads(),
        tanh=tanh,
        drawn=tensors["normals"].shape[-1] > 0,
        floor=SCALE_FLOOR,
        **{
            f"{part}_{along}": tensors[part].stride(axis)
            for part in ("inside", "outside", "normals")
            if part in tensors
            for axis, along in enumerate(("row", "step"))
        },
        **{place: t.data_ptr() for place, t in tensors.items()},
    )
    compiled(name, tensors.values())(ctypes.byref(scan))
