"""The VRNN's loop over time in C++, forward and hand-derived backward, on the CPU."""

import ctypes
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian
from vrnn.distributions.scale import SCALE_FLOOR
from vrnn.inference.noise import Noise
from vrnn.inference.step import Belief, Embedded, Proposal
from vrnn.inference.unroll import Stretch
from vrnn.kernels.native import call, library
from vrnn.models.contract import Model
from vrnn.models.networks import GRUCell
from vrnn.models.vrnn import VRNN, VRNNState

NUMBERS = (
    "samples", "batch", "time", "hidden", "latent", "threads",
    "gates_row", "gates_step", "evidence_row", "evidence_step",
)  # fmt: skip
WEIGHTS = (
    "of_state", "out", "out_bias", "of_latent", "latent_bias", "of_features", "of_carry", "carry_bias",
)  # fmt: skip
READ = ("gates", "evidence", "normals", "start", *WEIGHTS)
RESULTS = ("carry", "last", "mean", "scale", "z", "features")
WRITTEN = ("carry", "last", "first_layer", "mean", "scale", "z", "features", "memory")
KEPT = (
    "normals", "start", "of_state", "out", "of_latent", "of_features", "of_carry",
    "carry", "first_layer", "scale", "z", "features", "memory",
)  # fmt: skip
ARRIVING = ("d_carry", "d_last", "d_mean", "d_scale", "d_z", "d_features")
GRADIENTS = ("d_gates", "d_features_raw", "d_out", "d_start")


