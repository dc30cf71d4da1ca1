"""A latent that waits for the one before it through one hidden layer, in C++, forward and hand-derived backward, on the CPU."""

import ctypes
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from vrnn.distributions import DiagonalGaussian
from vrnn.distributions.scale import SCALE_FLOOR
from vrnn.kernels.native import compiled, runs_on
from vrnn.models.loops import Chain, Chained, follow_chain

NUMBERS = (
    "rows", "time", "hidden", "latent", "threads", "tanh", "drawn",
    "inside_row", "inside_step", "outside_row", "outside_step", "normals_row", "normals_step",
)  # fmt: skip
READ = ("inside", "outside", "normals", "of_latent", "out")
PLACES = (
    *READ, "z", "mean", "scale", "layer", "d_z", "d_mean", "d_scale", "d_inside", "d_out", "d_start"
)  # fmt: skip


class ChainRun(ctypes.Structure):
    """Mirror `ChainRun` of chain.cpp."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in NUMBERS),
        ("floor", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in PLACES),
    )


def run_chain(
    chain: Chain, start: Float[Tensor, "*lead latent"], normals: Float[Tensor, "*lead time drawn"]
) -> Chained:
    """Draw the latents of a chain, as `vrnn.models.loops.follow_chain` does, by the compiled loop where it fits."""
    _, *read = chain
    if not runs_on(start, normals, *read):
        return follow_chain(chain, start, normals)
    lead, time = normals.shape[:-2], normals.shape[-2]
    in_rows = lambda part: part.expand(*lead, time, -1).flatten(0, -3)  # noqa: E731
    z, mean, scale = _Chain.apply(
        torch.is_grad_enabled(),
        chain.squash == "tanh",
        in_rows(chain.inside),
        in_rows(chain.outside),
        chain.of_latent,
        chain.out,
        start.expand(*lead, -1).flatten(0, -2),
        normals.flatten(0, -3),
    )
    as_given = lambda part: part.transpose(0, 1).unflatten(0, lead)  # noqa: E731
    return Chained(as_given(z), DiagonalGaussian(as_given(mean), as_given(scale)))


class _Chain(torch.autograd.Function):
    """Run a_t = g(W z_{t-1} + inside_t), (mean, raw) = V a_t + outside_t, z_t = mean + scale n_t, scale = floor + softplus(raw).

    Gives z_0 to z_T and mean and scale of all but the first, (time, rows, latent). Where there are no normals z_t = V a_t + outside_t.
    """

    @staticmethod
    def forward(
        ctx: Any,
        differentiable: bool,
        tanh: bool,
        inside: Float[Tensor, "rows time hidden"],
        outside: Float[Tensor, "rows time outputs"],
        of_latent: Float[Tensor, "hidden latent"],
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
        assert of_latent.shape == (hidden, latent) and out.shape == (outputs, hidden)
        dense = lambda part: part if part.stride(-1) == 1 else part.contiguous()  # noqa: E731
        z = start.new_empty(time + 1, rows, latent)
        z[0] = start
        tensors = {
            "inside": dense(inside),
            "outside": dense(outside),
            "normals": dense(normals),
            "of_latent": of_latent.contiguous(),
            "out": out.contiguous(),
            "z": z,
            "mean": start.new_empty(time, rows, drawn),
            "scale": start.new_empty(time, rows, drawn),
        }
        ctx.tanh = tanh
        if differentiable and any(ctx.needs_input_grad):
            tensors["layer"] = start.new_empty(time, rows, hidden)
            kept = ("normals", "of_latent", "out", "z", "scale", "layer")
            ctx.save_for_backward(*(tensors[name] for name in kept))
        _call("chain_forward", tensors, tanh)
        return z, tensors["mean"], tensors["scale"]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyrefly: ignore[bad-override]
        normals, of_latent, out, z, scale, layer = ctx.saved_tensors
        tensors = {
            "normals": normals,
            "of_latent": of_latent,
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
        _call("chain_backward", tensors, ctx.tanh)
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


def _call(name: str, tensors: dict[str, Tensor], tanh: bool) -> None:
    steps, rows, latent = tensors["z"].shape
    run = ChainRun(
        rows=rows,
        time=steps - 1,
        hidden=len(tensors["of_latent"]),
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
    compiled(name, tensors.values())(ctypes.byref(run))