class _Loop(ctypes.Structure):
    """Mirror `Loop` of recurrence.cpp."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in NUMBERS),
        ("floor", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in (*READ, *WRITTEN, *ARRIVING, *GRADIENTS)),
    )


def native_shape(model: Model) -> bool:
    """Tell whether the compiled loops know the model: a VRNN with a GRU and one hidden layer, posterior apart from prior, on a CPU."""
    return (
        type(model) is VRNN
        and not model.tied
        and isinstance(model.cell, GRUCell)
        and len(affine_layers(model.z_features)) == len(affine_layers(model.posterior_head.rest)) == 1
        and model.h0.device.type == "cpu"
        and model.h0.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
    )


def fits(model: Model, batch: Batch, proposal: Proposal) -> bool:
    """Tell whether this kernel can run complete rows of the batch."""
    return (
        native_shape(model)
        and proposal == "posterior"
        and (batch.x.device, batch.x.dtype) == (model.h0.device, model.h0.dtype)
        and library() is not None
    )


def run_rows(
    model: Model, batch: Batch, noise: Noise, embedded: Embedded, start: Belief, proposal: Proposal
) -> Stretch:
    """Run complete rows as `vrnn.inference.unroll.run_rows` does, where `fits` holds."""
    assert isinstance(model, VRNN) and proposal == "posterior"
    (out,), (of_latent,) = affine_layers(model.posterior_head.rest), affine_layers(model.z_features)
    carry, last, mean, scale, z, features = _Recurrence.apply(
        torch.is_grad_enabled(),
        embedded.seen,
        embedded.evidence,
        noise.latent,
        start.state.h.expand(*noise.latent.shape[:2], -1),
        model.posterior_head.of_state.weight,
        out.weight,
        out.bias,
        of_latent.weight,
        of_latent.bias,
        model.of_latent.weight,
        model.cell.of_carry.weight,
        model.cell.of_carry.bias,
    )
    time = carry.shape[2]
    after = torch.cat([carry[:, :, 1:], last[:, :, None]], 2)
    return Stretch(
        entering=VRNNState(carry, features),
        posterior=DiagonalGaussian(mean, scale),
        latent=z,
        emitting=VRNNState(carry, features),
        x=batch.x,
        left=Belief(
            VRNNState(after, features),
            start.gap[:, :, None].expand(-1, -1, time, -1),
            start.log_weight[..., None].expand(-1, -1, time),
        ),
    )


def affine_layers(network: nn.Module) -> list[nn.Linear]:
    """List the affine layers of a network from input to output."""
    return [part for part in network.modules() if isinstance(part, nn.Linear)]


class _Recurrence(torch.autograd.Function):
    """Run the recurrence of a VRNN with a GRU.

    a_t = relu(e_t + W_q h_{t-1}),  (mu_t, raw_t) = W_o a_t + b_o,  s_t = floor + softplus(raw_t),  z_t = mu_t + s_t eps_t
    f_t = relu(W_z z_t + b_z),  (i_r, i_u, i_n) = g_t + W_f f_t,  (c_r, c_u, m) = W_h h_{t-1} + b_h
    r = sigmoid(i_r + c_r),  u = sigmoid(i_u + c_u),  n = tanh(i_n + r m),  h_t = n + u (h_{t-1} - n)

    The inputs g_t (gates) and e_t (evidence) are (batch, time, .), the draws eps (sample, batch, time, latent) and the
    start (sample, batch, hidden). Results, (sample, batch, time, .): h_{t-1}, then the last h without time, mu, s, z, f. Backward, the loop
    gives the gradients that wait for one another; those of the weights are one product over all steps each.
    """

    @staticmethod
    def forward(ctx: Any, differentiable: bool, *given: Tensor) -> tuple[Tensor, ...]:
        gates, evidence, *rest = given
        tensors = dict(
            zip(
                READ,
                (_dense_rows(gates), _dense_rows(evidence), *(t.contiguous() for t in rest)),
                strict=True,
            )
        )
        samples, batch, time, latent = tensors["normals"].shape
        hidden = tensors["start"].shape[-1]
        assert tensors["start"].shape == (samples, batch, hidden)
        assert gates.shape == (batch, time, 3 * hidden) and evidence.shape == (batch, time, hidden)
        widths = {"first_layer": hidden, "carry": hidden, "features": hidden, "memory": 4 * hidden}
        for name in WRITTEN if differentiable else RESULTS:
            shape = (samples, batch, time, widths.get(name, latent))
            tensors[name] = gates.new_empty((samples, batch, hidden) if name == "last" else shape)
        _call("forward", tensors)
        if differentiable:
            ctx.save_for_backward(*(tensors[name] for name in KEPT))
        return tuple(tensors[name] for name in RESULTS)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyrefly: ignore[bad-override]
        tensors = dict(zip(KEPT, ctx.saved_tensors, strict=True))
        samples, batch, time, latent = tensors["normals"].shape
        hidden = tensors["start"].shape[-1]
        tensors |= {n: t.contiguous() for n, t in zip(ARRIVING, grad_outputs, strict=True)}
        for name, width in (("d_gates", 5 * hidden), ("d_features_raw", hidden), ("d_out", 2 * latent)):
            tensors[name] = tensors["start"].new_empty(samples, batch, time, width)
        tensors["d_start"] = torch.empty_like(tensors["start"])
        _call("backward", tensors)
        flat = {
            n: tensors[n].flatten(0, 2) for n in (*GRADIENTS[:3], "carry", "first_layer", "z", "features")
        }
        gates, raw, out = (flat[name] for name in GRADIENTS[:3])  # gates: of m, e, r, u, n
        of_carry = gates[:, : 4 * hidden].T @ flat["carry"]
        biases = gates.sum(0)
        of_inputs = tensors["d_gates"].sum(0) if samples > 1 else tensors["d_gates"][0]
        return (
            None,
            of_inputs[..., 2 * hidden :],
            of_inputs[..., hidden : 2 * hidden],
            None,
            tensors["d_start"],
            of_carry[hidden : 2 * hidden],
            out.T @ flat["first_layer"],
            out.sum(0),
            raw.T @ flat["z"],
            raw.sum(0),
            gates[:, 2 * hidden :].T @ flat["features"],
            torch.cat([of_carry[2 * hidden :], of_carry[:hidden]]),
            torch.cat([biases[2 * hidden : 4 * hidden], biases[:hidden]]),
        )


def _dense_rows(x: Float[Tensor, "batch time width"]) -> Float[Tensor, "batch time width"]:
    return x if x.stride(-1) == 1 else x.contiguous()


def _call(direction: str, tensors: dict[str, Tensor]) -> None:
    """Call the compiled loop on these tensors."""
    samples, batch, time, latent = tensors["normals"].shape
    strides = {
        f"{name}_{axis}": tensors[name].stride(i)
        for name in ("gates", "evidence")
        if name in tensors
        for i, axis in enumerate(("row", "step"))
    }
    loop = _Loop(
        samples=samples,
        batch=batch,
        time=time,
        hidden=tensors["start"].shape[-1],
        latent=latent,
        threads=torch.get_num_threads(),
        floor=SCALE_FLOOR,
        **strides,
        **{name: t.data_ptr() for name, t in tensors.items()},
    )
    call(direction, tensors.values(), ctypes.byref(loop))
